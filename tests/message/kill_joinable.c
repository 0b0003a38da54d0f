/* A joinable queue whose user is killed after every instruction.  What must hold for the survivors: every task that was put is
 * unfinished once, until it is done; what the dead one had not done comes back; nobody joins for ever beside a queue at rest, and
 * nobody's join ends before it is. */
#include "numbers.h"

#include <signal.h>

#define SOON plait_after(10)
#define AT_LAST plait_after(20)

static plait_queue *queue;
static uint32_t puts_before, gets_before, done_before;     /* the victim came */

static struct notes {
    _Atomic int joined, worked;                            /* how many joins have ended, tasks the worker took */
    _Atomic int go;
    _Atomic long last;                                     /* what it took last */
} *notes;

static uint32_t done_of(void)
{
    uint64_t word;
    return plait__look_at_number(&queue->done, &word);
}

static void set_up(int tasks)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    MUST(queue = plait_queue_new(&(plait_queue_options){ .joinable = 1 }));
    for (int i = 1; i <= tasks; i++) MUST(put_number(queue, (uint64_t)i, PLAIT_NOW) == 0);
    puts_before = puts_of(queue);
    gets_before = gets_of(queue);
    done_before = done_of();
}

static void set_up_none(void) { set_up(0); }
static void set_up_one(void) { set_up(1); }
static void set_up_two(void) { set_up(2); }

static void tear_down(void)
{
    MUST(plait_queue_free(queue) == 0);
}

static const struct step_region *queue_and_family(void)
{
    return step_object_and_roster(queue, sizeof *queue);
}

static bool has_put(const struct stepped *victim) { return puts_of(queue) != puts_before; }
static bool has_taken(const struct stepped *victim) { return gets_of(queue) != gets_before; }
static bool nothing_to_see(const struct stepped *victim) { return true; }

static struct plait__record *first_record(void)
{
    struct plait__walk walk = plait__walk_from(queue, &queue->done, queue->done.word);
    return plait__record_at(queue, &walk);
}

/* Its record is told to be settled (the third state behind WAITING), or is behind us. */
static bool has_done(const struct stepped *victim)
{
    return done_of() != done_before || (atomic_load(&first_record()->holder) >> 24 & 0xff) == 3;
}

/* ---- the others ---- */

/* This number comes next, and counts as unfinished until it is done. */
static void must_work(long number)
{
    MUST(plait_queue_join(queue, PLAIT_NOW) == -ETIMEDOUT);
    MUST(get_number(queue, SOON) == number);
    MUST(plait_queue_join(queue, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait_queue_task_done(queue) == 0);
}

static void must_rest(void)
{
    MUST(plait_queue_join(queue, PLAIT_NOW) == 0);
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait_queue_task_done(queue) == PLAIT_ENOLEASE);
    MUST(plait__same_place(queue->done.word, queue->tail.word));
}

static int join_it(void)
{
    CHECK(plait_queue_join(queue, AT_LAST) == 0);
    notes->joined++;
    return 0;
}

/* The worker ends with the number 99. */
static int work(void)
{
    do {
        notes->last = get_number(queue, AT_LAST);
        CHECK(notes->last > 0);
        notes->worked++;
        CHECK(plait_queue_task_done(queue) == 0);
    } while (notes->last != 99);
    return 0;
}

static struct member joiner, worker;

static void start_joiner(void)
{
    joiner = member_start(join_it);
    member_until_sleeps(&joiner);
}

static void start_worker(void)
{
    worker = member_start(work);
    member_until_sleeps(&worker);
}

static void end_worker(void)
{
    MUST(put_number(queue, 99, SOON) == 0);
    MUST(member_wait(&worker, "the worker") == 0);
    MUST(plait_queue_join(queue, SOON) == 0);
}

/* ---- put ---- */

static void put_1(void) { CHECK(put_number(queue, 1, PLAIT_FOREVER) == 0); }
static void put_3(void) { CHECK(put_number(queue, 3, PLAIT_FOREVER) == 0); }

static void check_put(const struct stepped *victim, bool was_put)
{
    if (was_put) must_work(1);
    must_rest();
}

static const struct kill_case put = {
    .operation = { .run = put_1 },
    .set_up = set_up_none, .look = has_put, .check = check_put, .tear_down = tear_down, .regions = queue_and_family,
};

static void set_up_joiner(void)
{
    set_up_two();
    start_joiner();
}

static void check_put_beside_a_joiner(const struct stepped *victim, bool was_put)
{
    must_work(1);
    must_work(2);
    if (was_put) {
        MUST(notes->joined == 0);
        must_work(3);
    }
    MUST(member_wait(&joiner, "the joiner") == 0);
    must_rest();
}

static const struct kill_case put_beside_a_joiner = {
    .operation = { .run = put_3 },
    .set_up = set_up_joiner, .look = has_put, .check = check_put_beside_a_joiner, .tear_down = tear_down,
    .regions = queue_and_family,
};

static void set_up_worker(void)
{
    set_up_none();
    start_worker();
}

static void check_put_to_a_worker(const struct stepped *victim, bool was_put)
{
    MUST(plait_queue_join(queue, SOON) == 0);
    MUST(notes->worked == was_put);
    end_worker();
}

static const struct kill_case put_to_a_worker = {
    .operation = { .run = put_1 },
    .set_up = set_up_worker, .look = has_put, .check = check_put_to_a_worker, .tear_down = tear_down,
    .regions = queue_and_family,
};

/* ---- get ---- */

static void get_1(void) { CHECK(get_number(queue, PLAIT_FOREVER) == 1); }

/* Otherwise to make the first block of that size takes longer than all the rest. */
static void have_block(void)
{
    CHECK(plait_message_alloc(400));
}

/* Its first get: the thread makes a block to remember its tasks in. */
static void check_get(const struct stepped *victim, bool taken)
{
    member_until_repaired(victim->slot);
    must_work(1);
    must_work(2);
    must_rest();
}

static const struct kill_case get = {
    .operation = { .prepare = have_block, .run = get_1 },
    .set_up = set_up_two, .look = has_taken, .check = check_get, .tear_down = tear_down, .regions = queue_and_family,
    .long_one = true,
};

static void get_both(void)
{
    CHECK(get_number(queue, PLAIT_NOW) == 1 && get_number(queue, PLAIT_NOW) == 2);
}

static void finish_1(void) { CHECK(plait_queue_task_done(queue) == 0); }

static bool may_go(void *unused)
{
    return atomic_load(&notes->go);
}

static int work_when_told(void)
{
    test_until(may_go, NULL);
    return work();
}

static void set_up_joiner_and_late_worker(void)
{
    set_up_joiner();
    worker = member_start(work_when_told);
}

static void check_get_beside_a_joiner(const struct stepped *victim, bool taken)
{
    notes->go = 1;
    MUST(member_wait(&joiner, "the joiner") == 0);
    MUST(notes->worked >= 2);
    end_worker();
}

static const struct kill_case get_beside_a_joiner = {
    .operation = { .prepare = have_block, .run = get_1 },
    .set_up = set_up_joiner_and_late_worker, .look = has_taken, .check = check_get_beside_a_joiner, .tear_down = tear_down,
    .regions = queue_and_family, .long_one = true,
};

/* ---- task_done ---- */

static void check_done(const struct stepped *victim, bool done)
{
    member_until_repaired(victim->slot);
    if (!done) must_work(1);
    must_rest();
}

static const struct kill_case task_done = {
    .operation = { .prepare = get_1, .run = finish_1 },
    .set_up = set_up_one, .look = has_done, .check = check_done, .tear_down = tear_down, .regions = queue_and_family,
};

static void check_done_of_two(const struct stepped *victim, bool done)
{
    member_until_repaired(victim->slot);
    if (!done) must_work(1);
    must_work(2);
    must_rest();
}

static const struct kill_case task_done_of_two = {
    .operation = { .prepare = get_both, .run = finish_1 },
    .set_up = set_up_two, .look = has_done, .check = check_done_of_two, .tear_down = tear_down, .regions = queue_and_family,
};

static void set_up_one_and_joiner(void)
{
    set_up_one();
    start_joiner();
}

/* The joiner's end does not need anybody else, unless the task comes back. */
static void check_done_beside_a_joiner(const struct stepped *victim, bool done)
{
    if (!done) {
        member_until_repaired(victim->slot);
        MUST(notes->joined == 0);
        must_work(1);
    }
    MUST(member_wait(&joiner, "the joiner") == 0);
    must_rest();
}

static const struct kill_case task_done_beside_a_joiner = {
    .operation = { .prepare = get_1, .run = finish_1 },
    .set_up = set_up_one_and_joiner, .look = has_done, .check = check_done_beside_a_joiner, .tear_down = tear_down,
    .regions = queue_and_family,
};

/* The victim takes the task, then another worker falls asleep: that gets what comes back. */
static bool victim_has_taken(void *unused)
{
    return gets_of(queue) != gets_before;
}

static int work_after_the_victim(void)
{
    test_until(victim_has_taken, NULL);
    return work();
}

static void set_up_joiner_and_other_worker(void)
{
    set_up_one_and_joiner();
    worker = member_start(work_after_the_victim);
}

static void get_1_and_wait(void)
{
    get_1();
    member_until_sleeps(&worker);
}

static void check_done_beside_both(const struct stepped *victim, bool done)
{
    MUST(member_wait(&joiner, "the joiner") == 0);
    MUST(notes->worked == !done);
    end_worker();
}

static const struct kill_case task_done_beside_both = {
    .operation = { .prepare = get_1_and_wait, .run = finish_1 },
    .set_up = set_up_joiner_and_other_worker, .look = has_done, .check = check_done_beside_both, .tear_down = tear_down,
    .regions = queue_and_family,
};

/* ---- join ---- */

static void join_at_once(void) { CHECK(plait_queue_join(queue, PLAIT_FOREVER) == 0); }

static void check_join(const struct stepped *victim, bool unused)
{
    must_rest();
    MUST(put_number(queue, 1, PLAIT_NOW) == 0);
    must_work(1);
    must_rest();
}

static const struct kill_case join = {
    .operation = { .run = join_at_once },
    .set_up = set_up_none, .look = nothing_to_see, .check = check_join, .tear_down = tear_down, .regions = queue_and_family,
};

/* It sleeps and is woken; another joins beside it. */
static void wake_joiners(void)
{
    must_work(1);
}

static void check_join_asleep(const struct stepped *victim, bool unused)
{
    if (notes->joined == 0 && plait_queue_join(queue, PLAIT_NOW)) must_work(1);
    MUST(member_wait(&joiner, "the joiner") == 0);
    must_rest();
}

static const struct kill_case join_beside_another = {
    .operation = { .run = join_at_once, .wake = wake_joiners },
    .set_up = set_up_one_and_joiner, .look = nothing_to_see, .check = check_join_asleep, .tear_down = tear_down,
    .regions = queue_and_family, .long_one = true,
};

/* With PLAIT_NOW it looks who has the tasks. */
static void join_in_vain(void) { CHECK(plait_queue_join(queue, PLAIT_NOW) == -ETIMEDOUT); }

static void take_the_first(void)
{
    MUST(get_number(queue, PLAIT_NOW) == 1);
}

static void set_up_taken(void)
{
    set_up_two();
    take_the_first();
}

static void check_join_in_vain(const struct stepped *victim, bool unused)
{
    MUST(plait_queue_task_done(queue) == 0);
    must_work(2);
    must_rest();
}

static const struct kill_case join_that_tells = {
    .operation = { .run = join_in_vain },
    .set_up = set_up_taken, .look = nothing_to_see, .check = check_join_in_vain, .tear_down = tear_down,
    .regions = queue_and_family, .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(put),
    KILL_TESTS(put_beside_a_joiner),
    KILL_TESTS(put_to_a_worker),
    KILL_TESTS(get),
    KILL_TESTS(get_beside_a_joiner),
    KILL_TESTS(task_done),
    KILL_TESTS(task_done_of_two),
    KILL_TESTS(task_done_beside_a_joiner),
    KILL_TESTS(task_done_beside_both),
    KILL_TESTS(join),
    KILL_TESTS(join_beside_another),
    KILL_TESTS(join_that_tells),
};

TEST_MAIN(tests)
