/* arena/runs.h - large blocks, which are runs of spans; and the runs that are kept for the next ones. */
#ifndef PLAIT_ARENA_RUNS_H
#define PLAIT_ARENA_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Make a large block of `count` spans with that tag.  Its first `zeroed` bytes are zero.  Its first span, or 0: no room. */
uint32_t plait__run_take(uint32_t count, unsigned tag, unsigned owner, size_t zeroed);

/* Unmake a large block whose first span is in `state` (LARGE).  False: somebody else changed it meanwhile. */
bool plait__run_release(uint32_t first, uint64_t state, unsigned owner);

/* From CLAIM, and the TAILs behind it, to FREE; by `owner`, whosever claim it was. */
void plait__run_unmake(uint32_t first, unsigned owner);

/* Give the pages of all kept runs back.  False: there was none. */
bool plait__kept_release(unsigned owner);

#endif
