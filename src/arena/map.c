#include "arena/map.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <plait/arena.h>
#include <plait/version.h>

#include "arena/limit.h"
#include "base/atomics.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/fd.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#endif

struct plait__arena *plait__arena;
int plait__arena_fd = -1;
static struct stat made;                                   /* what plait__arena_fd was then */

/* Outside every range that the kernel randomises, so that an exec'd member finds it free too; but ThreadSanitizer and
 * MemorySanitizer know their own ranges only, and this second address lies in those. */
#define BASE UINT64_C(0x6a0000000000)
#define BASE_UNDER_SANITIZER UINT64_C(0x7e9000000000)

#ifdef __GLIBC__
#define LIBC PLAIT__GLIBC
#else
#define LIBC PLAIT__OTHER_LIBC
#endif

extern void __msan_init(void) __attribute__((weak));

static uint64_t choose_base(void)
{
    return __tsan_acquire || __msan_init ? BASE_UNDER_SANITIZER : BASE;
}

/* Whether the limit on file sizes allows `size`: going beyond it would not fail but raise SIGXFSZ. */
static bool file_may_have(uint64_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= size;
}

/* NULL with errno. */
static void *map(int fd, uint64_t base, uint64_t size)
{
    /* In a program that has locked its future memory (mlockall), a mapping that could be read would be filled at once. */
    void *got = mmap((void *)base, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0);
    if (got == MAP_FAILED) return NULL;
    if (got != (void *)base) {                             /* a kernel that does not know NOREPLACE, or MSan's page 0 */
        munmap(got, size);
        errno = EEXIST;
        return NULL;
    }
    munlock(got, size);
    if (mprotect(got, size, PROT_READ | PROT_WRITE) < 0) {
        int error = errno;
        munmap(got, size);
        errno = error;
        return NULL;
    }
    madvise(got, size, MADV_DONTDUMP);                     /* a core dump of 64 GiB helps nobody */
    return got;
}

/* Size the file, map it at `base`, seal it.  NULL with errno. */
static void *size_and_map(int fd, uint64_t base, uint64_t size)
{
    if (!file_may_have(size)) {
        errno = EFBIG;
        return NULL;
    }
    if (ftruncate(fd, (off_t)size) < 0) return NULL;
    void *got = map(fd, base, size);
    if (got) fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    return got;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Memcheck's search for leaks reads every mapping from end to end, which makes all the pages of ours exist. */
static bool under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload");
}

/* How much to reserve at the attempt number i, 0 after the last.  Address space only, so generous where it can be had. */
static uint64_t choose_size(unsigned i)
{
    static const uint64_t gibibytes[] = { 64, 16, 4, 1 };
    if (plait__test_arena_size) return i == 0 ? plait__test_arena_size : 0;
    if (under_valgrind()) return i == 0 ? UINT64_C(256) << 20 : 0;
    return i < sizeof gibibytes / sizeof gibibytes[0] ? gibibytes[i] << 30 : 0;
}

/* limit: spans that may be used. */
static void lay_out(char *start, uint64_t size, uint64_t limit)
{
    struct plait__arena *arena = (struct plait__arena *)start;
    uint64_t fixed = round_up(sizeof *arena, 4096) + PLAIT__ROSTER_SIZE + 2 * PLAIT__SPAN_SIZE;
    uint64_t per_span = PLAIT__SPAN_SIZE + PLAIT__SPAN_BLOCKS * sizeof(uint16_t) + sizeof(struct plait__span);
    uint64_t spans = (size - fixed) / per_span;

    arena->version = PLAIT__ARENA_VERSION;
    arena->library = PLAIT_VERSION;
    arena->libc = LIBC;
    arena->base = (uintptr_t)start;
    arena->size = size;
    arena->spans = (uint32_t)spans;
    arena->roster = start + round_up(sizeof *arena, 4096);
    arena->table = (struct plait__span *)((char *)arena->roster + PLAIT__ROSTER_SIZE);
    arena->tags = (_Atomic uint16_t *)(arena->table + round_up(spans, 256));
    uint64_t end_of_tags = (uintptr_t)(arena->tags + spans * PLAIT__SPAN_BLOCKS);
    arena->memory = (char *)round_up(end_of_tags, PLAIT__SPAN_SIZE);
    atomic_init(&arena->limit, (uint32_t)(limit < spans - 1 ? limit : spans - 1));
    atomic_init(&arena->top, 1);
    atomic_init(&arena->low, 1);
    for (unsigned i = 0; i < PLAIT__RUN_SIZES; i++) atomic_init(&arena->run_low[i], 1);
    arena->magic = PLAIT__ARENA_MAGIC;
}

int plait__arena_make(void)
{
    uint64_t limit;
    int error = plait__choose_limit(&limit);
    if (error) return error;
    int fd = memfd_create("plait", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    fd = plait__above_stdio(fd < 0 ? -errno : fd);
    if (fd < 0) return plait__fail(PLAIT_ENOARENA, "memfd_create: %s", plait_strerror(fd));
    void *start = NULL;
    uint64_t size = 0, smaller;
    for (unsigned i = 0; !start && (smaller = choose_size(i)); i++) start = size_and_map(fd, choose_base(), size = smaller);
    if (!start) {
        error = errno;
        close(fd);
        return plait__fail(PLAIT_ENOARENA, "mapping %llu MiB at %#llx: %s", (unsigned long long)(size >> 20),
                           (unsigned long long)choose_base(), plait_strerror(error));
    }
    lay_out(start, size, limit / PLAIT__SPAN_SIZE);
    plait__arena = start;
    plait__arena_fd = fd;
    fstat(fd, &made);
    return 0;
}

/* A magic number that is right, and a version that is not. */
static int another_version(const struct plait__arena *header)
{
    unsigned version = header->library;
    if (header->version == PLAIT__ARENA_VERSION && header->libc != LIBC)
        return plait__fail(-EPROTONOSUPPORT, "the family's programs have another C library: their mutexes are others");
    return plait__fail(-EPROTONOSUPPORT, "the family is one of plait %u.%u.%u, this is plait %s", version / 1000000,
                       version / 1000 % 1000, version % 1000, PLAIT_VERSION_STRING);
}

static bool is_our_version(const struct plait__arena *header)
{
    return header->version == PLAIT__ARENA_VERSION && header->library == PLAIT_VERSION && header->libc == LIBC;
}

/* Written by this library, or by an older or newer one that is installed at the same time; or something else altogether. */
static int check_header(const struct plait__arena *header, int fd, struct stat *status)
{
    bool is_file = fstat(fd, status) == 0 && S_ISREG(status->st_mode);
    ssize_t got = is_file ? pread(fd, (void *)(uintptr_t)header, sizeof *header, 0) : 0;
    if (got != sizeof *header)
        return plait__fail(PLAIT_ENOARENA, "descriptor %d can't be read: %s", fd,
                           got < 0 ? plait_strerror(-errno) : "it is not the shared memory of a family");
    if (header->magic != PLAIT__ARENA_MAGIC)
        return plait__fail(PLAIT_ENOARENA, "descriptor %d is not the shared memory of a family", fd);
    if (!is_our_version(header)) return another_version(header);
    if (header->size != (uint64_t)status->st_size)
        return plait__fail(PLAIT_ENOARENA, "descriptor %d is not the shared memory of a family: its size is another", fd);
    if (choose_base() != BASE && header->base != choose_base())
        return plait__fail(PLAIT_ENOARENA, "the family's memory lies at %#llx, where a sanitizer of this program has its own",
                           (unsigned long long)header->base);
    return 0;
}

int plait__arena_attach(int fd)
{
    struct stat status;
    struct plait__arena *header = malloc(sizeof *header);
    int error = header ? check_header(header, fd, &status) : plait__fail(-ENOMEM, "no private memory for a page");
    uint64_t base = error ? 0 : header->base, size = error ? 0 : header->size;
    free(header);
    if (error) return error;
    void *got = map(fd, base, size);
    if (!got)
        return plait__fail(PLAIT_ENOARENA, "mapping %llu MiB at %#llx: %s", (unsigned long long)(size >> 20),
                           (unsigned long long)base, errno == EEXIST ? "something else lies there" : plait_strerror(errno));
    plait__arena = got;
    plait__arena_fd = fd;
    made = status;
    return 0;
}

/* The host may have closed the descriptor, and opened something else there. */
void plait__arena_detach(void)
{
    struct plait__arena *arena = plait__arena;
    if (plait__is_arena_fd(plait__arena_fd)) close(plait__arena_fd);
    plait__arena = NULL;
    plait__arena_fd = -1;
    munmap(arena, arena->size);
}

bool plait__is_arena_fd(int fd)
{
    struct stat now;
    return plait__arena && fstat(fd, &now) == 0 && now.st_dev == made.st_dev && now.st_ino == made.st_ino;
}

bool plait__arena_is_empty(void)
{
    return atomic_load(&plait__arena->used) == 0;
}

/* The program may have closed all descriptors, and opened something else. */
uint64_t plait__arena_resident(void)
{
    struct stat now;
    if (fstat(plait__arena_fd, &now) < 0 || now.st_dev != made.st_dev || now.st_ino != made.st_ino) return 0;
    return (uint64_t)now.st_blocks * 512;
}

bool plait_is_shared(const void *address)
{
    return plait__in_arena(address);
}
