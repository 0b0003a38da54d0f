/* plait/kind.h - what runs a function: the one word that changes when a program goes from processes to threads.
 *
 * ```c
 * plait_process *start(int (*function)(void *argument), int in_threads)
 * {
 *     return plait_start(function, NULL, 0, &(plait_process_options){ .kind = in_threads ? PLAIT_THREADS : PLAIT_PROCESSES });
 * }
 * ```
 */
#ifndef PLAIT_KIND_H
#define PLAIT_KIND_H

enum plait_kind {
    PLAIT_PROCESSES = 0,      /* in processes: a function that crashes costs a worker, not the program */
    PLAIT_INLINE = 1,         /* in the calling thread, in order: for debugging, and to compare with.  Pools only */
    PLAIT_THREADS = 2         /* in threads: all memory is shared, and a crash is everybody's.  Not yet for pools */
};

#endif
