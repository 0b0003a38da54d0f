/* plait/family.h - the processes that share one arena.
 *
 * A program and the processes it starts are one family.  A thread becomes a member by its first call that needs it; nothing
 * has to be set up.  plait_init only does it early, so that an error is told at once.
 *
 * ```c
 * int main(int argc, char **argv)
 * {
 *     int error = plait_init(&argc, &argv);
 *     if (error) {
 *         fprintf(stderr, "plait: %s: %s\n", plait_strerror(error), plait_error_detail());
 *         return 1;
 *     }
 *     return 0;
 * }
 * ```
 */
#ifndef PLAIT_FAMILY_H
#define PLAIT_FAMILY_H

#include <stdint.h>

#include <plait/export.h>

PLAIT_BEGIN

/* Make the family, as the first line of main.  argc and argv may be NULL and are left alone by this version.
 * Returns 0, PLAIT_ENOARENA (no shared memory; the detail says which call failed and why) or PLAIT_ETOOMANY.
 * It may be called again; it does not block. */
PLAIT_API int plait_init(int *argc, char ***argv);

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
