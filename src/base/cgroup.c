/* base/cgroup.c - /proc/self/cgroup has a line for each hierarchy: "0::/group" for that of version 2, "4:cpu,cpuacct:/group" for
 * those of version 1, which lie below the mount in folders called like the controllers; a machine may have both.  In a container
 * the group may be named as it is seen from outside, where its folder can't be found; but then the mount is that folder. */
#include "base/cgroup.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

bool plait__read_group_file(const char *folder, const char *name, char *text, size_t room)
{
    char path[1024];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return false;
    return plait__read_file(path, text, room);
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* In the group and in those around it, up to the mount itself. */
static uint64_t least_upwards(plait__cgroup_look *look, bool old, const char *mount, const char *group)
{
    char folder[1024];
    size_t top = strlen(mount);
    if (snprintf(folder, sizeof folder, "%s%s", mount, group) >= (int)sizeof folder) return look(mount, old);
    uint64_t least = UINT64_MAX;
    for (char *slash; (slash = strrchr(folder, '/')) && slash >= folder + top; *slash = 0)
        if (slash[1]) least = lesser(least, look(folder, old));
    return lesser(least, look(mount, old));
}

static bool is_in_list(const char *word, const char *list)
{
    size_t size = strlen(word);
    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (strncmp(list, word, size) == 0 && (list[size] == ',' || !list[size])) return true;
    return false;
}

/* The folder of a hierarchy of version 1 is called like all its controllers, and usually there are links called like each. */
static uint64_t least_of_old(const char *controller, plait__cgroup_look *look, const char *list, const char *group,
                             const char *mount)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/%s", mount, controller);
    uint64_t least = least_upwards(look, true, folder, group);
    if (least != UINT64_MAX || strcmp(list, controller) == 0) return least;
    snprintf(folder, sizeof folder, "%s/%s", mount, list);
    return least_upwards(look, true, folder, group);
}

static uint64_t least_of_line(const char *controller, plait__cgroup_look *look, char *line, const char *mount)
{
    char *list = strchr(line, ':'), *group = list ? strchr(list + 1, ':') : NULL;
    if (!group) return UINT64_MAX;
    *group++ = 0;
    list++;
    if (!*list) return least_upwards(look, false, mount, group);
    return is_in_list(controller, list) ? least_of_old(controller, look, list, group, mount) : UINT64_MAX;
}

uint64_t plait__cgroup_least(const char *controller, plait__cgroup_look *look, const char *proc_file, const char *mount)
{
    char text[4096];
    uint64_t least = UINT64_MAX;
    if (!plait__read_file(proc_file, text, sizeof text)) return least;
    for (char *line = text, *end = text; *end; line = end) {
        while (*end && *end != '\n') end++;
        if (*end) *end++ = 0;
        least = lesser(least, least_of_line(controller, look, line, mount));
    }
    return least;
}
