/* family/bell.h - to be woken by a word while one sleeps on file descriptors.
 *
 * A *bell* is a socket for datagrams, under a name that the kernel has chosen and that goes with it.  Its number, and which words
 * its holder waits for, stand in the roster; whoever has changed such a word and wakes its sleepers (plait__wake) sends it a byte.
 * That is the slow road of those who change things: as long as nobody's flag is in the word, nobody looks at bells.
 *
 *     plait__bell_open(&ear)                        once
 *     plait__bell_want(&ear, word)                  of each word
 *     plait__bell_arm(&ear)                         then, for each word: set the flag that somebody sleeps, and look
 *     poll                                          on ear.fd as well; whatever it says: look
 *     plait__bell_rest(&ear)
 *
 * Why no wake is lost.  Who waits says so (interests, then `armed`), and after that looks at the word, with the flag set.  Who
 * changes the word and finds the flag looks at the interests after that.  So one of them sees the other.  A byte in the socket
 * stays there until the holder reads it, before it arms the bell again; `rung` only saves a second byte for the same `armed`.
 *
 * A ring is never somebody's turn: it comes beside the wakes of sleepers, not instead of one, and means no more than "look".  So
 * whoever is rung and leaves what it finds has nothing to pass on.
 *
 * Where a ring does not arrive (the holder is in another network namespace, whoever rings has no descriptor left), it is
 * lost; so all who sleep in this way get up by themselves now and then, see wait.c.
 */
#ifndef PLAIT_FAMILY_BELL_H
#define PLAIT_FAMILY_BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fd.h"
#include "family/roster.h"

/* The private half. */
struct plait__ear {
    struct plait__bell *bell;                              /* NULL: not open */
    uint64_t owner, address;                               /* what stands in it, as long as it is ours */
    int fd;
    struct plait__file file;
    bool may_have_bytes;                                   /* in the socket */
};

/* Have a bell, unless there is one.  0; -EMFILE, ... of the system; PLAIT_ETOOMANY; with a detail. The caller is a member. */
int plait__bell_open(struct plait__ear *ear);
void plait__bell_close(struct plait__ear *ear);

/* The calling thread's, open.  It is closed when the thread leaves.  NULL: errno as above. */
struct plait__ear *plait__bell_of_thread(void);
void plait__bell_close_of_thread(void);

/* From the next arming on, be rung for this word. */
void plait__bell_want(struct plait__ear *ear, const plait__word *word);
bool plait__bell_wants(const struct plait__ear *ear, const plait__word *word);

/* Every ring from now on makes fd readable. */
void plait__bell_arm(struct plait__ear *ear);

/* Be rung for nothing any more (though one who is about to ring may still do so). */
void plait__bell_rest(struct plait__ear *ear);

/* Make our own fd readable. */
void plait__bell_ring_self(struct plait__ear *ear);

/* The word has changed: ring whoever waits for it.  All: whoever waits for anything. */
void plait__bells_ring(const plait__word *word);
void plait__bells_ring_all(void);

/* In repair: bells of this life are rung no more. */
void plait__bells_silence(uint64_t owner);

/* In a forked child, by a thread that is nobody yet: close what is its parent's, which was not made in this incarnation (0: nothing
 * was).  Other threads may have joined, and have made some. */
void plait__bells_forget(uint32_t incarnation);

#endif
