#include "step.h"

#include <elf.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <plait.h>

#include "arena/heap.h"
#include "arena/map.h"
#include "family/roster.h"

enum phase { PREPARES, RUNS, FINISHED };

/* What the stepped process tells the tester. */
static struct note {
    _Atomic enum phase phase;
    _Atomic uint32_t slot;
    _Atomic uint64_t owner;
    _Atomic bool may_leave;
} *note;

/* ---- the process ---- */

static bool is_let_go(void *unused)
{
    (void)unused;
    return note->may_leave;
}

static int be_stepped(void *argument)
{
    const struct step_operation *operation = argument;
    if (!operation->joins) {
        CHECK(plait_init(NULL, NULL) == 0);
        note->slot = plait__self.slot;
        note->owner = plait__self.owner;
    }
    if (operation->prepare) operation->prepare();
    CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
    raise(SIGSTOP);
    atomic_store(&note->phase, RUNS);
    operation->run();
    atomic_store(&note->phase, FINISHED);
    test_until(is_let_go, NULL);
    plait_leave();
    return 0;
}

/* ---- one step ---- */

static void must_have_stopped(pid_t pid, int status)
{
    if (WIFSTOPPED(status)) return;
    fail_msg("at point %ld and %ld: the stepped process %d has ended, status %#x", test_where[0], test_where[1], (int)pid,
             (unsigned)status);
}

static void wait_stopped(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    must_have_stopped(pid, status);
}

static bool has_stopped(void *pid)
{
    int status;
    pid_t got = waitpid(*(pid_t *)pid, &status, WNOHANG);
    if (got > 0) must_have_stopped(got, status);
    return got != 0;
}

/* Is the next instruction a system call?  Only there it can fall asleep.  Where we can't tell, every instruction may be one. */
static bool enters_kernel(pid_t pid)
{
    struct user_regs_struct registers;
    struct iovec all = { &registers, sizeof registers };
    if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &all) < 0) return true;
#if defined __x86_64__
    return (ptrace(PTRACE_PEEKTEXT, pid, (void *)registers.rip, NULL) & 0xffff) == 0x050f;
#elif defined __aarch64__
    return (ptrace(PTRACE_PEEKTEXT, pid, (void *)registers.pc, NULL) & 0xffffffff) == 0xd4000001;
#else
    return true;
#endif
}

enum step { PLAIN, SYSTEM_CALL, ASLEEP };

static bool sleeps_for_good(const struct step_operation *operation, const struct member *member)
{
    if (operation->is_over) return operation->is_over();
    return !operation->goes_on && member_sleeps(member);
}

/* Run one instruction, or (PTRACE_SYSCALL) up to the begin or end of a system call.  ASLEEP: it is one in which the process sleeps
 * for good. */
static enum step step_by(int request, const struct stepped *stepped, const struct step_operation *operation)
{
    struct member member = { stepped->pid, stepped->slot };
    bool may_sleep = request == PTRACE_SYSCALL || stepped->in_call || enters_kernel(stepped->pid);
    assert_int_equal(ptrace(request, stepped->pid, NULL, NULL), 0);
    if (!may_sleep) {
        wait_stopped(stepped->pid);
        return PLAIN;
    }
    for (;;) {
        bool asleep = sleeps_for_good(operation, &member); /* before the next line: it may just have been woken */
        if (has_stopped(&member.pid)) return SYSTEM_CALL;
        if (asleep) return ASLEEP;
        sched_yield();
    }
}

/* ---- many ---- */

/* A process that has prepared itself, and stands still. */
static pid_t start_runner(const struct step_operation *operation, long options)
{
    if (!note) note = test_shared(sizeof *note);
    *note = (struct note){ .phase = PREPARES };
    pid_t pid = test_fork(be_stepped, (void *)operation);
    wait_stopped(pid);
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_EXITKILL | options)), 0);
    return pid;
}

static struct stepped start_itself(const struct step_operation *operation)
{
    struct stepped stepped = { .pid = start_runner(operation, 0), .slot = note->slot, .owner = note->owner };
    while (note->phase == PREPARES) step_by(PTRACE_SINGLESTEP, &stepped, operation);
    return stepped;
}

/* It is traced as soon as there is a child. */
static struct stepped start_child(const struct step_operation *operation)
{
    unsigned long child;
    pid_t runner = start_runner(operation, PTRACE_O_TRACEFORK);
    assert_int_equal(ptrace(PTRACE_CONT, runner, NULL, NULL), 0);
    wait_stopped(runner);
    assert_int_equal(ptrace(PTRACE_GETEVENTMSG, runner, NULL, &child), 0);
    wait_stopped((pid_t)child);
    assert_int_equal(ptrace(PTRACE_DETACH, runner, NULL, NULL), 0);
    return (struct stepped){ .pid = (pid_t)child, .runner = { runner, note->slot } };
}

static struct stepped start_another(const struct step_operation *operation)
{
    pid_t runner = start_runner(operation, 0), pid = operation->whom();
    assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_EXITKILL), 0);
    assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
    wait_stopped(pid);
    assert_int_equal(ptrace(PTRACE_DETACH, runner, NULL, NULL), 0);
    return (struct stepped){ .pid = pid, .runner = { runner, note->slot } };
}

static struct stepped start(const struct step_operation *operation)
{
    return operation->forks ? start_child(operation) : operation->whom ? start_another(operation) : start_itself(operation);
}

#define ENTERS 1ul                                         /* PTRACE_EVENTMSG_SYSCALL_ENTRY */

static bool begins_call(pid_t pid)
{
    unsigned long message = 0;
    return ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message) == 0 && message == ENTERS;
}

/* One instruction of run(), or all until a system call. */
static enum step advance_by(int request, struct stepped *stepped, const struct step_operation *operation,
                            bool *woken)
{
    enum step kind = step_by(request, stepped, operation);
    if (kind == ASLEEP && !operation->is_over) {
        stepped->asleep = *woken || !operation->wake;
        if (stepped->asleep) return kind;
        operation->wake();
        *woken = true;
        stepped->woken_at = stepped->instructions;
        test_soon(has_stopped, &stepped->pid, "the sleeper");
    }
    stepped->in_call = request == PTRACE_SYSCALL;
    stepped->at_begin = stepped->in_call && begins_call(stepped->pid);
    stepped->instructions++;
    stepped->finished = operation->is_over ? operation->is_over() : note->phase == FINISHED;
    return kind;
}

static enum step advance(struct stepped *stepped, const struct step_operation *operation, bool *woken)
{
    return advance_by(PTRACE_SINGLESTEP, stepped, operation, woken);
}

static bool goes_on(const struct stepped *stepped)
{
    return !stepped->finished && !stepped->asleep;
}

struct stepped step_to(const struct step_operation *operation, long k)
{
    struct stepped stepped = start(operation);
    bool woken = false;
    while (stepped.instructions < k && goes_on(&stepped)) advance(&stepped, operation, &woken);
    return stepped;
}

static struct stepped step_to_stop(const struct step_operation *operation, long stops, bool *woken)
{
    struct stepped stepped = start(operation);
    for (; stops > 0 && goes_on(&stepped); stops--) advance_by(PTRACE_SYSCALL, &stepped, operation, woken);
    return stepped;
}

static void step_towards_call(struct stepped *stepped, const struct step_operation *operation, bool *woken)
{
    advance(stepped, operation, woken);
    stepped->at_call = goes_on(stepped) && enters_kernel(stepped->pid);
}

struct stepped step_to_call(const struct step_operation *operation, long stops, long further)
{
    bool woken = false;
    struct stepped stepped = step_to_stop(operation, stops, &woken);
    for (; further > 0 && goes_on(&stepped) && !stepped.at_call; further--) step_towards_call(&stepped, operation, &woken);
    return stepped;
}

/* ---- by what can be seen ---- */

static uint64_t digest(const struct step_region *regions)
{
    uint64_t sum = 0;
    for (; regions->size; regions++)
        for (size_t i = 0; i < regions->size / sizeof(uint64_t); i++)
            sum = (sum ^ ((const volatile uint64_t *)regions->start)[i]) * 0x9e3779b97f4a7c15u + (sum >> 29);
    return sum;
}

struct stepped step_to_change(const struct step_operation *operation, const struct step_region *regions, long k)
{
    struct stepped stepped = start(operation);
    bool woken = false;
    uint64_t before = digest(regions);
    for (long changes = 0; changes < k && goes_on(&stepped);) {
        enum step kind = advance(&stepped, operation, &woken);
        uint64_t now = digest(regions);
        changes += kind != PLAIN || now != before;
        before = now;
    }
    return stepped;
}

enum { SPANS = 8, TAGS = 64 };

const struct step_region *step_family_regions(void)
{
    static struct step_region regions[2 + SPANS + 1];
    regions[0] = (struct step_region){ plait__roster, offsetof(struct plait__roster, slots) +
                                                          (atomic_load(&plait__roster->made) + 1) * sizeof(struct plait__slot) };
    regions[1] = (struct step_region){ plait__arena->table, (atomic_load(&plait__arena->top) + 4) * sizeof *plait__arena->table };
    for (uint32_t i = 0; i < SPANS; i++)
        regions[2 + i] = (struct step_region){ plait__arena->tags + (i + 1) * PLAIT__SPAN_BLOCKS,
                                               TAGS * sizeof *plait__arena->tags };
    return regions;
}

const struct step_region *step_object_and_roster(const void *object, size_t size)
{
    static struct step_region regions[3];
    regions[0] = (struct step_region){ object, size };
    regions[1] = step_family_regions()[0];
    return regions;
}

/* ---- by what others can see, between calls ---- */

enum { LEFT = 65536, SHARED = 1024 };
static const char *left_behind[LEFT];                      /* by the dead of earlier starts: nobody changes those any more.  As they
                                                              are visited: by their addresses */
static struct step_region shared[SHARED];
static size_t left_count, left_passed, shared_count;

static void note_left_behind(void *block, size_t size, void *unused)
{
    (void)size, (void)unused;
    MUST(left_count < LEFT);
    left_behind[left_count++] = block;
}

static void add_region(void *block, size_t size, void *unused)
{
    (void)unused;
    while (left_passed < left_count && left_behind[left_passed] < (char *)block) left_passed++;
    if (left_passed < left_count && left_behind[left_passed] == block) return;
    MUST(shared_count + 1 < SHARED);
    shared[shared_count++] = (struct step_region){ block, size };
}

static uint64_t digest_of_shared(void)
{
    shared_count = left_passed = 0;
    for (const struct step_region *region = step_family_regions(); region->size; region++) shared[shared_count++] = *region;
    plait__heap_visit(PLAIT__TAG_SHARED, add_region, NULL);
    shared[shared_count] = (struct step_region){ NULL, 0 };
    return digest(shared);
}

struct stepped step_to_change_behind_call(const struct step_operation *operation, long stops, long changes)
{
    bool woken = false;
    left_count = 0;
    if (plait__arena) plait__heap_visit(PLAIT__TAG_SHARED, note_left_behind, NULL);
    struct stepped stepped = step_to_stop(operation, stops, &woken);
    uint64_t before = digest_of_shared();
    while (changes > 0 && goes_on(&stepped) && !stepped.at_call) {
        step_towards_call(&stepped, operation, &woken);
        if (digest(shared) == before) continue;
        before = digest_of_shared();                       /* there may be another block */
        changes--;
    }
    return stepped;
}

bool step_all(void)
{
    const char *wish = getenv("PLAIT_STEP_ALL");
    return wish && *wish == '1';
}

long step_next(long k)
{
    static uint64_t random;
    if (step_all() || k < 64) return k + 1;
    if (!random) random = test_seed();
    return k + 1 + (long)(test_random(&random) % (uint64_t)(1 + k / 6));
}

/* ---- the end ---- */

void step_kill(const struct stepped *stepped)
{
    int status;
    assert_int_equal(kill(stepped->pid, SIGKILL), 0);
    do assert_int_equal(waitpid(stepped->pid, &status, 0), stepped->pid);
    while (WIFSTOPPED(status));
}

static bool has_finished(void *unused)
{
    (void)unused;
    return note->phase == FINISHED;
}

void step_continue(struct stepped *stepped, const char *what)
{
    /* The trap after the system call that was stepped into comes when somebody wakes it. */
    if (stepped->asleep) test_soon(has_stopped, &stepped->pid, what);
    assert_int_equal(ptrace(PTRACE_DETACH, stepped->pid, NULL, NULL), 0);
    test_soon(has_finished, NULL, what);
}

void step_until_returned(const struct stepped *stepped, const char *what)
{
    test_soon(has_finished, NULL, what);
    note->may_leave = true;
    assert_int_equal(test_wait_exit(stepped->runner.pid), 0);
}

void step_leave(const struct stepped *stepped)
{
    note->may_leave = true;
    assert_int_equal(test_wait_exit(stepped->pid), 0);
}
