#include "member.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <plait.h>

#include "base/deadline.h"
#include "base/fault.h"
#include "family/roster.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define PATIENCE (10 * PLAIT__SECOND)
#define ARENA_SIZE (64ul << 20)

long test_where[2];

/* ---- the tester ---- */

static plait_queue *quiet;                                 /* nobody ever puts anything here */

static void stay_on_this_cpu(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
}

void test_family(void)
{
    stay_on_this_cpu();
    plait__test_arena_size = ARENA_SIZE;
    plait__test_never_spin = true;
    assert_int_equal(plait_init(NULL, NULL), 0);
    quiet = plait_queue_new(&(plait_queue_options){ .capacity = 1024 });
    assert_non_null(quiet);
}

void test_must_failed(const char *file, int line, const char *condition)
{
    print_error("%s:%d: %s is not so, at point %ld", file, line, condition, test_where[0]);
    if (test_where[1]) print_error(" and %ld", test_where[1]);
    print_error("; the last detail: %s\n", plait_error_detail());
    fail();
    abort();                                               /* fail() does not return, but nobody says so */
}

void test_soon(bool (*condition)(void *argument), void *argument, const char *what)
{
    int64_t until = plait__now() + PATIENCE;
    while (!condition(argument)) {
        if (plait__now() > until) fail_msg("at point %ld and %ld: %s hangs", test_where[0], test_where[1], what);
        nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
    }
}

/* ---- others ---- */

#define AT_ONCE 16u

/* One who was started and is not yet gone.  In shared memory. */
struct place {
    int (*body)(void);
    pid_t pid;                                             /* for the tester only; 0: the place is free */
    _Atomic uint32_t slot;
    _Atomic int done, result;
    _Atomic bool may_leave;
};

static struct place *places;

static struct place *free_place(void)
{
    if (!places) places = test_shared(AT_ONCE * sizeof *places);
    unsigned i = 0;
    while (i < AT_ONCE - 1 && places[i].pid) i++;
    assert_int_equal(places[i].pid, 0);
    return &places[i];
}

static struct place *place_of(const struct member *member)
{
    unsigned i = 0;
    while (i < AT_ONCE - 1 && places[i].pid != member->pid) i++;
    assert_int_equal(places[i].pid, member->pid);
    return &places[i];
}

static bool may_leave(void *place)
{
    return ((struct place *)place)->may_leave;
}

static int be_a_member(void *argument)
{
    struct place *place = argument;
    CHECK(plait_init(NULL, NULL) == 0);
    place->slot = plait__self.slot;
    place->result = place->body();
    place->done = 1;
    test_until(may_leave, place);
    plait_leave();
    return 0;
}

static bool has_joined(void *place)
{
    return ((struct place *)place)->slot != 0;
}

struct member member_start(int (*body)(void))
{
    struct place *place = free_place();
    *place = (struct place){ .body = body };
    place->pid = test_fork(be_a_member, place);
    test_soon(has_joined, place, "joining");
    return (struct member){ place->pid, place->slot };
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = { 0 };
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

static bool is_done_or_dead(void *place)
{
    return ((struct place *)place)->done || has_ended(((struct place *)place)->pid);
}

int member_wait(const struct member *member, const char *what)
{
    struct place *place = place_of(member);
    test_soon(is_done_or_dead, place, what);
    if (place->done) return place->result;
    place->pid = 0;
    return test_wait_exit(member->pid);
}

void member_leave(const struct member *member)
{
    struct place *place = place_of(member);
    place->may_leave = true;
    place->pid = 0;
    assert_int_equal(test_wait_exit(member->pid), 0);
}

void member_all_leave(void)
{
    for (unsigned i = 0; places && i < AT_ONCE; i++)
        if (places[i].pid && places[i].done) member_leave(&(struct member){ places[i].pid, places[i].slot });
}

void member_run(int (*body)(void), const char *what)
{
    struct member member = member_start(body);
    MUST(member_wait(&member, what) == 0);
    member_leave(&member);
}

/* The number of the system call in which it sleeps: 0 when that is not known, -1 when it runs. */
static long call_of(pid_t pid)
{
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (length <= 0) return 0;
    text[length] = 0;
    return strncmp(text, "running", 7) == 0 ? -1 : strtol(text, NULL, 10);
}

static bool sleeps(void *argument)
{
    const struct member *member = argument;
    if (!atomic_load(&plait__slot(member->slot)->waiting) || !test_thread_sleeps(member->pid)) return false;
    if (atomic_load(&plait__roster->no_waitv)) return true;
    long call = call_of(member->pid);
    return call == SYS_futex_waitv || call == SYS_ppoll || call == 0;        /* the second: among descriptors */
}

bool member_sleeps(const struct member *member)
{
    return sleeps((void *)member);
}

void member_until_sleeps(const struct member *member)
{
    test_soon(sleeps, (void *)member, "falling asleep");
}

void member_stop(const struct member *member)
{
    int status;
    assert_int_equal(kill(member->pid, SIGSTOP), 0);
    assert_int_equal(waitpid(member->pid, &status, WUNTRACED), member->pid);
    assert_true(WIFSTOPPED(status));
}

void member_continue(const struct member *member)
{
    assert_int_equal(kill(member->pid, SIGCONT), 0);
}

void member_kill(const struct member *member)
{
    place_of(member)->pid = 0;
    assert_int_equal(kill(member->pid, SIGKILL), 0);
    assert_int_equal(test_wait_exit(member->pid), -SIGKILL);
}

static int stand_by(void)
{
    char nothing[8];
    return plait_queue_get(quiet, nothing, sizeof nothing, PLAIT_FOREVER) >= 0;
}

struct member member_bystander(void)
{
    struct member member = member_start(stand_by);
    member_until_sleeps(&member);
    return member;
}

void member_sleep(void)
{
    char nothing[8];
    assert_int_equal(plait_queue_get(quiet, nothing, sizeof nothing, plait_after(0.002)), -ETIMEDOUT);
}

static bool is_free(void *slot)
{
    if (!atomic_load(plait__pulse_word(*(uint32_t *)slot))) return true;
    member_sleep();
    return false;
}

void member_until_repaired(uint32_t slot)
{
    test_soon(is_free, &slot, "the repair of a dead member");
}
