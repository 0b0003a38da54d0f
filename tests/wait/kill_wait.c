/* A member that waits for many things, or wakes one who does, is killed after every instruction: nobody else sleeps beside what is
 * ready, and no bell stays. */
#include "kill.h"

#include <fcntl.h>
#include <signal.h>

#include <plait.h>

#include "base/deadline.h"
#include "base/fault.h"
#include "family/bell.h"
#include "family/roster.h"

static plait_queue *queue;
static plait_event *event;
static plait_semaphore *semaphore;
static int pipe_ends[2];

static struct notes {
    _Atomic int ready, got;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    plait__test_round = 60 * PLAIT__SECOND;                /* nobody gets up without being woken */
    if (!event) event = plait_event_new();
    if (!semaphore) semaphore = plait_semaphore_new(0);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    queue = plait_queue_new(&(plait_queue_options){ .capacity = 1024 });
    assert_true(event && semaphore && queue);
    *event = (plait_event){ 0 };
    plait_semaphore_init(semaphore, 0);
}

static uint32_t bells_in_use(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < atomic_load(&plait__roster->bells); i++) count += atomic_load(&plait__roster->bell[i].owner) != 0;
    return count;
}

static void tear_down(void)
{
    MUST(bells_in_use() == 0);
    MUST(plait_queue_free(queue) == 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static const struct step_region *all_of_it(void)
{
    static struct step_region regions[6];
    regions[0] = (struct step_region){ queue, 512 };
    regions[1] = (struct step_region){ event, sizeof *event };
    regions[2] = (struct step_region){ semaphore, sizeof *semaphore };
    regions[3] = (struct step_region){ plait__roster->bell, 3 * sizeof *plait__roster->bell };
    regions[4] = step_family_regions()[0];
    return regions;
}

/* ---- who waits ---- */

static int wait_for(bool with_descriptor)
{
    plait_waitable things[] = {
        { PLAIT_WAIT_EVENT, .object = event }, { PLAIT_WAIT_QUEUE, .object = queue }, { PLAIT_WAIT_SEMAPHORE, .object = semaphore },
        { PLAIT_WAIT_FD, .fd = pipe_ends[0] },
    };
    const int ready = plait_wait(things, with_descriptor ? 4 : 3, PLAIT_FOREVER);
    CHECK(ready > 0);
    return ready;
}

static void wait_on_words(void)
{
    notes->ready = wait_for(false);
}

static void wait_on_both(void)
{
    notes->ready = wait_for(true);
}

static int beside_on_words(void)
{
    CHECK(wait_for(false) > 0);
    return 0;
}

static int beside_on_both(void)
{
    CHECK(wait_for(true) > 0);
    return 0;
}

static int beside_gets(void)
{
    char byte;
    CHECK(plait_queue_get(queue, &byte, 1, PLAIT_FOREVER) == 1);
    notes->got++;
    return 0;
}

static bool is_told(const struct stepped *victim)
{
    return notes->ready != 0;
}

static struct member others[3];
static bool woken;

static void start_others(void)
{
    others[0] = member_start(beside_on_words);
    others[1] = member_start(beside_on_both);
    others[2] = member_start(beside_gets);
    for (int i = 0; i < 3; i++) member_until_sleeps(&others[i]);
}

static void set_up_asleep(void)
{
    set_up();
    woken = false;
}

/* The victim sleeps, and is the first to be woken, in the place of the getter; the other two hear of it, too. */
static void put_it(void)
{
    start_others();
    MUST(plait_queue_put(queue, "x", 1, PLAIT_NOW) == 0);
    woken = true;
}

/* The getter has the message, although the victim may have been woken for it; the others are told of that or of the event. */
static void check_others(const struct stepped *victim, bool done)
{
    member_until_repaired(victim->slot);                   /* before another lives there */
    if (!woken) put_it();
    MUST(member_wait(&others[2], "the getter") == 0);
    MUST(notes->got == 1 && plait_queue_qsize(queue) == 0);
    MUST(plait_event_set(event) == 0);
    for (int i = 0; i < 2; i++) MUST(member_wait(&others[i], "another waiter") == 0);
    member_all_leave();
}

#define WAIT_CASE(name, operation_)                                                                   \
    static const struct kill_case name = {                                                            \
        .operation = { .run = operation_, .wake = put_it },                                           \
        .set_up = set_up_asleep,                                                                      \
        .look = is_told,                                                                              \
        .check = check_others,                                                                        \
        .tear_down = tear_down,                                                                       \
        .regions = all_of_it,                                                                         \
        .long_one = true,                                                                             \
    }

WAIT_CASE(wait_for_words, wait_on_words);
WAIT_CASE(wait_for_both, wait_on_both);

/* ---- who wakes ---- */

static struct member sleepers[2];

static void set_up_sleepers(void)
{
    set_up();
    sleepers[0] = member_start(beside_on_words);
    sleepers[1] = member_start(beside_on_both);
    for (int i = 0; i < 2; i++) member_until_sleeps(&sleepers[i]);
}

static void set_it(void)
{
    CHECK(plait_event_set(event) == 0);
}

static void put_a_byte(void)
{
    CHECK(plait_queue_put(queue, "x", 1, PLAIT_FOREVER) == 0);
}

static void release_it(void)
{
    CHECK(plait_semaphore_release(semaphore) == 0);
}

static bool is_set(const struct stepped *victim)
{
    return plait_event_is_set(event) == 1;
}

static bool is_put(const struct stepped *victim)
{
    return plait_queue_qsize(queue) == 1;
}

static bool is_released(const struct stepped *victim)
{
    return plait_semaphore_get_value(semaphore) == 1;
}

static void check_sleepers(const struct stepped *victim, bool done)
{
    if (!done) MUST(plait_event_set(event) == 0);
    for (int i = 0; i < 2; i++) MUST(member_wait(&sleepers[i], "a sleeper, beside what is ready") == 0);
    member_all_leave();
}

#define WAKE_CASE(name, operation_, look_, long_)                                                     \
    static const struct kill_case name = {                                                            \
        .operation = { .run = operation_ },                                                           \
        .set_up = set_up_sleepers,                                                                    \
        .look = look_,                                                                                \
        .check = check_sleepers,                                                                      \
        .tear_down = tear_down,                                                                       \
        .regions = all_of_it,                                                                         \
        .long_one = long_,                                                                            \
    }

WAKE_CASE(set, set_it, is_set, false);
WAKE_CASE(put, put_a_byte, is_put, true);
WAKE_CASE(release, release_it, is_released, false);

/* ---- a watch ---- */

static void watch_and_check(void)
{
    plait_waitable things[] = { { PLAIT_WAIT_QUEUE, .object = queue }, { PLAIT_WAIT_FD, .fd = pipe_ends[0] } };
    plait_watch *watch = plait_watch_new(things, 2);
    CHECK(watch && plait_watch_check(watch, NULL, 0) == 0 && plait_watch_free(watch) == 0);
}

static void check_bells(const struct stepped *victim, bool done)
{
    member_until_repaired(victim->slot);
    MUST(plait_queue_put(queue, "x", 1, PLAIT_NOW) == 0);
}

static const struct kill_case watch = {
    .operation = { .run = watch_and_check },
    .set_up = set_up,
    .check = check_bells,
    .tear_down = tear_down,
    .regions = all_of_it,
    .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(wait_for_words), KILL_TESTS(wait_for_both), KILL_TESTS(set), KILL_TESTS(put), KILL_TESTS(release), KILL_TESTS(watch),
};

TEST_MAIN_WITHIN(tests, 300)
