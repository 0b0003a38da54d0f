/* net/challenge.c - the two halves of the proof, on any connection. */
#include <errno.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include <plait/net.h>

#include "base/error.h"
#include "net/auth.h"

/* The next message of the other side's, and what is said to it.  As plait__auth_take. */
static int take_next(struct plait__auth *auth, plait_connection *connection, plait_deadline deadline)
{
    unsigned char message[PLAIT__AUTH_LONGEST];
    const ssize_t got = plait_connection_recv_bytes(connection, message, sizeof message, deadline);
    if (got == -EMSGSIZE)
        return plait__fail(PLAIT_EAUTH, "a message came that is none of a handshake: there was %s", plait__auth_missing(auth));
    if (got == -ETIMEDOUT) return plait__fail(-ETIMEDOUT, "there was %s", plait__auth_missing(auth));
    return got < 0 ? (int)got : plait__auth_take(auth, message, (size_t)got);
}

static int say(struct plait__auth *auth, plait_connection *connection, plait_deadline deadline)
{
    const uint32_t size = auth->out.size;
    auth->out.size = 0;
    return size ? plait_connection_send_bytes(connection, auth->out.bytes, size, deadline) : 0;
}

/* Who is refused is told so, and the caller is told why. */
static int refuse(struct plait__auth *auth, plait_connection *connection, int why, plait_deadline deadline)
{
    char detail[PLAIT__DETAIL_SIZE];
    snprintf(detail, sizeof detail, "%s", plait_error_detail());
    (void)say(auth, connection, deadline);
    return plait__fail(why, "%s", detail);
}

static int go_through(struct plait__auth *auth, plait_connection *connection, plait_deadline deadline)
{
    for (int result = 0;;) {
        const int error = say(auth, connection, deadline);
        if (error || result) return error;
        result = take_next(auth, connection, deadline);
        if (result < 0) return refuse(auth, connection, result, deadline);
    }
}

static int half(enum plait__auth_role role, plait_connection *connection, const void *authkey, size_t size, plait_deadline deadline)
{
    struct plait__auth auth;
    if (!authkey) return plait__fail(-EINVAL, "the authkey is NULL");
    int error = plait__auth_check_key(authkey, size);
    if (!error) error = plait__auth_begin(&auth, role, authkey, size);
    if (error) return error;
    error = go_through(&auth, connection, deadline);
    OPENSSL_cleanse(&auth, sizeof auth);
    return error;
}

int plait_deliver_challenge(plait_connection *connection, const void *authkey, size_t size, plait_deadline deadline)
{
    return half(PLAIT__DELIVERS, connection, authkey, size, deadline);
}

int plait_answer_challenge(plait_connection *connection, const void *authkey, size_t size, plait_deadline deadline)
{
    return half(PLAIT__ANSWERS, connection, authkey, size, deadline);
}
