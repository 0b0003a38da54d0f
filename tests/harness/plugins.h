/* plugins.h - shared objects for tests, in a folder of the test's own: copied there, replaced, cut short, opened.
 *
 * $PLAIT_BUILD/tests has four, of one source: one.so and two.so, other_one.so and other_two.so.  Their tasks add 1 or 2; the last
 * two have no build-id.  Static programs have none. */
#ifndef PLAIT_TEST_PLUGINS_H
#define PLAIT_TEST_PLUGINS_H

#include <plait.h>

#define PLUGIN_TRACE "PLAIT_TEST_PLUGIN"                   /* a variable that is set when one is opened */

/* In the object. */
plait_task plugin_task(void);
plait_reduce plugin_reduce(void);
extern int plugin_data;

#ifndef ANSWER

#include "host.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char plugin_folder[200];

static inline int make_plugin_folder(void **state)
{
    const char *parent = getenv("TMPDIR");
    snprintf(plugin_folder, sizeof plugin_folder, "%s/plugins-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(plugin_folder) ? 0 : -1;
}

struct plugin_path {
    char text[300];
};

static inline struct plugin_path plugin_path(const char *name)
{
    struct plugin_path path;
    snprintf(path.text, sizeof path.text, "%s/%s", plugin_folder, name);
    return path;
}

static inline void write_file(const char *path, const void *content, size_t size)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    CHECK(fd >= 0 && write(fd, content, size) == (ssize_t)size && close(fd) == 0);
}

struct content {
    char *bytes;
    size_t size;
};

static inline struct content read_file(const char *path)
{
    struct stat status;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &status) == 0);
    struct content content = { malloc((size_t)status.st_size + 1), (size_t)status.st_size };
    CHECK(content.bytes && read(fd, content.bytes, content.size) == (ssize_t)content.size && close(fd) == 0);
    return content;
}

/* One of those that were built. */
static inline struct content plugin_content(const char *original)
{
    char path[400];
    CHECK(getenv("PLAIT_BUILD"));
    snprintf(path, sizeof path, "%s/tests/%s", getenv("PLAIT_BUILD"), original);
    return read_file(path);
}

/* Have a copy of it lie in the folder by this name, as a new file. */
static inline void put_plugin(const char *original, const char *name)
{
    struct content content = plugin_content(original);
    unlink(plugin_path(name).text);
    write_file(plugin_path(name).text, content.bytes, content.size);
    free(content.bytes);
}

static inline void remove_plugin(const char *name)
{
    CHECK(unlink(plugin_path(name).text) == 0);
}

static inline int remove_plugin_folder(void **state)
{
    static const char *const names[] = { "a.so", "b.so", "program" };
    for (int i = 0; i < 3; i++) unlink(plugin_path(names[i]).text);
    return rmdir(plugin_folder);
}

#if TEST_IS_STATIC

static inline void *open_plugin(const char *name)
{
    return NULL;
}

#define SKIP_IF_STATIC() skip()

#else

static inline void *open_plugin(const char *name)
{
    void *handle = dlopen(plugin_path(name).text, RTLD_NOW | RTLD_LOCAL);
    if (!handle) dprintf(STDERR_FILENO, "%s\n", dlerror());
    CHECK(handle);
    return handle;
}

static inline plait_task task_of(void *handle)
{
    plait_task (*function)(void) = (plait_task (*)(void))dlsym(handle, "plugin_task");
    CHECK(function);
    return function();
}

static inline plait_reduce reduce_of(void *handle)
{
    plait_reduce (*function)(void) = (plait_reduce (*)(void))dlsym(handle, "plugin_reduce");
    CHECK(function);
    return function();
}

/* No module will lie at this address in this process. */
static inline void be_in_the_place_of(uintptr_t address)
{
    void *place = (void *)(address / 4096 * 4096);
    CHECK(mmap(place, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == place);
}

#define SKIP_IF_STATIC() ((void)0)

#endif

static inline bool one_was_opened(void)
{
    return getenv(PLUGIN_TRACE) != NULL;
}

#define WITH_PLUGINS(test) cmocka_unit_test_setup_teardown(test, make_plugin_folder, remove_plugin_folder)

#endif
#endif
