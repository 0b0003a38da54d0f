/* Values, arrays and named memory whose user is killed after every instruction: a number is the old or the new one, an addition has
 * happened or not, who comes next gets the lock and is told if there may be something half done, and a name is that of something
 * whole. */
#include "kill.h"
#include "names.h"

#include <string.h>

#include <plait.h>

static plait_shared_value *value;
static plait_shared_array *array;
static bool was_held;

enum { ITEMS = 6 };

static void set_up_with(const plait_shared_options *options)
{
    value = plait_shared_value_new('q', &(long long){ 5 }, options);
    array = plait_shared_array_new('i', ITEMS, NULL, NULL);
    assert_true(value && array);
}

static void set_up(void)
{
    set_up_with(NULL);
}

static void set_up_without_lock(void)
{
    set_up_with(&(plait_shared_options){ .no_lock = 1 });
}

static void tear_down(void)
{
    MUST(plait_shared_value_free(value) == 0);
    MUST(plait_shared_array_free(array) == 0);
}

static bool holds(const struct stepped *victim, const plait_rlock *lock)
{
    return lock && (lock->word & ~(UINT64_C(1) << 31)) == victim->owner;
}

static const struct step_region *objects_and_family(void)
{
    static struct step_region regions[4];
    regions[0] = (struct step_region){ value, plait_block_size(value) };
    regions[1] = (struct step_region){ array, plait_block_size(array) };
    regions[2] = step_family_regions()[0];
    return regions;
}

/* ---- one number ---- */

static void add_one(void)
{
    CHECK(plait_shared_value_add_int(value, 1, NULL, PLAIT_FOREVER) == 0);
}

static void set_six(void)
{
    CHECK(plait_shared_value_set_int(value, 6, PLAIT_FOREVER) == 0);
}

static bool is_six(const struct stepped *victim)
{
    was_held = holds(victim, plait_shared_value_get_lock(value));
    const long long now = *(const long long *)plait_shared_value_get_obj(value);
    MUST(now == 5 || now == 6 || now == 16);               /* 16: and who waited has added */
    return now != 5;
}

/* What the dead one did stays, and the next one adds to it. */
static void check_next_sum(const struct stepped *victim, bool done)
{
    int64_t sum = 0;
    MUST(plait_shared_value_add_int(value, 10, &sum, plait_after(10)) == (was_held ? PLAIT_OWNER_DIED : 0));
    MUST(sum == (done ? 16 : 15));
    MUST(plait_shared_value_get_int(value, &sum, PLAIT_NOW) == 0 && sum == (done ? 16 : 15));
}

static const struct kill_case add = {
    .operation = { .run = add_one }, .set_up = set_up, .look = is_six, .check = check_next_sum, .tear_down = tear_down,
    .regions = objects_and_family,
};

static const struct kill_case set = {
    .operation = { .run = set_six }, .set_up = set_up, .look = is_six, .check = check_next_sum, .tear_down = tear_down,
    .regions = objects_and_family,
};

static const struct kill_case add_without_a_lock = {
    .operation = { .run = add_one }, .set_up = set_up_without_lock, .look = is_six, .check = check_next_sum, .tear_down = tear_down,
    .regions = objects_and_family,
};

/* ---- one number, and somebody waits ---- */

static struct member waiter;
static struct notes {
    _Atomic int got;
    int64_t sum;
} *notes;

static bool somebody_has_it(void *unused)
{
    return plait_shared_value_get_lock(value)->word != 0;
}

static int add_after_the_victim(void)
{
    test_until(somebody_has_it, NULL);
    notes->got = plait_shared_value_add_int(value, 10, &notes->sum, PLAIT_FOREVER);
    return 0;
}

static void set_up_waiter(void)
{
    set_up();
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ .got = -1 };
    waiter = member_start(add_after_the_victim);
}

/* The victim has the lock (Python: with value.get_lock()), and adds when the other sleeps. */
static void acquire_and_wait(void)
{
    CHECK(plait_shared_value_acquire(value, PLAIT_NOW) == 0);
    member_until_sleeps(&waiter);
}

static void add_and_release(void)
{
    CHECK(plait_shared_value_add_int(value, 1, NULL, PLAIT_FOREVER) == 0);
    CHECK(plait_shared_value_release(value) == 0);
}

static void check_waiter(const struct stepped *victim, bool done)
{
    MUST(member_wait(&waiter, "who waits for the lock") == 0);
    MUST(notes->got == (was_held ? PLAIT_OWNER_DIED : 0));
    MUST(notes->sum == (done ? 16 : 15));
}

static const struct kill_case add_before_a_waiter = {
    .operation = { .prepare = acquire_and_wait, .run = add_and_release }, .set_up = set_up_waiter, .look = is_six,
    .check = check_waiter, .tear_down = tear_down, .regions = objects_and_family,
};

/* ---- a slice ---- */

static const int sevens[3] = { 7, 7, 7 };

static void set_slice(void)
{
    CHECK(plait_shared_array_set_slice(array, 1, ITEMS, 2, sevens, 3, PLAIT_FOREVER) == 0);
}

/* Each item is the old or the new one; and if there are both, the lock is held. */
static bool slice_is_set(const struct stepped *victim)
{
    const int *items = plait_shared_array_get_obj(array);
    int changed = 0;
    was_held = holds(victim, plait_shared_array_get_lock(array));
    for (int i = 0; i < ITEMS; i++) {
        MUST(items[i] == 0 || (i % 2 && items[i] == 7));
        changed += items[i] == 7;
    }
    MUST(changed == 0 || changed == 3 || was_held);
    return changed == 3;
}

static void check_next_slice(const struct stepped *victim, bool done)
{
    int items[3];
    MUST(plait_shared_array_get_slice(array, 1, ITEMS, 2, items, 3, plait_after(10)) == (was_held ? PLAIT_OWNER_DIED : 0));
    if (!was_held) MUST(items[0] == items[2] && items[0] == (done ? 7 : 0));
    MUST(plait_shared_array_set_slice(array, 1, ITEMS, 2, sevens, 3, PLAIT_NOW) == 0);
    MUST(plait_shared_array_get_slice(array, 1, ITEMS, 2, items, 3, PLAIT_NOW) == 0 && items[1] == 7);
}

static const struct kill_case slice = {
    .operation = { .run = set_slice }, .set_up = set_up, .look = slice_is_set, .check = check_next_slice, .tear_down = tear_down,
    .regions = objects_and_family,
};

/* ---- named memory: others find it whole or not at all, and it outlives its maker ---- */

static char name[NAME_SIZE];

static void set_up_name(void)
{
    name_of(name, "killed");
}

/* What the dynamic loader does at the first calls is not to be stepped through. */
static void make_another(void)
{
    const plait_list_item item = plait_item_str("x");
    plait_shared_memory *memory = plait_shared_memory_create(NULL, 5000);
    plait_shareable_list *list = plait_shareable_list_create(NULL, &item, 1);
    CHECK(memory && plait_shared_memory_unlink(memory) == 0 && plait_shared_memory_free(memory) == 0);
    CHECK(list && plait_shared_memory_unlink(plait_shareable_list_shm(list)) == 0 && plait_shareable_list_free(list) == 0);
}

static bool has_name(const struct stepped *victim)
{
    return is_there(name);
}

static void must_not_be_there(void)
{
    MUST(!plait_shared_memory_attach(name) && errno == ENOENT);
}

static void make_memory(void)
{
    CHECK(plait_shared_memory_create(name, 5000));
}

static void check_memory(const struct stepped *victim, bool there)
{
    if (!there) {
        must_not_be_there();
        return;
    }
    plait_shared_memory *memory = plait_shared_memory_attach(name);
    MUST(memory && plait_shared_memory_size(memory) == 5000);
    MUST(plait_shared_memory_unlink(memory) == 0 && plait_shared_memory_free(memory) == 0);
}

static const struct kill_case make_named_memory = {
    .operation = { .prepare = make_another, .run = make_memory }, .set_up = set_up_name, .look = has_name, .check = check_memory,
    .regions = step_family_regions, .long_one = true,
};

static void make_list(void)
{
    const plait_list_item items[] = { plait_item_int(1), plait_item_str("two"), plait_item_float(3) };
    CHECK(plait_shareable_list_create(name, items, 3));
}

static void check_list(const struct stepped *victim, bool there)
{
    char text[100];
    if (!there) {
        must_not_be_there();
        return;
    }
    plait_shareable_list *list = plait_shareable_list_attach(name);
    MUST(list && plait_shareable_list_repr(list, text, sizeof text) > 0);
    MUST(strstr(text, "([1, 'two', 3.0], "));
    MUST(plait_shared_memory_unlink(plait_shareable_list_shm(list)) == 0 && plait_shareable_list_free(list) == 0);
}

static const struct kill_case make_a_list = {
    .operation = { .prepare = make_another, .run = make_list }, .set_up = set_up_name, .look = has_name, .check = check_list,
    .regions = step_family_regions, .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(add),
    KILL_TESTS(set),
    KILL_TESTS(add_without_a_lock),
    KILL_TESTS(add_before_a_waiter),
    KILL_TESTS(slice),
    /* Other members have no part in these, stopped or not. */
    { "make_named_memory", kill_at_every_point, NULL, NULL, (void *)&make_named_memory },
    { "make_a_list", kill_at_every_point, NULL, NULL, (void *)&make_a_list },
};

TEST_MAIN(tests)
