/* shared/segment.c - named pieces of shared memory.
 *
 * A new one is made without a name, gets all its memory and its content, and then its name, by one call: others see it whole or not
 * at all, and who is killed before leaves nothing.  Where the kernel, or a sandbox, has no files without names, it gets its name
 * first, as Python's does.
 */
#include "shared/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "arena/limit.h"
#include "base/cgroup.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"

#define FOLDER "/dev/shm"                                  /* of shm_open, in glibc as in musl */
#define MODE 0600
#define RANDOM_NAMES 1000                                  /* then something is wrong with the randomness */
#define PIECE_MOST ((size_t)4 << 20)
#define PIECE_LEAST ((size_t)4 << 10)
#define LITTLE ((size_t)16 << 20)                          /* not worth asking for how much there is */

/* ---- names ---- */

static int check_name(const char *name, struct plait__segment *segment)
{
    name += strspn(name, "/");
    size_t length = strlen(name);
    if (!length || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return plait__fail(-EINVAL, "'%.60s' is no name of shared memory: it is not empty, and has no /", name);
    if (length > NAME_MAX)
        return plait__fail(-ENAMETOOLONG, "a name of shared memory has at most %d bytes, not %zu", NAME_MAX, length);
    memcpy(segment->name, name, length + 1);
    return 0;
}

/* As Python's.  It need not be secret, only new: whoever is the second to make it is told so. */
static void invent_name(struct plait__segment *segment)
{
    uint32_t number;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number)
        number = (uint32_t)((uint64_t)plait__now() * 2654435761u >> 8) ^ (uint32_t)getpid() << 16;
    snprintf(segment->name, sizeof segment->name, "psm_%08x", number);
}

/* The name in a folder; "/NAME" for shm_open. */
struct path {
    char text[sizeof FOLDER + NAME_MAX + 2];
};

static struct path path_of(const struct plait__segment *segment, const char *folder)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "%s/%s", folder, segment->name);
    return path;
}

static int failed(int error, const char *what, const struct plait__segment *segment)
{
    if (error == -EEXIST) return plait__fail(error, "there is shared memory named '%s' already", segment->name);
    if (error == -ENOENT) return plait__fail(error, "there is no shared memory named '%s'", segment->name);
    return plait__fail(error, "%s the shared memory '%s': %s", what, segment->name, plait_strerror(error));
}

/* ---- memory ---- */

/* All of its memory, now: else the kernel would kill by SIGBUS whoever touches a page when there is none left.  By pieces, as
 * in many kernels a signal takes back the piece that it comes into; and by smaller ones after a signal, as where memory is slow to
 * come by a timer may be faster than a large piece. */
static int allocate(int fd, size_t size)
{
    size_t most = PIECE_MOST;
    for (size_t at = 0; at < size;) {
        size_t piece = size - at < most ? size - at : most;
        if (fallocate(fd, 0, (off_t)at, (off_t)piece) == 0) at += piece;
        else if (errno == EOPNOTSUPP || errno == ENOSYS) return ftruncate(fd, (off_t)size) ? -errno : 0;
        else if (errno != EINTR) return -errno;
        else if (most > PIECE_LEAST) most /= 2;
    }
    return 0;
}

/* A line of /proc/meminfo; 0 if there is none. */
static uint64_t bytes_in(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    if (!at) return 0;
    at += strlen(line);
    return plait__read_number(at + strspn(at, " "), &at) * 1024;
}

/* As much as can be had before the kernel begins to kill. */
static uint64_t memory_left(void)
{
    char text[2048];
    uint64_t most = plait__cgroup_limit(PLAIT__CGROUP_FILE, PLAIT__CGROUP_MOUNT);
    if (!plait__read_file("/proc/meminfo", text, sizeof text) || !strstr(text, "MemAvailable:")) return most;
    uint64_t left = bytes_in(text, "MemAvailable:") + bytes_in(text, "SwapFree:");
    return left < most ? left : most;
}

/* Is it more than there can be?  That is asked first: to find it out by taking all that there is would be the end of others.  And
 * beyond the limit of a file's size there would be a signal. */
static int check_room(size_t size)
{
    struct rlimit limit;
    struct statvfs folder;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur)
        return plait__fail(-EFBIG, "%zu bytes are above the limit of a file's size", size);
    if (statvfs(FOLDER, &folder) == 0 && folder.f_blocks && size / folder.f_frsize >= folder.f_bavail + !(size % folder.f_frsize))
        return plait__fail(-ENOSPC, "%s has no room for %zu bytes: %s", FOLDER, size, plait_strerror(ENOSPC));
    if (size > LITTLE && size > memory_left())
        return plait__fail(-ENOSPC, "the machine has no memory for %zu bytes: %s", size, plait_strerror(ENOSPC));
    return 0;
}

static int map(struct plait__segment *segment, int fd, size_t size)
{
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) return -errno;
    segment->data = data;
    segment->size = size;
    return 0;
}

void plait__segment_unmap(struct plait__segment *segment)
{
    if (segment->data) munmap(segment->data, segment->size);
    segment->data = NULL;
}

/* Give the new file its memory and its content. */
static int furnish(struct plait__segment *segment, int fd, size_t size, struct plait__content content)
{
    int error = allocate(fd, size);
    if (!error) error = map(segment, fd, size);
    if (!error && content.fill) content.fill(segment->data, content.argument);
    return error;
}

/* ---- making ---- */

/* Call `make` with the name; or with new names until one is new indeed. */
static int with_name(struct plait__segment *segment, const char *name, int fd, int (*make)(struct plait__segment *segment, int fd))
{
    if (name) return make(segment, fd);
    for (int i = 0;; i++) {
        invent_name(segment);
        int result = make(segment, fd);
        if (result != -EEXIST || i == RANDOM_NAMES) return result;
    }
}

static int create(struct plait__segment *segment, int unused)
{
    (void)unused;
    const struct path path = path_of(segment, "");
    int fd = shm_open(path.text, O_RDWR | O_CREAT | O_EXCL, MODE);
    if (fd < 0) return -errno;
    fd = plait__above_stdio(fd);
    if (fd < 0) shm_unlink(path.text);
    return fd;
}

/* The name first. */
static int make_by_name(struct plait__segment *segment, const char *name, size_t size, struct plait__content content)
{
    int fd = with_name(segment, name, -1, create);
    if (fd < 0) return failed(fd, "make", segment);
    int error = furnish(segment, fd, size, content);
    close(fd);
    if (!error) return 0;
    plait__segment_unmap(segment);
    const struct path path = path_of(segment, "");
    shm_unlink(path.text);
    return failed(error, "make", segment);
}

static int give_name(struct plait__segment *segment, int fd)
{
    char link[32];
    const struct path path = path_of(segment, FOLDER);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, link, AT_FDCWD, path.text, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

static int open_unnamed(void)
{
    if (plait__without(PLAIT__WITHOUT_TMPFILE)) return -EOPNOTSUPP;
    int fd = open(FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, MODE);
    return fd < 0 ? -errno : plait__above_stdio(fd);
}

/* The name last.  True: it was made, or can not be, which *error tells; false: not in this way. */
static bool make_unnamed(struct plait__segment *segment, const char *name, size_t size, struct plait__content content, int *error)
{
    int fd = open_unnamed();
    if (fd < 0) return false;
    *error = furnish(segment, fd, size, content);
    const bool furnished = !*error;
    if (furnished) *error = with_name(segment, name, fd, give_name);
    close(fd);
    if (!*error) return true;
    plait__segment_unmap(segment);
    if (furnished && *error != -EEXIST) return false;      /* without /proc, or not allowed */
    *error = failed(*error, "make", segment);
    return true;
}

static bool is_there(const struct plait__segment *segment)
{
    struct stat status;
    const struct path path = path_of(segment, FOLDER);
    return stat(path.text, &status) == 0;
}

int plait__segment_make(struct plait__segment *segment, const char *name, size_t size, struct plait__content content)
{
    *segment = (struct plait__segment){ .data = NULL };
    if (size > PTRDIFF_MAX) return plait__fail(-EINVAL, "'size' must be a positive integer");
    if (!size) return plait__fail(-EINVAL, "'size' must be a positive number different from zero");
    int error = name ? check_name(name, segment) : 0;
    if (error) return error;
    if (name && is_there(segment)) return failed(-EEXIST, "make", segment);      /* before it takes memory */
    error = check_room(size);
    if (error) return error;
    if (make_unnamed(segment, name, size, content, &error)) return error;
    return make_by_name(segment, name, size, content);
}

/* ---- the others ---- */

static int map_all_of(struct plait__segment *segment, int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0) return -errno;
    if (!S_ISREG(status.st_mode)) return plait__fail(-EINVAL, "'%s' is no shared memory", segment->name);
    if (!status.st_size) return plait__fail(-EINVAL, "the shared memory '%s' is empty: perhaps it is being made", segment->name);
    int error = map(segment, fd, (size_t)status.st_size);
    return error ? failed(error, "map", segment) : 0;
}

int plait__segment_attach(struct plait__segment *segment, const char *name)
{
    *segment = (struct plait__segment){ .data = NULL };
    if (!name) return plait__fail(-EINVAL, "'name' can only be NULL for memory that is to be made");
    int error = check_name(name, segment);
    if (error) return error;
    const struct path path = path_of(segment, "");
    int fd = shm_open(path.text, O_RDWR, MODE);
    fd = fd < 0 ? -errno : plait__above_stdio(fd);
    if (fd < 0) return failed(fd, "attach", segment);
    error = map_all_of(segment, fd);
    close(fd);
    return error;
}

int plait__segment_unlink(const struct plait__segment *segment)
{
    const struct path path = path_of(segment, "");
    return shm_unlink(path.text) ? failed(-errno, "unlink", segment) : 0;
}
