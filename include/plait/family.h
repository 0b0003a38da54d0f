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

/* The same: whether an object of eight-byte words may lie there, neither NULL nor misaligned.  In one comparison (the low bits come
 * to the top, and 0 wraps), or the compiler warns of what its user does with the NULL that is asked about here. */
PLAIT__INLINE int plait__is_placed(const void *object)
{
    uintptr_t rotated = (uintptr_t)object >> 3 | (uintptr_t)object << (sizeof object * 8 - 3);
    return __builtin_expect(rotated - 1 < UINTPTR_MAX >> 3, 1);
}

PLAIT_END
#endif
