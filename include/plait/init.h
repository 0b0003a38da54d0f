/* plait/init.h - the first line of main.
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
 *
 * Without it, locks, queues, pools and forked processes work all the same.
 */
#ifndef PLAIT_INIT_H
#define PLAIT_INIT_H

#include <plait/export.h>

PLAIT_BEGIN

/* Make the family, as the first line of main.  Three things come of it: an error is told at once; the process waits at its exit for
 * children that are no daemons, and runs what plait_at_exit has noted; and children can be started anew, by spawn and forkserver:
 * in such a child this call runs the function that it is for, and does not return.
 * argc and argv may be NULL (then /proc tells them), and are left alone.
 * Returns 0, PLAIT_ENOARENA (no shared memory; the detail says which call failed and why), PLAIT_ETOOMANY or -ENOMEM.
 * It may be called again; it does not block. */
PLAIT_API int plait_init(int *argc, char ***argv);

PLAIT_END
#endif
