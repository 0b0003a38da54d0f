/* net/listener_internal.h - Listener: who connects, proves to have the key, and becomes a connection.
 *
 * Whoever accepts waits at one epoll descriptor. In it are the socket, everybody who is in the middle of the handshake (the
 * guests), and a clock, which stands at its end for ever once the listener is closed. When it is readable, one of the accepting
 * threads goes on
 * with those who have said something, none of which waits, and returns with the first one who is done with or refused.
 *
 * The next guest is let in when there is no other, or the others are slow: what a process has begun is not finished by another
 * one that accepts at the same socket, so nobody begins more than needed.
 *
 * All that may change is guarded by one lock for all listeners, which is held for moments only, and by those who fork. A forked
 * child shares the socket with its parent: either accepts who comes first. Handshakes stay with who began them.
 */
#ifndef PLAIT_NET_LISTENER_INTERNAL_H
#define PLAIT_NET_LISTENER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <plait/net.h>

#include "base/fd.h"
#include "net/address.h"
#include "net/handshake.h"

/* Who is in the middle of the handshake. */
struct guest {
    struct guest *next;
    short waits_for;                                       /* as the epoll descriptor knows it */
    int64_t since;
    plait_deadline until;
    struct plait__address address;
    struct plait__handshake handshake;
};

struct plait_listener {
    int fd, epoll, clock;                                  /* -1: closed */
    pid_t owner;                                           /* the process that epoll, clock and guests are of */
    struct guest *guests;                                  /* the oldest first */
    unsigned count;
    bool shut;                                             /* nobody else is let in for now */
    int64_t rings;                                         /* when the clock does; 0: never */
    char last[PLAIT__ADDRESS_TEXT];
    /* These stay as they are. */
    pid_t maker;
    void *key;
    size_t key_size;
    double timeout;
    char address[PLAIT__ADDRESS_TEXT];
    char *path, *folder;                                   /* to be removed; NULL: none */
    struct plait__file file;
};

/* ---- listener.c ---- */

/* The lock.  Whoever forks has it, too. */
void plait__listener_lock(void);
void plait__listener_unlock(void);

/* ---- accept.c; under the lock ---- */

/* What is waited at: made by the constructor, and in a forked child at its first use, where what is the parent's alone is left to
 * it. 0, -errno. */
int plait__listener_watch(struct plait_listener *listener);
int plait__listener_adopt(struct plait_listener *listener);

/* Who is in the middle of the handshake is sent away, if it is this process's, and forgotten. */
void plait__listener_send_away(struct plait_listener *listener);

/* The clock rings at that moment of CLOCK_MONOTONIC; 0: never. */
void plait__listener_set_clock(struct plait_listener *listener, int64_t at);

#endif
