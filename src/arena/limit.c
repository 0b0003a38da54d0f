/* arena/limit.c - how much memory the family may use, and how much it uses.
 *
 * `used` is a number of spans (the low half; the high half counts its changes).  It is counted up before a span is taken and down
 * after it is free, so it is never too low; but whoever is killed in between leaves it too high.  So before anybody is refused, it
 * is counted anew: the spans that are not free, and those that living members are about to take (`reserving`).  The new number
 * stands only if nothing has changed `used` meanwhile.
 */
#include "arena/limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/error.h>

#include "arena/map.h"
#include "base/atomics.h"
#include "base/error.h"

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

static bool try_to_reserve(uint32_t count)
{
    uint64_t before = atomic_fetch_add(&plait__arena->used, CHANGE + count);
    if ((uint32_t)before + (uint64_t)count <= atomic_load(&plait__arena->limit)) return true;
    plait__unreserve(count);
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

void plait__reserved(unsigned owner)
{
    atomic_store(&plait__arena->reserving[owner], 0);
}

void plait__unreserve(uint32_t count)
{
    atomic_fetch_add(&plait__arena->used, CHANGE - count);
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
    char *end;
    if (*text < '0' || *text > '9') return 0;
    uint64_t size = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (*end && (!unit || end[1])) return 0;
    for (int i = 0; unit && i <= unit - units; i++) {
        if (size > UINT64_MAX / 1024) return 0;
        size *= 1024;
    }
    return size;
}

/* The number in the file `mount`/`group`/`name`; UINT64_MAX if there is none ("max"), or no such file. */
static uint64_t read_limit(const char *mount, const char *group, const char *name)
{
    char path[512], text[32] = "";
    if (snprintf(path, sizeof path, "%s%s/%s", mount, group, name) >= (int)sizeof path) return UINT64_MAX;
    FILE *file = fopen(path, "re");
    if (!file) return UINT64_MAX;
    uint64_t limit = fgets(text, sizeof text, file) && *text >= '0' && *text <= '9' ? strtoull(text, NULL, 10) : UINT64_MAX;
    fclose(file);
    return limit;
}

/* The least of the group's limit and those of all groups around it. */
static uint64_t least_limit(const char *mount, char *group, const char *name)
{
    uint64_t least = read_limit(mount, "", name);
    for (char *slash; *group == '/' && group[1]; *slash = 0) {
        uint64_t limit = read_limit(mount, group, name);
        if (limit < least) least = limit;
        slash = strrchr(group, '/');
    }
    return least;
}

uint64_t plait__cgroup_limit(const char *proc_file, const char *mount)
{
    char line[512], old_mount[256];
    uint64_t least = UINT64_MAX, limit;
    FILE *file = fopen(proc_file, "re");
    if (!file) return least;
    snprintf(old_mount, sizeof old_mount, "%s/memory", mount);
    while (fgets(line, sizeof line, file)) {               /* "0::/group", or of the older kind "4:memory:/group" */
        line[strcspn(line, "\n")] = 0;
        char *kind = strchr(line, ':'), *group = kind ? strchr(kind + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        limit = UINT64_MAX;
        if (strcmp(kind, ":") == 0) limit = least_limit(mount, group, "memory.max");
        else if (strcmp(kind, ":memory") == 0) limit = least_limit(old_mount, group, "memory.limit_in_bytes");
        if (limit < least) least = limit;
    }
    fclose(file);
    return least;
}

int plait__choose_limit(uint64_t *limit)
{
    const char *wish = secure_getenv("PLAIT_ARENA_LIMIT");
    uint64_t machine = physical_memory(), group = plait__cgroup_limit("/proc/self/cgroup", "/sys/fs/cgroup");
    *limit = machine < group ? machine : group;
    if (!wish || !*wish) return 0;
    uint64_t size = plait__parse_size(wish);
    if (!size) return plait__fail(PLAIT_ENOARENA, "PLAIT_ARENA_LIMIT=%.40s: not a size such as 512M or 2G", wish);
    if (size < *limit) *limit = size;
    return 0;
}
