#include "kill.h"

#include <signal.h>

#include <plait.h>

#include "family/roster.h"

static struct stepped kill_once(const struct kill_case *of, long k, bool every_instruction)
{
    test_where[0] = k;
    if (of->set_up) of->set_up();
    struct stepped victim = every_instruction ? step_to(&of->operation, k) : step_to_change(&of->operation, of->regions(), k);
    bool done = of->look ? of->look(&victim) : victim.finished;
    if (victim.finished) MUST(done);
    step_kill(&victim);
    of->check(&victim, done);
    if (victim.slot) member_until_repaired(victim.slot);
    member_all_leave();
    if (of->tear_down) of->tear_down();
    return victim;
}

static void kill_all(const struct kill_case *of, bool every_instruction)
{
    const int members = plait_member_count();
    const uint32_t slots = atomic_load(&plait__roster->made);
    struct stepped victim;
    long k = 0, deaths = 0;
    for (;; k = every_instruction ? step_next(k) : k + 1) {
        victim = kill_once(of, k, every_instruction);
        deaths++;
        if (victim.finished || victim.asleep) break;
    }
    printf("%ld instructions, %ld deaths\n", victim.instructions, deaths);
    assert_int_equal(plait_member_count(), members);
    assert_int_equal(atomic_load(&plait__roster->made), slots);
}

void kill_at_every_point(void **state)
{
    const struct kill_case *of = *state;
    test_family();
    kill_all(of, !of->long_one || step_all());
}

void kill_beside_a_stopped_member(void **state)
{
    test_family();
    struct member bystander = member_bystander();
    member_stop(&bystander);
    kill_all(*state, step_all());
    member_kill(&bystander);
    member_until_repaired(bystander.slot);
}
