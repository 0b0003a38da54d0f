#include "preempt.h"

#include <signal.h>
#include <sys/wait.h>

#include <plait.h>

#include "family/roster.h"

static const struct preempt_case *the_case;
static _Atomic bool *second_is_done;

/* The second process; it stops itself when it is ready. */
static int be_second(void)
{
    if (the_case->prepare_second) the_case->prepare_second();
    raise(SIGSTOP);
    the_case->second();
    *second_is_done = true;
    return 0;
}

static struct member start_second(void)
{
    int status;
    if (!second_is_done) second_is_done = test_shared(sizeof *second_is_done);
    *second_is_done = false;
    struct member second = member_start(be_second);
    assert_int_equal(waitpid(second.pid, &status, WUNTRACED), second.pid);
    MUST(WIFSTOPPED(status));
    return second;
}

static bool is_done_or_sleeps(void *second)
{
    return *second_is_done || member_sleeps(second);
}

/* One round.  *slept: the second had to wait for the first. */
static struct stepped preempt_once(const struct preempt_case *of, long k, bool by_change, bool *slept)
{
    test_where[0] = k;
    if (of->set_up) of->set_up();
    struct member second = start_second();
    struct stepped first = by_change ? step_to_change(&of->first, of->regions(), k) : step_to(&of->first, k);
    member_continue(&second);
    test_soon(is_done_or_sleeps, &second, "the second");
    *slept = !*second_is_done;
    if (of->held) of->held();
    step_continue(&first, "the first");
    if (of->first_done) of->first_done();
    MUST(member_wait(&second, "the second, after the first") == 0);
    if (of->both_done) of->both_done();
    step_leave(&first);
    member_all_leave();
    of->check();
    if (of->tear_down) of->tear_down();
    return first;
}

/* From point `from` on, each is so many instructions or changes after the last.  The first process in the last round. */
static struct stepped preempt_all(const struct preempt_case *of, bool by_change, long from, long stride)
{
    long points = 0, sleeps = 0, k = 0;
    struct stepped first;
    for (;; k = by_change || stride > 1 ? k + stride : step_next(k)) {
        bool slept;
        first = preempt_once(of, from + k, by_change, &slept);
        points++;
        sleeps += slept;
        if (!by_change && of->most && !step_all() && k + stride > of->most) break;
        if (first.finished || first.asleep) break;
    }
    printf("%ld instructions, held %ld times, the second slept %ld times\n", first.instructions, points, sleeps);
    return first;
}

void preempt_at_every_point(void **state)
{
    long from = 0;
    the_case = *state;
    test_family();
    if (the_case->regions) {
        const struct stepped first = preempt_all(the_case, true, 0, 1);
        if (the_case->when_woken && !step_all()) from = first.woken_at;
    }
    preempt_all(the_case, false, from, the_case->stride && !step_all() ? the_case->stride : 1);
}
