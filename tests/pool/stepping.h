/* stepping.h - kill a worker of a pool after so many instructions that change what others can see.  The tester's main thread maps;
 * another one steps through the worker by ptrace. */
#ifndef PLAIT_TEST_STEPPING_H
#define PLAIT_TEST_STEPPING_H

#include "tasks.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "arena/heap.h"
#include "base/fault.h"
#include "family/roster.h"
#include "pool/board.h"

/* What the stepping thread is to do, and what came of it. */
struct stepping {
    const plait_pool *pool;
    pid_t victim, mapper;
    _Atomic pid_t *held_for;            /* set to 0 when the victim is dead, or has no more work; may be NULL */
    long k;                             /* kill it after so many changes, or instructions */
    bool count_instructions;
    _Atomic int ready, mapping;
    long instructions, changes;
    bool slept;                         /* it had done its work before, and slept */
    bool ended;                         /* it came to its own end before */
};

static inline uint64_t digest_of(uint64_t sum, const void *start, size_t size)
{
    for (size_t i = 0; i < size / sizeof(uint64_t); i++)
        sum = (sum ^ ((const volatile uint64_t *)start)[i]) * 0x9e3779b97f4a7c15u + (sum >> 29);
    return sum;
}

/* What others can see of a worker: the board, the first jobs with their results, whose the memory is, and who is a member. */
static inline uint64_t digest(const plait_pool *pool)
{
    enum { JOBS = 3, SPANS = 8, TAGS = 64, SLOTS = 8 };
    const struct plait__board *board = pool->board;
    uint64_t sum = digest_of(1, board, sizeof *board + (size_t)pool->size * sizeof board->cells[0]);
    for (int place = 0; place < JOBS; place++) {
        const struct plait__job *job = atomic_load(&board->jobs[place]);
        if (!job) continue;
        sum = digest_of(sum, job, sizeof *job + job->chunks * sizeof job->table[0]);
        sum = digest_of(sum, job->out, (job->reduce ? job->chunks : job->n) * job->out_size);
    }
    sum = digest_of(sum, plait__arena->table, (SPANS + 1) * sizeof *plait__arena->table);
    for (uint32_t span = 1; span <= SPANS; span++) sum = digest_of(sum, plait__tags_of(span), TAGS * sizeof *plait__arena->tags);
    for (uint32_t i = 1; i <= SLOTS; i++)
        sum = digest_of(sum, plait__slot(i), offsetof(struct plait__slot, inside) + sizeof(void *));
    return sum;
}

/* Is the next instruction a system call?  Only there it can fall asleep.  Where we can't tell, every instruction may be one. */
static inline bool enters_kernel(pid_t pid)
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

static inline void until_it_stands_still(pid_t pid)
{
    int status;
    CHECK(waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status));
}

/* A system call, in which it may fall asleep, or end. */
static inline void step_through_kernel(struct stepping *stepping)
{
    for (;;) {
        const bool asleep = test_thread_sleeps(stepping->victim);      /* before the next line: it may just have been woken */
        int status;
        const pid_t got = waitpid(stepping->victim, &status, __WALL | WNOHANG);
        const bool reaped = got < 0 && errno == ECHILD;    /* by the pool's owner, who waits for it too */
        CHECK(got >= 0 || reaped);
        stepping->ended = reaped || (got > 0 && !WIFSTOPPED(status));
        stepping->slept = got == 0 && asleep;
        if (got || asleep) return;
        sched_yield();
    }
}

/* Anything but a system call.  On a busy machine, stepping is so slow that pool_free may lose patience and kill the worker. */
static inline void step_outside_kernel(struct stepping *stepping)
{
    int status = 0;
    const pid_t got = waitpid(stepping->victim, &status, __WALL);
    CHECK(got == stepping->victim || errno == ECHILD);
    stepping->ended = got < 0 || !WIFSTOPPED(status);
}

/* Run one instruction. */
static inline void step(struct stepping *stepping)
{
    const bool may_sleep = enters_kernel(stepping->victim);
    if (ptrace(PTRACE_SINGLESTEP, stepping->victim, NULL, NULL) < 0) {
        CHECK(errno == ESRCH);
        stepping->ended = true;
        return;
    }
    if (may_sleep) step_through_kernel(stepping);
    else step_outside_kernel(stepping);
    stepping->instructions++;
}

static inline void seize(pid_t pid)
{
    CHECK(ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_EXITKILL) == 0);
    CHECK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0);
    until_it_stands_still(pid);
}

static inline void let_go(pid_t pid)
{
    CHECK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0);
    until_it_stands_still(pid);
    CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
}

/* Its main part: k changes by a seized process, and its death.  Whoever started it will wait for it. */
static inline void step_and_kill(struct stepping *stepping)
{
    uint64_t before = digest(stepping->pool);
    while ((stepping->count_instructions ? stepping->instructions : stepping->changes) < stepping->k) {
        step(stepping);
        if (stepping->slept || stepping->ended) break;
        const uint64_t now = digest(stepping->pool);
        stepping->changes += now != before;
        before = now;
    }
    if (stepping->slept) let_go(stepping->victim);
    else if (!stepping->ended) CHECK(kill(stepping->victim, SIGKILL) == 0);
    if (stepping->held_for) *stepping->held_for = 0;
}

static inline void *step_through_work(void *argument)
{
    struct stepping *stepping = argument;
    seize(stepping->victim);
    stepping->ready = 1;
    test_until(is_set, &stepping->mapping);
    test_until_sleeps(stepping->mapper);
    step_and_kill(stepping);
    return NULL;
}

/* On one CPU single steps are much faster. */
static inline void stay_on_one_cpu(void)
{
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&one); cpu++)
        if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    plait__test_never_spin = true;
}

#endif
