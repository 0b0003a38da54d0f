/* plait/version.h - which plait this is.
 *
 * ```c
 * if (plait_version() / 1000000 != PLAIT_VERSION_MAJOR) fputs("built against another plait\n", stderr);
 * ```
 */
#ifndef PLAIT_VERSION_H
#define PLAIT_VERSION_H

#include <plait/export.h>

#define PLAIT_VERSION_MAJOR 0
#define PLAIT_VERSION_MINOR 1
#define PLAIT_VERSION_PATCH 0
/* One number that grows with each release, e.g. for #if: 1.2.3 is 1002003. */
#define PLAIT_VERSION (PLAIT_VERSION_MAJOR * 1000000 + PLAIT_VERSION_MINOR * 1000 + PLAIT_VERSION_PATCH)
#define PLAIT_VERSION_STRING "0.1.0"

PLAIT_BEGIN

/* The PLAIT_VERSION of the library that runs, which may differ from the header's.  Never blocks, never fails. */
PLAIT_API int plait_version(void);

PLAIT_END
#endif
