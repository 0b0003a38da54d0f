/* sync/owner.h - words that name who holds something: locks, and what is made of locks.
 *
 *   63        32  31  30      16 15     0
 *   | life      | W | marks    | slot  |     slot 0: free.  W: somebody sleeps on the low half.
 *
 * To acquire is one compare-and-swap, to release another; nothing is recorded elsewhere.  Whether the owner still lives is asked
 * only by who finds the word taken: if its life ended by death, the word is taken over, if it left, it belongs to nobody
 * (slot PLAIT__NOBODY) and stays taken.
 *
 * The marks are for the object that the word is part of; whoever acquires keeps them, whoever writes 0 to release clears them.
 */
#ifndef PLAIT_SYNC_OWNER_H
#define PLAIT_SYNC_OWNER_H

#include <stdint.h>

#include "base/atomics.h"
#include "family/roster.h"
#include "family/wait.h"

#define PLAIT__SLEEPS (UINT64_C(1) << 31)                  /* W */
#define PLAIT__MARKS UINT64_C(0x7fff0000)

static inline _Atomic uint64_t *plait__owner_word(const uint64_t *word)
{
    return (_Atomic uint64_t *)(uintptr_t)word;
}

/* The word whose low half somebody sleeps on: plait__low_half the other way round. */
static inline const _Atomic uint64_t *plait__owner_of_half(const plait__word *half)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (const _Atomic uint64_t *)(uintptr_t)half;
#else
    return (const _Atomic uint64_t *)(uintptr_t)(half - 1);
#endif
}

static inline uint32_t plait__owner_slot(uint64_t word)
{
    return (uint32_t)word & 0xffff;
}

/* The word without W and marks: what plait__fate understands, and plait__self.owner is compared with. */
static inline uint64_t plait__owner_in(uint64_t word)
{
    return word & ~(PLAIT__SLEEPS | PLAIT__MARKS);
}

static inline bool plait__owner_is_me(uint64_t word)
{
    return plait__owner_in(word) == plait__self.owner;
}

/* A thread that has slept on a word sets W when it acquires: others may sleep still, and its release wakes the next.  One that
 * gives up has set W before its last sleep, so the holder's release wakes somebody. */
static inline uint64_t plait__owner_mine(uint64_t seen, const struct plait__wait *wait)
{
    return plait__self.owner | (seen & (PLAIT__SLEEPS | PLAIT__MARKS)) | (wait->slept ? PLAIT__SLEEPS : 0);
}

/* Around a sleep that a single wake may end: exit() in a signal handler, before that one has acquired or passed the wake on, makes
 * everybody look.  When the handler has left the family, the number is 0 already. */
static inline void plait__may_be_woken(void)
{
    plait__self.parties++;
}

static inline void plait__no_more_woken(void)
{
    if (plait__self.parties) plait__self.parties--;
}

/* Acquire it; the caller is a member.  0; PLAIT_OWNER_DIED: taken over from a dead one; -ETIMEDOUT, with a detail that names the
 * holder, and the deadlock if it is one.  kind, object: what to tell others meanwhile. */
int plait__owner_acquire(_Atomic uint64_t *word, enum plait__waits_for kind, const void *object, plait_deadline deadline);

/* One turn of waiting for a word that somebody holds, as `seen`.  0: look again, at *seen, which is new; -ETIMEDOUT. */
int plait__owner_wait(struct plait__wait *wait, _Atomic uint64_t *word, uint64_t *seen);

/* The word of an owner who left without releasing becomes nobody's.  The word as it is afterwards. */
uint64_t plait__owner_disown(_Atomic uint64_t *word, uint64_t seen);

/* Somebody, or nobody in particular, has it. */
bool plait__owner_is_held(const _Atomic uint64_t *word);

/* As Python's repr names the owner: the process if it is the calling thread, SomeOtherThread, SomeOtherProcess; NULL: nobody. */
const char *plait__owner_name(uint64_t word);

/* -ETIMEDOUT, with the detail: the word was `seen`. */
int plait__owner_timed_out(enum plait__waits_for kind, const void *object, const _Atomic uint64_t *word, uint64_t seen);

#endif
