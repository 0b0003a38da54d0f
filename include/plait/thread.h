/* plait/thread.h - the face of <plait/process.h> for threads: the same object, of the other kind.
 *
 * ```c
 * static int greet(void *argument)
 * {
 *     return printf("%s says hello to %s\n", plait_process_name(plait_current()), *(const char **)argument) < 0;
 * }
 *
 * int main(void)
 * {
 *     const char *who = "world";
 *     plait_thread *thread = plait_thread_new(greet, &who, sizeof who, NULL);         // Thread-1
 *     if (!thread || plait_thread_start(thread) < 0) return 1;
 *     plait_thread_join(thread, plait_after(10));
 *     return plait_thread_free(thread) != 0;
 * }
 * ```
 *
 * Everything in process.h takes threads too, if it does not say otherwise.
 */
#ifndef PLAIT_THREAD_H
#define PLAIT_THREAD_H

#include <plait/process.h>

typedef plait_process plait_thread;

PLAIT_BEGIN

/* As plait_process_new with .kind = PLAIT_THREADS.  size > 0: the thread gets a copy of the bytes, which lives until the object is
 * freed.  Python: threading.Thread(target=..., args=...). */
PLAIT_API plait_thread *plait_thread_new(int (*function)(void *argument), const void *argument, size_t size,
                                         const plait_process_options *options);

/* The object of the calling thread: what plait_start has made of it; "MainThread" for the first thread; for others an object that
 * plait makes and frees, "Dummy-N". NULL: errno ENOMEM. Python: threading.current_thread(). */
PLAIT_API plait_thread *plait_current_thread(void);

PLAIT_END

static inline int plait_thread_start(plait_thread *thread)
{
    return plait_process_start(thread);
}

/* 0; -ETIMEDOUT; -EDEADLK (itself); PLAIT_ENOTSTARTED.  Afterwards all that the thread has written can be read. */
static inline int plait_thread_join(plait_thread *thread, plait_deadline deadline)
{
    return plait_process_join(thread, deadline);
}

static inline int plait_thread_is_alive(plait_thread *thread)
{
    return plait_process_is_alive(thread);
}

/* What its function returned (the low 8 bits); 0 if it ended by pthread_exit; PLAIT_ERUNNING, PLAIT_ENOTSTARTED. */
static inline int plait_thread_exitcode(plait_thread *thread)
{
    return plait_process_exitcode(thread);
}

static inline const char *plait_thread_name(const plait_thread *thread)
{
    return plait_process_name(thread);
}

static inline int plait_thread_free(plait_thread *thread)
{
    return plait_process_free(thread);
}

#endif
