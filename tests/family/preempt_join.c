/* One process is held after many instructions of joining, or of asking the kernel who lives, while others move into the slot
 * that it looks at, or die there. */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <plait.h>

#include "family/repair.h"
#include "family/roster.h"
#include "preempt.h"

static struct notes {
    plait_lock *lock;
    _Atomic int held;
    _Atomic pid_t holder;
} *notes;

static struct member to_die;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ .lock = plait_lock_new() };
    MUST(notes->lock);
}

static void tear_down(void)
{
    MUST(plait_lock_free(notes->lock) == 0);
}

/* ---- a slot that somebody else takes, and dies in ---- */

static void join(void)
{
    plait_init(NULL, NULL);
}

/* Not by a member, but by a child that is to be one. */
static void one_joins_and_dies(void)
{
    const pid_t child = fork();
    if (child == 0) {
        if (plait_lock_acquire(notes->lock, PLAIT_NOW) == 0) raise(SIGKILL);
        _exit(1);
    }
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
}

/* Now, while the one who joined is still there. */
static void the_lock_is_freed(void)
{
    MUST(plait_lock_acquire(notes->lock, plait_after(10)) == PLAIT_OWNER_DIED);
    MUST(plait_lock_release(notes->lock) == 0);
}

static void check_all_are_gone(void)
{
    MUST(plait_member_count() == 1);
}

static const struct preempt_case join_where_one_dies = {
    .first = { .run = join, .joins = true }, .second = one_joins_and_dies, .set_up = set_up,
    .both_done = the_lock_is_freed, .check = check_all_are_gone, .tear_down = tear_down,
    .regions = step_family_regions, .stride = 7,
};

/* ---- a slot whose next member is not the one that was asked about ---- */

static int stay(void)
{
    for (;;) pause();
    return 0;
}

static void set_up_one_to_die(void)
{
    set_up();
    to_die = member_start(stay);
}

static void ask(void)
{
    plait__ask_kernel(PLAIT__MEMBERS_MAX);
}

static void be_the_next(uint32_t slot)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (plait_lock_acquire(notes->lock, PLAIT_NOW) != 0 || plait__self.slot != slot) _exit(1);
    notes->held = 1;
    stay();
}

/* One dies; its slot is repaired; and the next member moves in, and holds the lock. */
static void one_dies_and_one_moves_in(void)
{
    const uint32_t slot = to_die.slot;
    CHECK(kill(to_die.pid, SIGKILL) == 0);
    while (!plait__pulse_fell(slot)) sched_yield();
    CHECK(plait__reap(slot));
    atomic_store(&plait__roster->low, slot);
    const pid_t next = fork();
    if (next == 0) be_the_next(slot);
    notes->holder = next;
    while (!notes->held) CHECK(waitpid(next, NULL, WNOHANG) == 0);
}

static void the_living_hold_what_they_hold(void)
{
    member_kill(&to_die);                                  /* long dead, but not yet waited for */
    MUST(kill(notes->holder, 0) == 0);
    MUST(plait_lock_acquire(notes->lock, PLAIT_NOW) == -ETIMEDOUT);
    MUST(kill(notes->holder, SIGKILL) == 0);
    MUST(plait_lock_acquire(notes->lock, plait_after(10)) == PLAIT_OWNER_DIED);
    MUST(plait_lock_release(notes->lock) == 0);
}

static const struct preempt_case ask_where_another_moves_in = {
    .first = { .run = ask }, .second = one_dies_and_one_moves_in, .set_up = set_up_one_to_die,
    .both_done = the_living_hold_what_they_hold, .check = check_all_are_gone, .tear_down = tear_down,
    .regions = step_family_regions, .stride = 7,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(join_where_one_dies),
    PREEMPT_TEST(ask_where_another_moves_in),
};

TEST_MAIN(tests)
