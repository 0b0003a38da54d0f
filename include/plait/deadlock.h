/* plait/deadlock.h - why does nothing go on?
 *
 * A wait with a deadline that ends in vain says in plait_error_detail() who holds what it waited for, and if that one waits in turn
 * for somebody who waits for the first, the whole cycle.  This is the same for all members at once, also from a member that is
 * not stuck itself:
 *
 * ```c
 * if (plait_deadlock_report(stderr) > 0) puts("stuck for good");
 * ```
 */
#ifndef PLAIT_DEADLOCK_H
#define PLAIT_DEADLOCK_H

#include <stdio.h>

#include <plait/export.h>

PLAIT_BEGIN

/* Write a line for each member of the family that sleeps in a call of plait: what it waits for, and who holds that; then the
 * cycles among them, each once.
 *
 *     Philosopher-1 (pid 71) waits for the lock at 0x6a0000120080, which is held by Philosopher-2 (pid 72)
 *     Philosopher-2 (pid 72) waits for the lock at 0x6a0000120040, which is held by Philosopher-1 (pid 71)
 *     deadlock of 2:
 *       Philosopher-1 (pid 71) waits for ...
 *
 * A cycle that is told was there: nobody in it can go on by itself, unless it waits with a deadline, or somebody else releases a
 * plain lock for its holder.  Told are cycles of locks, rlocks, rwlocks, owned semaphores of which one thread has all permits, and
 * of those who join somebody; who waits for a condition, an event, another semaphore or a queue waits for anybody, so nobody can
 * say that nobody will come.  A wait that is in its first moments, when it does not sleep yet, is missed.
 * How many cycles there are; -EINVAL (NULL), -EIO, -ENOMEM, PLAIT_ENOARENA, PLAIT_ETOOMANY.  Does not wait for anybody:
 * microseconds, and what writing to the file takes.  Any thread may call it.
 * Python has nothing like it. */
PLAIT_API int plait_deadlock_report(FILE *file);

PLAIT_END
#endif
