/* plait.h - everything of libplait.
 *
 * ```c
 * plait_queue *queue = plait_queue_new(NULL);
 * if (!queue) return;
 * int number = 42;
 * int error = plait_queue_put(queue, &number, sizeof number, plait_after(1.0));
 * if (error < 0) fprintf(stderr, "%s: %s\n", plait_strerror(error), plait_error_detail());
 * plait_queue_free(queue);
 * ```
 */
#ifndef PLAIT_H
#define PLAIT_H

#include <plait/version.h>
#include <plait/error.h>
#include <plait/deadline.h>
#include <plait/cpu.h>
#include <plait/arena.h>
#include <plait/family.h>
#include <plait/lock.h>
#include <plait/rlock.h>
#include <plait/condition.h>
#include <plait/barrier.h>
#include <plait/rwlock.h>
#include <plait/semaphore.h>
#include <plait/event.h>
#include <plait/deadlock.h>
#include <plait/log.h>
#include <plait/value.h>
#include <plait/pickle.h>
#include <plait/object.h>
#include <plait/queue.h>
#include <plait/connection.h>
#include <plait/shared_value.h>
#include <plait/shared_array.h>
#include <plait/shared_memory.h>
#include <plait/shareable_list.h>
#include <plait/kind.h>
#include <plait/process.h>
#include <plait/init.h>
#include <plait/start_method.h>
#include <plait/thread.h>
#include <plait/program.h>
#include <plait/join.h>
#include <plait/pool.h>
#include <plait/wait.h>

#endif
