/* How the last lives of a slot ended is remembered, although there were more of them than there is room for, and although whoever
 * notes a death is killed at it. */
#include "../message/numbers.h"

#include <signal.h>

#include "family/repair.h"
#include "family/roster.h"

/* The entry of the oldest death may be the one that is being written.  (A repairer that dies later costs one more.) */
enum { KNOWN = PLAIT__DEATHS_KEPT - 1, LIVES = 64 };

static struct {
    uint64_t owner;
    uint32_t deaths;                                       /* of earlier lives */
    enum plait__fate fate;
} lives[LIVES];                                            /* the last of them, by their number */

static uint32_t count;                                     /* of lives */
static uint32_t slot;                                      /* of whoever is to die */
static plait_lock *lock;
static struct member dead;

static struct notes {
    _Atomic int there;
    _Atomic uint64_t owner;
} *notes;

static void live(void)
{
    notes->owner = plait__self.owner;
    notes->there = 1;
}

static int stay(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) >= 0);
    live();
    for (;;) pause();
    return 0;
}

static int go(void)
{
    live();
    return 0;
}

static bool is_there(void *unused)
{
    return notes->there != 0;
}

static void remember(enum plait__fate fate)
{
    MUST(!slot || ((uint32_t)notes->owner & 0xffff) == slot);
    slot = (uint32_t)notes->owner & 0xffff;
    lives[count % LIVES].owner = notes->owner;
    lives[count % LIVES].deaths = plait__slot(slot)->deaths;
    lives[count % LIVES].fate = fate;
    count++;
}

/* A life that ends by death, which nobody has noticed yet. */
static void live_and_die(void)
{
    notes->there = 0;
    dead = member_start(stay);
    test_soon(is_there, NULL, "who is to die");
    member_kill(&dead);
    remember(PLAIT__DIED);
}

static void live_and_leave(void)
{
    notes->there = 0;
    member_run(go, "who leaves");
    remember(PLAIT__LEFT);
}

static void fates_are_known(void)
{
    for (uint32_t i = 0; i < count && i < LIVES; i++) {
        if (plait__slot(slot)->deaths - lives[i].deaths >= KNOWN) continue;
        MUST(plait__fate(lives[i].owner) == lives[i].fate);
    }
}

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    if (!lock) lock = plait_lock_new();
    *lock = (plait_lock){ 0 };
    while (count < 2 * PLAIT__DEATHS_KEPT) {
        if (count % 3 == 1) live_and_leave();
        else live_and_die();
        MUST(plait__reap_all() <= 1);
        fates_are_known();
    }
    live_and_leave();
    live_and_die();
}

static void repair(void)
{
    CHECK(plait__reap_all() == 1);
}

static bool nothing_to_see(const struct stepped *repairer)
{
    fates_are_known();
    return true;
}

/* Others die in that slot before anybody asks how the first one ended: it held the lock. */
static void check(const struct stepped *repairer, bool done)
{
    const plait_lock held = *lock;
    fates_are_known();
    plait__reap_all();
    fates_are_known();
    MUST(plait__slot(slot)->life > 0 && atomic_load(&plait__slot(slot)->pid) == 0);
    for (int i = 0; i < 2; i++) {
        *lock = (plait_lock){ 0 };
        live_and_die();
        plait__reap_all();
        fates_are_known();
    }
    *lock = held;
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == PLAIT_OWNER_DIED);
    MUST(plait_lock_release(lock) == 0);
}

/* The roster: nothing else is changed by the end of who had no memory. */
static const struct step_region *roster_region(void)
{
    static struct step_region regions[2];
    regions[0] = step_family_regions()[0];
    return regions;
}

static const struct kill_case repair_after_many_deaths = {
    .operation = { .run = repair },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check,
    .regions = roster_region,
    .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(repair_after_many_deaths),
};

TEST_MAIN(tests)
