#include "kill.h"

#include <limits.h>
#include <signal.h>

#include <plait.h>

#include "family/roster.h"

/* Where it is killed: of `k` one or the other; and behind a call, so many instructions or changes further. */
enum way { INSTRUCTIONS, CHANGES, CALLS };
struct point {
    enum way way;
    long k, further;
    bool to_change;
};

static struct stepped step_to_point(const struct kill_case *of, const struct point *point)
{
    if (point->to_change) return step_to_change_behind_call(&of->operation, point->k, point->further);
    if (point->way == CALLS) return step_to_call(&of->operation, point->k, point->further);
    return point->way == INSTRUCTIONS ? step_to(&of->operation, point->k)
                                      : step_to_change(&of->operation, of->regions(), point->k);
}

static struct stepped kill_once(const struct kill_case *of, const struct point *point)
{
    test_where[0] = point->k;
    test_where[1] = point->further;
    if (of->set_up) of->set_up();
    struct stepped victim = step_to_point(of, point);
    bool done = of->look ? of->look(&victim) : victim.finished;
    if (victim.finished) MUST(done);
    step_kill(&victim);
    of->check(&victim, done);
    if (victim.slot) member_until_repaired(victim.slot);
    member_all_leave();
    if (of->tear_down) of->tear_down();
    return victim;
}

/* How often between two system calls: never; at 8 points, and just before the next one; after every change, and at a hundred points
 * or more. */
enum between { NEVER, SOMETIMES, OFTEN };

static long next_further(long further, long deaths, enum between between)
{
    static uint64_t random;
    if (!random) random = test_seed();
    if (between == OFTEN) return further + 1 + (long)(test_random(&random) % (uint64_t)(1 + further / 32));
    if (deaths == 8) return LONG_MAX;
    return 1 + (long)(test_random(&random) % (UINT64_C(2) << test_random(&random) % 10));
}

/* How many there were. */
static long kill_behind_a_call(const struct kill_case *of, struct point point, enum between between)
{
    long deaths = 0;
    for (bool at_end = false; !at_end; deaths++) {
        point.further = point.to_change ? point.further + 1 : next_further(point.further, deaths, between);
        struct stepped victim = kill_once(of, &point);
        at_end = victim.at_call || victim.finished || victim.asleep;
    }
    return deaths;
}

static long kill_between_calls(const struct kill_case *of, struct point point, enum between between)
{
    long deaths = kill_behind_a_call(of, point, between);
    point.to_change = true;
    return between == OFTEN ? deaths + kill_behind_a_call(of, point, between) : deaths;
}

/* (From the begin of a call the next instruction leads to its end, from where the same ones follow.) */
static struct stepped kill_at_all(const struct kill_case *of, enum way way, enum between between, long *deaths)
{
    for (struct point point = { .way = way };; point.k = way == INSTRUCTIONS ? step_next(point.k) : point.k + 1) {
        struct stepped victim = kill_once(of, &point);
        ++*deaths;
        if (victim.finished || victim.asleep) return victim;
        if (between && !victim.at_begin) *deaths += kill_between_calls(of, point, between);
    }
}

static void kill_all(const struct kill_case *of, enum way way, enum between between)
{
    const int members = plait_member_count();
    const uint32_t slots = atomic_load(&plait__roster->made);
    long deaths = 0;
    struct stepped victim = kill_at_all(of, way, of->by_calls ? between : NEVER, &deaths);
    printf("%ld %s, %ld deaths\n", victim.instructions, way == CALLS ? "stops at system calls" : "instructions", deaths);
    assert_int_equal(plait_member_count(), members);
    assert_int_equal(atomic_load(&plait__roster->made), slots);
}

static enum way way_of(const struct kill_case *of, bool every_instruction)
{
    return of->by_calls ? CALLS : every_instruction ? INSTRUCTIONS : CHANGES;
}

void kill_at_every_point(void **state)
{
    const struct kill_case *of = *state;
    test_family();
    kill_all(of, way_of(of, !of->long_one || step_all()), step_all() ? OFTEN : SOMETIMES);
}

void kill_beside_a_stopped_member(void **state)
{
    const struct kill_case *of = *state;
    test_family();
    struct member bystander = member_bystander();
    member_stop(&bystander);
    kill_all(of, way_of(of, step_all()), step_all() ? SOMETIMES : NEVER);
    member_kill(&bystander);
    member_until_repaired(bystander.slot);
}
