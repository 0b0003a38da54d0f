/* family/fork.c - what belongs to this process: the mapping, made once, and the mark that tells of a fork.
 *
 * The fork mark is a word in a page that the kernel wipes in a forked child (MADV_WIPEONFORK), whatever call made that child.
 * A thread is a member as long as the number it joined under stands there; so a child's first call finds that it is nobody yet,
 * and joins as a new member.  Where the kernel can't wipe, pthread_atfork clears the mark (a raw clone is not noticed then).
 *
 * Behind the mark there is a place for each slot: what the straight lines of locks and allocator need of the thread that lives
 * there, if it is one of this process.  That too reads 0 in a forked child, so that they need no look at the mark.
 */
#include "family/roster.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <plait/family.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/bell.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static _Atomic uint32_t no_mark;                           /* stands for the mark until there is one */
static struct plait__me nobody;
static struct plait__me *places;                           /* [0] holds the mark, [n] is of the thread in slot n */
__thread const uint64_t *plait__me = &nobody.owner;
_Atomic(_Atomic uint32_t *) plait__fork_mark = &no_mark;
static _Atomic uint32_t last_incarnation;                  /* survives forks, so that numbers are not used twice */
static _Atomic uint32_t pid_namespace;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t thread_key;
static bool kernel_wipes;

/* The lock `making` must not be copied while another thread has it. */
static void before_fork(void)
{
    pthread_mutex_lock(&making);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&making);
}

/* What the kernel wiped is not to be wiped again: another's handler may have made the child a member before. */
static void after_fork_in_child(void)
{
    if (!kernel_wipes) {
        atomic_store(atomic_load(&plait__fork_mark), 0);
        atomic_store(&pid_namespace, 0);
        *(struct plait__me *)(uintptr_t)plait__me = (struct plait__me){ 0 };       /* of the only thread there is */
    }
    plait__forget_parents_list();
    if (!plait__read_fork_mark()) plait__bells_forget(0);
    pthread_mutex_unlock(&making);
}

static void at_thread_end(void *unused)
{
    (void)unused;
    plait_leave();
}

#define MARK_SIZE ((PLAIT__MEMBERS_MAX + 1) * sizeof *places)

static void *kept_mark;                                    /* of a family that this process has left for another */

static int make_mark(void **mark)
{
    *mark = kept_mark;
    if (*mark) return 0;
    *mark = mmap(NULL, MARK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (*mark == MAP_FAILED) return plait__fail(PLAIT_ENOARENA, "mmap of %zu bytes: %s", MARK_SIZE, plait_strerror(errno));
    kernel_wipes = !plait__without(PLAIT__WITHOUT_WIPE) && madvise(*mark, MARK_SIZE, MADV_WIPEONFORK) == 0;
    return 0;
}

void plait__set_me(uint32_t slot, struct plait__me me)
{
    if (__tsan_acquire) me.heap = NULL;                    /* the straight lines tell it nothing */
    places[slot] = me;
    plait__me = me.owner ? &places[slot].owner : &nobody.owner;
}

/* Before the first fork there can be, not at our first call: a fork that had begun before would copy `making` as it is, and know no
 * handler that gives it up in the child. */
static int registering;
static __attribute__((constructor)) void register_for_forks(void)
{
    registering = pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static int make_thread_key(void)
{
    static bool done;
    if (done) return 0;
    int error = registering ? registering : pthread_key_create(&thread_key, at_thread_end);
    if (error) return plait__fail(PLAIT_ENOARENA, "registering for forks and the end of threads: %s", plait_strerror(error));
    done = true;
    return 0;
}

static bool is_made(void)
{
    return atomic_load(&plait__fork_mark) != &no_mark;     /* the last thing to be made */
}

/* With `making` locked.  Whoever fails leaves nothing behind: the arena is the last that can.  fd: an arena that is there; -1: make
 * one. */
static int make_all(int fd)
{
    void *mark;
    int error = make_thread_key();
    if (!error) error = make_mark(&mark);
    if (error) return error;
    error = fd < 0 ? plait__arena_make() : plait__arena_attach(fd);
    if (error) {
        if (mark != kept_mark) munmap(mark, MARK_SIZE);
        return error;
    }
    if (fd < 0) plait__roster_make();
    else plait__roster = plait__arena->roster;
    kept_mark = NULL;
    places = mark;
    atomic_store(&plait__fork_mark, (_Atomic uint32_t *)mark);
    return 0;
}

int plait__family_make(void)
{
    if (is_made()) return 0;
    pthread_mutex_lock(&making);
    int error = is_made() ? 0 : make_all(-1);
    pthread_mutex_unlock(&making);
    return error;
}

int plait__family_attach(int fd)
{
    pthread_mutex_lock(&making);
    int error = is_made() ? plait__fail(-EALREADY, "there is a family already") : make_all(fd);
    pthread_mutex_unlock(&making);
    return error;
}

/* With `making` locked: there is no family then, as before the first call.  The place of the mark stays: a thread may be just about
 * to look at it, and finds a number under which nobody has joined. */
static void unmake(void)
{
    _Atomic uint32_t *mark = atomic_load(&plait__fork_mark);
    plait_leave();
    atomic_store(mark, 0);
    atomic_store(&plait__fork_mark, &no_mark);
    kept_mark = (void *)mark;
    plait__roster = NULL;
    plait__arena_detach();
}

/* Nobody else is a member of it, and nothing was made in it. */
static bool is_unused(void)
{
    return plait_member_count() == plait__is_member() && plait__arena_is_empty();
}

static int change(int fd)
{
    if (is_made() && !is_unused())
        return plait__fail(-EALREADY, "this process has a family already, and has shared something there: join another one first");
    if (is_made()) unmake();
    return make_all(fd);
}

int plait__family_change(int fd)
{
    pthread_mutex_lock(&making);
    int result = plait__is_arena_fd(fd) ? 1 : change(fd);
    pthread_mutex_unlock(&making);
    return result;
}

void plait__family_forget(void)
{
    pthread_mutex_lock(&making);
    unmake();
    pthread_mutex_unlock(&making);
}

uint32_t plait__begin_incarnation(void)
{
    uint32_t mark = plait__read_fork_mark();
    if (mark) return mark;
    uint32_t fresh = atomic_fetch_add(&last_incarnation, 1) + 1;
    if (!atomic_compare_exchange_strong(atomic_load(&plait__fork_mark), &mark, fresh)) return mark;
    atomic_store(&pid_namespace, 0);                       /* whoever made this process may have put it into another one */
    plait__bells_forget(fresh);                            /* after a fork that no handler was told of */
    return fresh;
}

void plait__keep_thread_key(void)
{
    pthread_setspecific(thread_key, &thread_key);          /* anything but NULL; without memory for it, exit tells */
}

uint32_t plait__pid_namespace(void)
{
    uint32_t known = atomic_load(&pid_namespace);
    struct stat status;
    if (known || stat("/proc/self/ns/pid", &status) < 0) return known;
    atomic_store(&pid_namespace, (uint32_t)status.st_ino);
    return (uint32_t)status.st_ino;
}
