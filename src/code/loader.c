#include "code/loader.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

extern __typeof__(dladdr) dladdr __attribute__((weak));
extern __typeof__(dlsym) dlsym __attribute__((weak));
extern __typeof__(dlclose) dlclose __attribute__((weak));
extern __typeof__(dlinfo) dlinfo __attribute__((weak));
extern __typeof__(dlerror) dlerror __attribute__((weak));

/* ---- finding ---- */

#ifdef DLFO_STRUCT_HAS_EH_DBASE                            /* glibc 2.35 */

extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));

static bool find_quickly(uintptr_t address, uintptr_t *start, const char **name)
{
    struct dl_find_object found;
    if (!_dl_find_object || _dl_find_object((void *)address, &found) != 0) return false;
    *start = (uintptr_t)found.dlfo_map_start;
    *name = found.dlfo_link_map->l_name;
    return true;
}

#else

static bool find_quickly(uintptr_t address, uintptr_t *start, const char **name)
{
    (void)address, (void)start, (void)name;
    return false;
}

#endif

/* Slower: it looks for the nearest symbol, too. */
static bool find_slowly(uintptr_t address, uintptr_t *start, const char **name)
{
    Dl_info found;
    if (!dladdr || dladdr((void *)address, &found) == 0) return false;
    *start = (uintptr_t)found.dli_fbase;
    *name = found.dli_fname;
    return true;
}

bool plait__loader_find(uintptr_t address, uintptr_t *start, const char **name)
{
    return (find_quickly(address, start, name) || find_slowly(address, start, name)) && *name;
}

/* ---- opening ---- */

typedef __typeof__(dlopen) *opener;

static opener find_dlopen(void)
{
    return dlsym && dlclose && dlinfo ? (opener)dlsym(RTLD_DEFAULT, "dlopen") : NULL;
}

bool plait__loader_opens(void)
{
    return find_dlopen() != NULL;
}

static uintptr_t failed(const char **why)
{
    const char *text = dlerror ? dlerror() : NULL;
    *why = text ? text : "the loader does not say why";
    return 0;
}

/* NODELETE: what we have found in it is good for the rest of the process, also when a task closes what it has opened itself.
 * So one that was open already needs no handle of ours, whose number would grow. */
uintptr_t plait__loader_open(const char *path, bool has_to_be_open, const char **why)
{
    opener open_object = find_dlopen();
    int mode = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | (has_to_be_open ? RTLD_NOLOAD : 0);
    void *handle = open_object ? open_object(path, mode) : NULL;
    if (!handle) return failed(why);
    struct link_map *map = NULL;
    uintptr_t inside = dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map ? (uintptr_t)map->l_ld : failed(why);
    if (has_to_be_open) dlclose(handle);
    return inside;
}
