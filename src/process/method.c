#include "process/method.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

/* ---- the method ---- */

static _Atomic int method;                                 /* 0: not set */
static const char *const names[] = { NULL, "fork", "spawn", "forkserver" };

static bool is_method(int which)
{
    return which >= PLAIT_FORK && which <= PLAIT_FORKSERVER;
}

int plait_set_start_method(int which, int force)
{
    if (!is_method(which)) return plait__fail(-EINVAL, "cannot find context for %d", which);
    int unset = 0;
    if (force) atomic_store(&method, which);
    else if (!atomic_compare_exchange_strong(&method, &unset, which)) return plait__fail(-EALREADY, "context has already been set");
    return 0;
}

int plait_get_start_method(void)
{
    int set = atomic_load(&method);
    return set ? set : PLAIT_FORK;
}

const int *plait_get_all_start_methods(void)
{
    static const int all[] = { PLAIT_FORK, PLAIT_SPAWN, PLAIT_FORKSERVER, 0 };
    return all;
}

const char *plait_start_method_name(int which)
{
    return is_method(which) ? names[which] : NULL;
}

void plait__inherit_method(int which)
{
    atomic_store(&method, which);
}

/* ---- the program ---- */

static char *_Atomic executable;                           /* NULL: this program.  Old ones stay: somebody may be using them */
static _Atomic bool has_init;
static char name[256] = "plait";

/* As it is found from here: a child may begin in another folder. */
static char *absolute(const char *path)
{
    char folder[PATH_MAX] = "";
    bool is_relative = *path && *path != '/';
    if (is_relative && !getcwd(folder, sizeof folder)) return NULL;
    size_t size = strlen(folder) + strlen(path) + 2;
    char *copy = malloc(size);
    if (copy) snprintf(copy, size, "%s%s%s", folder, is_relative ? "/" : "", path);
    return copy;
}

int plait_set_executable(const char *path)
{
    char *copy = path ? absolute(path) : NULL;
    if (path && !copy) return plait__fail(-errno, "the path of the program: %s", plait_strerror(-errno));
    atomic_store(&executable, copy);
    return 0;
}

const char *plait__executable(void)
{
    const char *set = atomic_load(&executable);
    return set ? set : "/proc/self/exe";
}

const char *plait__executable_name(void)
{
    const char *set = atomic_load(&executable);
    return set ? set : name;
}

int plait__check_init(void)
{
    if (atomic_load(&has_init) || atomic_load(&executable)) return 0;
    return plait__fail(PLAIT_ENOINIT, "plait_init(&argc, &argv) has to be the first line of main: a child that begins anew goes no "
                                      "further than that; a plug-in sets plait_set_executable");
}

void plait__note_init(const char *argv0)
{
    if (argv0) snprintf(name, sizeof name, "%s", argv0);
    atomic_store(&has_init, true);
}
