/* net/auth.h - how two sides show each other that they have the same key, message by message; nothing in here waits or knows of
 * descriptors.
 *
 * One side delivers a challenge, #CHALLENGE# and random bytes; the other answers it with an HMAC of these under the key; the first
 * checks that and says #WELCOME# or #FAILURE#.  Then the same the other way round: six messages.  Who accepted a connection
 * delivers first, who made it answers first.  In which words, and which digests, is Python's: plait/net.h.
 */
#ifndef PLAIT_NET_AUTH_H
#define PLAIT_NET_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAIT__AUTH_LONGEST 256u                           /* no message of it has more bytes */
#define PLAIT__CHALLENGE_SIZE 48u                          /* of ours, without the word: {sha256} and 40 random bytes */
#define PLAIT__AUTHKEY_LONGEST (1u << 20)

struct plait__auth_message {
    uint32_t size;                                         /* 0: there is none */
    unsigned char bytes[PLAIT__AUTH_LONGEST];
};

enum plait__auth_wants { PLAIT__WANTS_RESPONSE, PLAIT__WANTS_CHALLENGE, PLAIT__WANTS_VERDICT, PLAIT__WANTS_NOTHING };

/* What this side does. */
enum plait__auth_role { PLAIT__DELIVERS, PLAIT__ANSWERS, PLAIT__DELIVERS_FIRST, PLAIT__ANSWERS_FIRST };

struct plait__auth {
    const void *key;                                       /* the caller's */
    size_t key_size;
    enum plait__auth_wants wants;                          /* of the other side, next */
    bool mirror;                                           /* the other half comes behind this one */
    unsigned char challenge[PLAIT__CHALLENGE_SIZE];        /* ours */
    struct plait__auth_message out;                        /* to be sent before anything else */
};

/* 0; -EIO: there are no random numbers. */
int plait__auth_begin(struct plait__auth *auth, enum plait__auth_role role, const void *key, size_t key_size);

/* This came from the other side; auth->out is what it gets.  1: the end, both have the key; 0: go on; else it is refused, and gets
 * auth->out, if anything: PLAIT_EAUTH; -EIO. */
int plait__auth_take(struct plait__auth *auth, const void *message, size_t size);

/* What did not come, for a detail: "..., so it has probably no authkey". */
const char *plait__auth_missing(const struct plait__auth *auth);

/* A key as users give it: 0, -EINVAL. */
int plait__auth_check_key(const void *key, size_t size);

#endif
