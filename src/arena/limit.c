/* arena/limit.c - how much memory the family may use, and how much it uses.
 *
 * `used` is a number of spans (the low half; the high half counts its changes).  It is counted up before a span is taken and down
 * after it is free, so it is never too low; but whoever is killed in between leaves it too high.  So before anybody is refused, it
 * is counted anew: the spans that are not free, and those that members are about to take, or to count down (`reserving`).  Some
 * may be in both, which makes it too high as long as that lasts: a few spans for each member.  The new number stands only if
 * nothing has changed `used` meanwhile; so who begins to free spans changes it.
 */
#include "arena/limit.h"

#include <stdlib.h>
#include <unistd.h>

#include <plait/error.h>

#include "arena/map.h"
#include "base/atomics.h"
#include "base/cgroup.h"
#include "base/error.h"
#include "base/file.h"

#define CHANGE (UINT64_C(1) << 32)

/* ---- what is used ---- */

static void count_anew(void)
{
    struct plait__arena *arena = plait__arena;
    for (int tries = 0; tries < 8; tries++) {
        uint64_t before = atomic_load(&arena->used);
        uint64_t counted = 0;
        for (uint32_t owner = 1; owner < PLAIT__OWNERS; owner++) counted += atomic_load(&arena->reserving[owner]);
        uint32_t top = atomic_load(&arena->top);
        for (uint32_t span = 1; span < top; span++) counted += atomic_load(&arena->table[span].state) != 0;
        if (atomic_compare_exchange_strong(&arena->used, &before, (before & ~(CHANGE - 1)) + CHANGE + counted)) return;
    }
}

static void unreserve(uint32_t count)
{
    atomic_fetch_add(&plait__arena->used, CHANGE - count);
}

static bool try_to_reserve(uint32_t count)
{
    uint64_t before = atomic_fetch_add(&plait__arena->used, CHANGE + count);
    if ((uint32_t)before + (uint64_t)count <= atomic_load(&plait__arena->limit)) return true;
    unreserve(count);
    return false;
}

bool plait__reserve(uint32_t count, unsigned owner)
{
    if (count >= plait__arena->spans) return false;
    atomic_store(&plait__arena->reserving[owner], count);
    if (try_to_reserve(count)) return true;
    atomic_store(&plait__arena->reserving[owner], 0);
    count_anew();
    atomic_store(&plait__arena->reserving[owner], count);
    if (try_to_reserve(count)) return true;
    atomic_store(&plait__arena->reserving[owner], 0);
    return false;
}

void plait__reserved(uint32_t left, unsigned owner)
{
    if (left) unreserve(left);
    atomic_store(&plait__arena->reserving[owner], 0);
}

void plait__unreserve_begin(uint32_t count, unsigned owner)
{
    atomic_store(&plait__arena->reserving[owner], count);
    atomic_fetch_add(&plait__arena->used, CHANGE);         /* a count that has begun may have missed that, and may miss the spans */
}

void plait__unreserve_end(uint32_t count, unsigned owner)
{
    unreserve(count);
    atomic_store(&plait__arena->reserving[owner], 0);
}

/* ---- the limit to begin with ---- */

/* What the machine has, so that a full arena is ENOMEM and not the OOM killer. */
static uint64_t physical_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
}

uint64_t plait__parse_size(const char *text)
{
    static const char units[] = "KMGT";
    const char *end = text;
    uint64_t size = plait__read_number(text, &end);
    if (!*end) return size;
    for (unsigned i = 0; units[i] && end[1] == 0; i++) {
        if (size > UINT64_MAX / 1024) return 0;
        size *= 1024;
        if (*end == units[i]) return size;
    }
    return 0;
}

/* In one control group, of either kind: UINT64_MAX if there is no limit ("max"), or none that can be read. */
static uint64_t read_limit(const char *folder, bool old)
{
    char text[32];
    const char *end = text;
    if (!plait__read_group_file(folder, old ? "memory.limit_in_bytes" : "memory.max", text, sizeof text)) return UINT64_MAX;
    uint64_t limit = plait__read_number(text, &end);
    return end == text ? UINT64_MAX : limit;
}

uint64_t plait__cgroup_limit(const char *proc_file, const char *mount)
{
    return plait__cgroup_least("memory", read_limit, proc_file, mount);
}

int plait__choose_limit(uint64_t *limit)
{
    const char *wish = getenv("PLAIT_ARENA_LIMIT");
    uint64_t machine = physical_memory(), group = plait__cgroup_limit(PLAIT__CGROUP_FILE, PLAIT__CGROUP_MOUNT);
    *limit = machine < group ? machine : group;
    if (!wish || !*wish) return 0;
    uint64_t size = plait__parse_size(wish);
    if (!size) return plait__fail(PLAIT_ENOARENA, "PLAIT_ARENA_LIMIT=%.40s: not a size such as 512M or 2G", wish);
    if (size < *limit) *limit = size;
    return 0;
}
