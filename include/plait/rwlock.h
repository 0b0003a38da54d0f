/* plait/rwlock.h - many readers, or one writer.
 *
 * ```c
 * plait_rwlock *lock = plait_rwlock_new(NULL);
 * if (!lock) return;
 * int got = plait_rwlock_acquire_read(lock, plait_after(1.0));
 * if (got < 0) return;                                    // -ETIMEDOUT: plait_error_detail() names the writer
 * if (got == PLAIT_OWNER_DIED) puts("a writer was killed in the middle, and no other has come since");
 * plait_rwlock_release(lock);
 * plait_rwlock_free(lock);
 * ```
 *
 * Whoever wants to write goes before new readers: from the moment when it waits for the readers that are there, others wait for it.
 * Python has none; this is what the field calls one (POSIX's pthread_rwlock_t).
 */
#ifndef PLAIT_RWLOCK_H
#define PLAIT_RWLOCK_H

#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>

typedef struct plait_rwlock plait_rwlock;

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_rwlock_options {
    int readers;              /* how many threads may read at once, rounded up to a power of two; more wait.  0: 64.  Each takes
                                 64 bytes; at most 8192 */
    int reserved_int;
    uint64_t reserved[3];     /* zero */
} plait_rwlock_options;

PLAIT_BEGIN

/* A new one in shared memory, owned by the family.  NULL: errno EINVAL (more readers than possible), ENOMEM, PLAIT_ENOARENA,
 * PLAIT_ETOOMANY. */
PLAIT_API plait_rwlock *plait_rwlock_new(const plait_rwlock_options *options);

/* Free it; the caller must know that nobody uses it any more: not only that nobody has it, but that all releases of readers have
 * returned.  NULL is fine.  0, or -EINVAL when it is none (or was freed). */
PLAIT_API int plait_rwlock_free(plait_rwlock *lock);

/* Acquire it to read, together with others, waiting until the deadline.  A thread that reads may do so again, up to 32,768 times
 * in all, without a wait, also while somebody waits to write; it releases it as often.
 * Returns 0; PLAIT_OWNER_DIED (> 0: you have it, but the last writer was killed while it had it, and no other has come since);
 * -ETIMEDOUT (the detail names who writes, and the deadlock if there is one); -EDEADLK (the caller writes); -EAGAIN (it reads too
 * often); -EINVAL; PLAIT_ENOARENA, PLAIT_ETOOMANY.  Signals do not end the wait. */
PLAIT_API PLAIT_MUST_CHECK int plait_rwlock_acquire_read(plait_rwlock *lock, plait_deadline deadline);

/* Acquire it to write, alone.  The same results: PLAIT_OWNER_DIED means that the last writer was killed while it had it (those
 * who come after you are not told again, if you release it); -EDEADLK, at once, that the caller reads or writes already; after
 * -ETIMEDOUT the readers are let in again. */
PLAIT_API PLAIT_MUST_CHECK int plait_rwlock_acquire_write(plait_rwlock *lock, plait_deadline deadline);

/* Give back what the calling thread has: writing, or reading once.  What a writer that ended cleanly has left, anyone may release;
 * what a reader had when it ended in whatever way is given back by itself.
 * 0; PLAIT_ENOTOWNER (others have it, not the caller); PLAIT_EUNLOCKED (nobody has); -EINVAL; of who has nothing also
 * PLAIT_ENOARENA, PLAIT_ETOOMANY.  Does not block. */
PLAIT_API int plait_rwlock_release(plait_rwlock *lock);

/* How many read now (each as often as it does), so 0 while somebody writes; -EINVAL, PLAIT_ENOARENA, PLAIT_ETOOMANY.  Only a
 * momentary picture. */
PLAIT_API int plait_rwlock_readers(const plait_rwlock *lock);

/* 1 if somebody writes (or has left it so), 0 if not, also while somebody waits to write; -EINVAL, PLAIT_ENOARENA, PLAIT_ETOOMANY.
 * Only a momentary picture. */
PLAIT_API int plait_rwlock_has_writer(const plait_rwlock *lock);

PLAIT_END
#endif
