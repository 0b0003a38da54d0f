/* plait/family.h - the processes that share one arena.
 *
 * A program and the processes it starts are one family.  A thread becomes a member by its first call that needs it; nothing
 * has to be set up (<plait/init.h> only does it early).
 *
 * ```c
 * printf("%d members are alive\n", plait_member_count());
 * ```
 */
#ifndef PLAIT_FAMILY_H
#define PLAIT_FAMILY_H

#include <stdint.h>

#include <plait/export.h>

PLAIT_BEGIN

/* The calling thread leaves the family: it gives back its slot, its private blocks and its leases, and disowns its locks.
 * The end of a thread and exit() do that by themselves; _exit and exec do not, and count as a death.  The next call that needs
 * it joins again.  Never fails, does not block. */
PLAIT_API void plait_leave(void);

/* How many member threads are alive now, in all processes; 0 without a family.  Only a momentary picture. */
PLAIT_API int plait_member_count(void);

/* For inlined functions, not for users: points to the word by which locks name the calling thread; the word is 0 before its first
 * call that needs the family, and in a forked child. */
PLAIT_API extern __thread __attribute__((__tls_model__("initial-exec"))) const uint64_t *plait__me;

PLAIT_END
#endif
