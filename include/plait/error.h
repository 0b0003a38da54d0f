/* plait/error.h - what the calls return when something goes wrong.
 *
 * A function that returns int gives 0 (or a positive result) when it did its work, and a negative error otherwise: -errno for
 * what the operating system says, or one of plait's own codes below, all of which lie below -4096.  A constructor returns NULL
 * and sets errno to the positive code.  Good to know beside success is positive: PLAIT_OWNER_DIED.
 *
 * ```c
 * plait_queue *queue = plait_queue_new(NULL);
 * int number;
 * int got = plait_queue_get(queue, &number, sizeof number, plait_after(0.5));
 * if (got == PLAIT_ECLOSED) puts("the other side is done");
 * else if (got < 0) fprintf(stderr, "%s (%s)\n", plait_strerror(got), plait_error_detail());
 * ```
 */
#ifndef PLAIT_ERROR_H
#define PLAIT_ERROR_H

#include <plait/export.h>

/* name, value, message.  Values never change once released. */
#define PLAIT_ERRORS(X)                                                                                              \
    X(ECLOSED,     -4097, "the object was closed")                                                                   \
    X(EWORKERDIED, -4098, "the worker that ran the task died")                                                       \
    X(ERUNNING,    -4099, "the process is still running")                                                            \
    X(EREAPED,     -4100, "the exit status was taken by another wait")                                               \
    X(ENOTOURS,    -4101, "the pointer is not the start of a live block of this family")                             \
    X(EFREED,      -4102, "the block was freed before")                                                              \
    X(EUNLOCKED,   -4103, "the lock was released more often than acquired")                                          \
    X(ENOLEASE,    -4104, "the lease was already settled or has moved to somebody else")                             \
    X(ETOOMANY,    -4105, "the family has no room for another member")                                               \
    X(ENOARENA,    -4106, "the shared memory of the family could not be made")                                       \
    X(ENOINIT,     -4107, "plait_init was not called")                                                               \
    X(ENOTSTARTED, -4108, "the process was not started")                                                             \
    X(ENOFUNCTION, -4109, "the function is not to be found in the other process")                                    \
    X(EDAEMON,     -4110, "daemonic processes are not allowed to have children")                                     \
    X(EBROKEN,     -4111, "the barrier or the connection is broken")                                                 \
    X(ENOTOWNER,   -4112, "the calling thread does not hold it")                                                     \
    X(EAUTH,       -4113, "authentication failed")

enum {
#define PLAIT_ERROR_ENUM(name, value, message) PLAIT_##name = value,
    PLAIT_ERRORS(PLAIT_ERROR_ENUM)
#undef PLAIT_ERROR_ENUM
    /* A lock was acquired, and its last holder was killed while it held it: check what the lock protects.  No errno has this
     * number, and an exit code has room for it. */
    PLAIT_OWNER_DIED = 200
};

PLAIT_BEGIN

/* The message for an error of either sign: -ENOMEM, ENOMEM, PLAIT_ECLOSED, the errno of a failed constructor; or for
 * PLAIT_OWNER_DIED.
 * Returns a string that is never NULL; it lives until the thread's next call for a number that nobody knows, or for ever.
 * Thread-safe, never blocks. */
PLAIT_API const char *plait_strerror(int error);

/* The short name of an error of either sign, such as "PLAIT_ECLOSED" or "ENOMEM"; NULL for an unknown number. */
PLAIT_API const char *plait_strerrorname(int error);

/* More about the last error that a plait call of this thread returned: who holds the lock, which limit was hit.
 * Each layer adds to it.  Never NULL, "" when there is nothing to add; valid until this thread's next failing plait call.
 * A successful call leaves it as it was: look only after a failure.  Thread-safe, never blocks. */
PLAIT_API const char *plait_error_detail(void);

PLAIT_END
#endif
