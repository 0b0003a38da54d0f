/* net/handshake.h - the six messages of net/auth.h over a socket, in frames, never waiting: whoever has it waits for the socket,
 * and goes on with it.  It reads no byte behind its last frame. */
#ifndef PLAIT_NET_HANDSHAKE_H
#define PLAIT_NET_HANDSHAKE_H

#include <plait/deadline.h>

#include "net/auth.h"

/* A frame: its length in 4 bytes, the highest first, or -1 in these and the length in 8 more; then that many bytes. */
enum { PLAIT__SHORT_HEAD = 4, PLAIT__LONG_HEAD = 12 };

struct plait__handshake {
    int fd;                                                /* the caller's */
    struct plait__auth auth;
    bool ends;                                             /* when what is on its way out has gone */
    uint32_t out_size, out_gone, in_got;
    unsigned char out[PLAIT__SHORT_HEAD + PLAIT__AUTH_LONGEST];
    unsigned char in[PLAIT__LONG_HEAD + PLAIT__AUTH_LONGEST];
};

/* 0; -EIO. */
int plait__handshake_begin(struct plait__handshake *handshake, int fd, enum plait__auth_role role, const void *key,
                           size_t key_size);

/* As far as it goes at once.  1: both sides have the key; 0: wait for what plait__handshake_waits_for says; PLAIT_EAUTH: the other
 * side was refused, refuses, or has broken off; -EIO. */
int plait__handshake_go(struct plait__handshake *handshake);

/* POLLIN or POLLOUT. */
short plait__handshake_waits_for(const struct plait__handshake *handshake);

/* All of it.  0; as above; -ETIMEDOUT: the detail says what did not come. */
int plait__handshake_finish(struct plait__handshake *handshake, plait_deadline deadline);

#endif
