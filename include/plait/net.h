/* plait/net.h - connections between programs that know each other's address, also on other machines, also in Python: Listener and
 * Client of multiprocessing.connection.  In a library of its own, libplait-net, which needs libcrypto; plait.h does not include it.
 *
 * ```c
 * #include <plait/net.h>
 *
 * plait_listener_options only_with_key = { .authkey = "secret", .authkey_size = 6 };
 * plait_listener *listener = plait_listener_new("localhost:6000", &only_with_key);
 * plait_connection *connection = plait_listener_accept(listener, PLAIT_FOREVER);
 * if (!connection) fprintf(stderr, "%s (%s)\n", plait_strerror(errno), plait_error_detail());
 * else if (plait_connection_send_bytes(connection, "hello", 5, PLAIT_FOREVER) < 0) puts("it has gone");
 * plait_connection_free(connection);
 * plait_listener_free(listener);
 *
 * // and elsewhere; in Python: Client(('localhost', 6000), authkey=b'secret')
 * connection = plait_client("localhost:6000", &(plait_client_options){ .authkey = "secret", .authkey_size = 6 }, plait_after(5));
 * plait_connection_free(connection);
 * ```
 *
 * Addresses are texts:
 *
 *     /path/to/socket, ./socket      a path, for programs of this machine that may write to it.  Python: the same str
 *     @name                          an abstract name: no file, gone with its listener; whoever is on this machine may connect.
 *                                    Python: '\0name'.  A listener's "@" alone: the kernel chooses the name
 *     127.0.0.1:6000, host:6000      IPv4, or what the host's name stands for.  Python: ('host', 6000).  Port 0: the kernel
 *                                    chooses.  No host, ":6000": for a listener any interface, for a client this machine; IPv4,
 *                                    as in Python
 *     [::1]:6000                     IPv6; Python's Client does not have it
 *
 * A name often stands for several addresses, "localhost" for 127.0.0.1 and ::1.  A listener takes the first IPv4 one, where Python
 * looks for it, and an IPv6 one only if there is no other.  A client tries one after the other, IPv4 first, until one answers; each
 * has its part of the time that is left, so that one that does not answer leaves some for the others.
 *
 * A name of a host is looked up with getaddrinfo, which asks name servers and knows no deadline; addresses in numbers do not wait.
 *
 * A key makes both sides prove that they have it, before anything else is said, in the way of Python 3.8 to 3.14: with HMAC-SHA256
 * among those who can, with HMAC-MD5 where the other side is Python 3.11 or older.  The key itself does not travel.  What is said
 * afterwards is neither encrypted nor signed.  Either both sides have a key or neither; where one lacks it, the other one says so,
 * in the detail of its error, when its time is up or when it gets something else instead of a proof.
 *
 * A key proves membership of a group, those who have it, and not who it is that listens.  As in Python: a false listener that does
 * not have the key, but to whom one process makes two connections with it, can hand the challenge that it gets on the one over to
 * the other, and give back the answer.  Where strangers might listen at the address instead, it takes more than a key: a path in a
 * folder that they may not write to, or a tunnel that proves who is at its end, as ssh's and TLS's.
 *
 * These calls do not make a process a member of a family; what connections do is said in plait/connection.h.  Not for signal
 * handlers.  No call prints, raises SIGPIPE, or puts the key into a detail.
 */
#ifndef PLAIT_NET_H
#define PLAIT_NET_H

#include <stddef.h>
#include <stdint.h>

#include <plait/connection.h>
#include <plait/deadline.h>
#include <plait/export.h>

typedef struct plait_listener plait_listener;

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_listener_options {
    const void *authkey;      /* who connects must have the same; it is copied, and wiped in the end.  NULL: anybody may connect */
    size_t authkey_size;      /* in bytes; not 0 with a key */
    double handshake_timeout; /* seconds for who connects to prove that it has the key; 0: 10 */
    int backlog;              /* how many may wait to be accepted; 0: 128 */
    unsigned permissions;     /* of a path, such as 0666; 0: 0600, only this user and root */
    uint64_t reserved[4];     /* zero */
} plait_listener_options;

typedef struct plait_client_options {
    const void *authkey;      /* as the listener's.  NULL: none */
    size_t authkey_size;
    uint64_t reserved[4];     /* zero */
} plait_client_options;

PLAIT_BEGIN

/* ---- listeners ---- */

/* Listen at an address.  The address NULL: at a new path in a new folder that nobody else may enter, in $TMPDIR or /tmp; both go
 * when it is closed.  Whoever listens at the address already does not notice.
 * NULL: errno EADDRINUSE (the detail tells a path that was left behind by who was killed: it has to be removed first), EINVAL
 * (address or options), ENAMETOOLONG (a path of more than 107 bytes), EADDRNOTAVAIL (no such host, or it is not this machine),
 * EACCES, ENOENT, EAGAIN (name servers), EMFILE, ENFILE, ENOMEM.  Python: Listener(address, backlog=..., authkey=...). */
PLAIT_API plait_listener *plait_listener_new(const char *address, const plait_listener_options *options);

/* Wait for somebody to connect, and to prove that it has the key.  The connection is the caller's.
 * Who is silent, slow, or talks nonsense keeps the others waiting for 10 ms each at most: up to 64 may be in the middle of their
 * proof at once, others wait in the backlog. Such proofs go on only in calls of accept, of the process that began them. Several
 * threads
 * may accept at once, and forked children: each gets some of those who come.
 * NULL: errno ETIMEDOUT (nobody has come so far); PLAIT_EAUTH: one who connected does not have the key, says something else, has
 * gone again, or took too long: the detail tells who and why, the connection is closed, and the listener is as good as before:
 * call
 * again; PLAIT_ECLOSED; EINVAL; EMFILE, ENFILE, ENOMEM (whoever waits goes on waiting); EIO (no random numbers).
 * Python: listener.accept(). */
PLAIT_API plait_connection *plait_listener_accept(plait_listener *listener, plait_deadline deadline);

/* Where it listens, with the port or the name that the kernel has chosen; lives as long as the listener.  NULL: errno EINVAL.
 * Python: listener.address. */
PLAIT_API const char *plait_listener_address(const plait_listener *listener);

/* The address of who came last: whom the last accept returned, or told of with PLAIT_EAUTH.  "" for paths, and before the first.
 * The length of the text, of which as much as there is room for is stored, with a 0; -EINVAL.  Python: listener.last_accepted. */
PLAIT_API int plait_listener_last_accepted(const plait_listener *listener, char *text, size_t size);

/* To be polled together with others: it is readable when an accept may have something to do, with PLAIT_NOW, be it only to go on
 * with a proof. Owned by the listener. A forked child has another one. -EINVAL, PLAIT_ECLOSED, -EMFILE. */
PLAIT_API int plait_listener_fileno(plait_listener *listener);

/* Listen no more: whoever waits in an accept gets PLAIT_ECLOSED, and so do later calls. Who has connected and was not accepted
 * finds the connection closed. A path is removed, if it still is the one that was made, by the process that made it; if that is
 * killed,
 * the path stays. In a forked child only the child's part is closed. 0, also the second time; -EINVAL. Python: listener.close(). */
PLAIT_API int plait_listener_close(plait_listener *listener);

/* Close and free it, when nobody uses it any more.  NULL is fine.  0. */
PLAIT_API int plait_listener_free(plait_listener *listener);

/* ---- clients ---- */

/* Connect to a listener, prove to have the key, and have it proved. The deadline is for all of that; a listener that accepts
 * nobody at present is waited for.
 * NULL: errno ETIMEDOUT (the detail says what did not come), PLAIT_EAUTH (not the same key: the detail says what was wrong),
 * ECONNREFUSED and ENOENT (nobody listens there), EINVAL, ENAMETOOLONG, EACCES, EADDRNOTAVAIL (no such host), EAGAIN (name
 * servers), what else
 * connect(2) says, EMFILE, ENFILE, ENOMEM, EIO (no random numbers).  Python: Client(address, authkey=...). */
PLAIT_API plait_connection *plait_client(const char *address, const plait_client_options *options, plait_deadline deadline);

/* ---- halves of the proof, on any connection ---- */

/* Have the other side prove that it has the key; it answers with the call below, or Python's.
 * 0; PLAIT_EAUTH (it was told so); -ETIMEDOUT; -EINVAL; -EIO (no random numbers); and as plait_connection_recv_bytes. After an
 * error the connection is of no use any more. Python: deliver_challenge(connection, authkey). */
PLAIT_API PLAIT_MUST_CHECK int plait_deliver_challenge(plait_connection *connection, const void *authkey, size_t size,
                                                       plait_deadline deadline);

/* Prove to the other side that this one has the key. As above; PLAIT_EAUTH: it did not believe it, or it asked in a way that is
 * not known. Python: answer_challenge(connection, authkey). */
PLAIT_API PLAIT_MUST_CHECK int plait_answer_challenge(plait_connection *connection, const void *authkey, size_t size,
                                                      plait_deadline deadline);

PLAIT_END
#endif
