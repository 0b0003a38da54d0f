/* Whose a block is: private blocks go with their thread, shared ones stay; anybody may free; memory goes back to the system. */
#include "harness.h"
#include "others.h"

#include <sys/stat.h>

#include <plait/init.h>
#include <plait/arena.h>
#include <plait/error.h>

#include "arena/heap.h"
#include "arena/spans.h"
#include "family/repair.h"

/* What processes tell each other here. */
struct table {
    _Atomic int ready;
    int count;
    uint32_t slot;
    void *blocks[20000];
};

static struct table *new_table(void)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    return test_shared(sizeof(struct table));
}

/* --- freed by others --- */

static int frees_all(void *argument)
{
    struct table *table = argument;
    for (int i = 0; i < table->count; i++) CHECK(plait_free(table->blocks[i]) == 0);
    for (int i = 0; i < table->count; i++) CHECK(plait_free(table->blocks[i]) < 0);
    return 0;
}

static void make_blocks(struct table *table, int count)
{
    static const size_t sizes[] = { 1, 16, 40, 64, 200, 1000, 5000, 33000, 200000 };
    table->count = count;
    for (int i = 0; i < count; i++) {
        assert_non_null(table->blocks[i] = plait_alloc(sizes[i % 9]));
        memset(table->blocks[i], 0xaa, sizes[i % 9]);
    }
}

static void another_process_may_free(void **state)
{
    struct table *table = new_table();
    make_blocks(table, 2000);
    assert_int_equal(test_wait_exit(test_fork(frees_all, table)), 0);
    assert_int_equal(plait__heap_count(0), 0);
    for (int i = 0; i < table->count; i++) assert_true(plait_free(table->blocks[i]) < 0);
    make_blocks(table, 2000);                           /* and its maker has them again */
    assert_int_equal(plait__heap_count(0), 2000);
}

static void another_thread_may_free(void **state)
{
    struct table *table = new_table();
    make_blocks(table, 2000);
    struct test_thread thread;
    test_thread_start(&thread, frees_all, table);
    assert_int_equal(test_thread_join(&thread), 0);
    assert_int_equal(plait__heap_count(0), 0);
}

static void memory_freed_by_others_is_used_again_by_its_maker(void **state)
{
    struct table *table = new_table();
    uint32_t top = 0;
    for (int round = 0; round < 10; round++) {
        table->count = 20000;
        for (int i = 0; i < 20000; i++) table->blocks[i] = plait_alloc(512);
        if (round == 0) top = atomic_load(&plait__arena->top);
        assert_in_range(atomic_load(&plait__arena->top), top, top + 4);
        assert_int_equal(test_wait_exit(test_fork(frees_all, table)), 0);
    }
}

/* --- private blocks --- */

static int has_private_and_shared_ones(void *argument)
{
    struct table *table = argument;
    for (size_t size = 16; size <= 1 << 20; size *= 4) {
        CHECK(plait_message_alloc(size));
        CHECK(plait_alloc(size));
        void *given = plait_message_alloc(size);
        CHECK(plait_block_share(given) == 0);
        memset(given, 'g', size);
        table->blocks[table->count++] = given;
    }
    table->slot = plait__self.slot;
    CHECK(plait__heap_count(table->slot) == 9);
    return 0;
}

static int has_some_and_leaves(void *table)
{
    CHECK(has_private_and_shared_ones(table) == 0);
    plait_leave();
    return 0;
}

static int has_some_and_waits(void *argument)
{
    struct table *table = argument;
    CHECK(has_private_and_shared_ones(table) == 0);
    atomic_store(&table->ready, 1);
    for (;;) pause();
    return 0;
}

static void check_only_shared_ones_are_left(const struct table *table)
{
    assert_int_equal(table->count, 9);
    assert_int_equal(plait__heap_count(table->slot), 0);
    assert_int_equal(plait__heap_count(PLAIT__TAG_SHARED), 18);
    assert_int_equal(plait__heap_count(0), 18);
    for (int i = 0; i < table->count; i++) {
        const char *given = table->blocks[i];
        assert_int_equal(given[0], 'g');
        assert_int_equal(given[15], 'g');
        assert_int_equal(plait_free(table->blocks[i]), 0);
    }
}

static void leaving_frees_private_blocks_only(void **state)
{
    struct table *table = new_table();
    assert_int_equal(has_some_and_leaves(table), 0);
    check_only_shared_ones_are_left(table);
}

static void a_process_that_leaves_frees_its_private_blocks(void **state)
{
    struct table *table = new_table();
    assert_int_equal(test_wait_exit(test_fork(has_some_and_leaves, table)), 0);
    check_only_shared_ones_are_left(table);
}

static void a_thread_that_returns_frees_its_private_blocks(void **state)
{
    struct table *table = new_table();
    struct test_thread thread;
    test_thread_start(&thread, has_private_and_shared_ones, table);
    assert_int_equal(test_thread_join(&thread), 0);
    check_only_shared_ones_are_left(table);
}

static void private_blocks_die_with_a_killed_process(void **state)
{
    struct table *table = new_table();
    const pid_t child = test_fork(has_some_and_waits, table);
    test_until_set(&table->ready);
    assert_int_equal(plait__heap_count(table->slot), 9);
    test_kill(child);
    assert_int_equal(plait__reap_all(), 1);
    check_only_shared_ones_are_left(table);
}

static void private_blocks_die_with_a_process_that_exits_at_once(void **state)
{
    struct table *table = new_table();
    assert_int_equal(test_wait_exit(test_fork(has_private_and_shared_ones, table)), 0);
    assert_int_equal(plait__reap_all(), 1);
    check_only_shared_ones_are_left(table);
}

static int frees_a_private_one_of_its_parent(void *block)
{
    CHECK(plait_block_size(block) >= 100);
    CHECK(plait_free(block) == 0);
    return 0;
}

static void private_blocks_may_be_freed_by_anybody(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    void *block = plait_message_alloc(100);
    assert_int_equal(test_wait_exit(test_fork(frees_a_private_one_of_its_parent, block)), 0);
    assert_int_equal(plait_free(block), PLAIT_EFREED);
}

static int has_none_of_its_own(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    CHECK(plait__heap_count(plait__self.slot) == 0);
    plait_leave();
    return 0;
}

static void a_forked_child_does_not_take_its_parents_blocks_along(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    void *private = plait_message_alloc(100), *large = plait_message_alloc(1 << 20);
    assert_int_equal(test_wait_exit(test_fork(has_none_of_its_own, NULL)), 0);
    assert_int_equal(plait__heap_count(plait__self.slot), 2);
    assert_int_equal(plait_free(private), 0);
    assert_int_equal(plait_free(large), 0);
}

static void the_next_life_of_a_slot_owns_nothing_of_the_last(void **state)
{
    struct table *table = new_table();
    const pid_t child = test_fork(has_some_and_waits, table);
    test_until_set(&table->ready);
    const uint32_t slot = table->slot;
    test_kill(child);
    pid_t heirs[8];                                     /* nobody repairs it before somebody joins there again */
    int count = 0;
    do {
        struct table *next = test_shared(sizeof *next);
        heirs[count] = test_fork(has_some_and_waits, next);
        test_until_set(&next->ready);
        table->slot = next->slot;
        assert_int_equal(plait__heap_count(next->slot), 9);
    } while (++count < 8 && table->slot != slot);
    assert_int_equal(table->slot, slot);
    for (int i = 0; i < count; i++) test_kill(heirs[i]);
}

/* --- whole spans --- */

static blkcnt_t pages_of_arena(void)
{
    struct stat status;
    assert_int_equal(fstat(plait__arena_fd, &status), 0);
    return status.st_blocks;                            /* of 512 bytes */
}

static void memory_goes_back_to_the_system(void **state)
{
    struct table *table = new_table();
    for (size_t size = 64; size <= 4096; size *= 4) {
        const blkcnt_t before = pages_of_arena();
        for (int i = 0; i < 20000; i++) {
            assert_non_null(table->blocks[i] = plait_alloc(size));
            memset(table->blocks[i], 1, size);
        }
        const blkcnt_t full = pages_of_arena();
        assert_true((full - before) * 512 >= (blkcnt_t)(20000 * size));
        for (int i = 0; i < 20000; i++) assert_int_equal(plait_free(table->blocks[i]), 0);
        assert_true(pages_of_arena() - before <= (full - before) / 8 + (1 << 20) / 512);
    }
}

static void a_large_block_goes_back_to_the_system_at_once(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    const blkcnt_t before = pages_of_arena();
    char *block = plait_alloc(64 << 20);
    assert_true(pages_of_arena() - before < 64);        /* it takes memory only where it is touched */
    memset(block, 1, 64 << 20);
    assert_true((pages_of_arena() - before) * 512 >= 64 << 20);
    assert_int_equal(plait_free(block), 0);
    assert_true(pages_of_arena() - before < 64);
}

static void leaving_gives_empty_spans_back(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    const blkcnt_t before = pages_of_arena();
    void *blocks[200];
    for (int i = 0; i < 200; i++) memset(blocks[i] = plait_alloc(1024), 1, 1024);
    for (int i = 0; i < 200; i++) assert_int_equal(plait_free(blocks[i]), 0);
    plait_leave();
    assert_true(pages_of_arena() - before < 64);
}

static int makes_shared_ones(void *argument)
{
    struct table *table = argument;
    for (table->count = 0; table->count < 20000; table->count++)
        CHECK((table->blocks[table->count] = plait_alloc(256)));
    atomic_store(&table->ready, 1);
    for (;;) pause();
    return 0;
}

static void spans_of_the_dead_find_a_new_owner(void **state)
{
    struct table *table = new_table();
    for (int round = 0; round < 5; round++) {
        atomic_store(&table->ready, 0);
        const pid_t child = test_fork(makes_shared_ones, table);
        test_until_set(&table->ready);
        const uint32_t top = atomic_load(&plait__arena->top);
        test_kill(child);
        assert_int_equal(plait__reap_all(), 1);
        for (int i = 0; i < 20000; i += 2) assert_int_equal(plait_free(table->blocks[i]), 0);
        for (int i = 0; i < 20000; i += 2) assert_non_null(table->blocks[i] = plait_alloc(256));
        assert_int_equal(atomic_load(&plait__arena->top), top);
        for (int i = 0; i < 20000; i++) assert_int_equal(plait_free(table->blocks[i]), 0);
    }
    assert_int_equal(plait__heap_count(0), 0);
}

static void memory_of_the_gone_is_given_back_by_who_frees_it(void **state)
{
    struct table *table = new_table();
    const blkcnt_t before = pages_of_arena();
    const pid_t child = test_fork(makes_shared_ones, table);
    test_until_set(&table->ready);
    test_kill(child);
    assert_int_equal(plait__reap_all(), 1);
    assert_true((pages_of_arena() - before) * 512 > 4 << 20);
    for (int i = 0; i < 20000; i++) assert_int_equal(plait_free(table->blocks[i]), 0);
    assert_true((pages_of_arena() - before) * 512 < 2 << 20);
}

/* --- many at once --- */

static int allocs_and_frees_at_random(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    unsigned char *blocks[64] = { 0 };
    for (int i = 0; i < 30000; i++) {
        const int at = (int)(test_random(&random) % 64);
        if (blocks[at]) {
            CHECK(blocks[at][0] == at && blocks[at][15] == at);
            CHECK(plait_free(blocks[at]) == 0);
            blocks[at] = NULL;
            continue;
        }
        const size_t size = 16 + test_random(&random) % (i % 100 ? 1000 : 150000);
        CHECK((blocks[at] = plait_alloc(size)));
        CHECK(blocks[at][0] == 0 && blocks[at][15] == 0 && blocks[at][size - 1] == 0);
        memset(blocks[at], at, size);
    }
    for (int at = 0; at < 64; at++)
        if (blocks[at]) CHECK(plait_free(blocks[at]) == 0);
    return 0;
}

static void processes_and_threads_allocate_at_the_same_time(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    const uint64_t seed = test_seed();
    pid_t children[3];
    struct test_thread threads[3];
    for (int i = 0; i < 3; i++) children[i] = test_fork(allocs_and_frees_at_random, (void *)(uintptr_t)(seed + i));
    for (int i = 0; i < 3; i++) test_thread_start(&threads[i], allocs_and_frees_at_random, (void *)(uintptr_t)(seed - i));
    for (int i = 0; i < 3; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(test_wait_exit(children[i]), 0);
    plait__reap_all();
    assert_int_equal(plait__heap_count(0), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(another_process_may_free),
    cmocka_unit_test(another_thread_may_free),
    cmocka_unit_test(memory_freed_by_others_is_used_again_by_its_maker),
    cmocka_unit_test(leaving_frees_private_blocks_only),
    cmocka_unit_test(a_process_that_leaves_frees_its_private_blocks),
    cmocka_unit_test(a_thread_that_returns_frees_its_private_blocks),
    cmocka_unit_test(private_blocks_die_with_a_killed_process),
    cmocka_unit_test(private_blocks_die_with_a_process_that_exits_at_once),
    cmocka_unit_test(private_blocks_may_be_freed_by_anybody),
    cmocka_unit_test(a_forked_child_does_not_take_its_parents_blocks_along),
    cmocka_unit_test(the_next_life_of_a_slot_owns_nothing_of_the_last),
    cmocka_unit_test(memory_goes_back_to_the_system),
    cmocka_unit_test(a_large_block_goes_back_to_the_system_at_once),
    cmocka_unit_test(leaving_gives_empty_spans_back),
    cmocka_unit_test(spans_of_the_dead_find_a_new_owner),
    cmocka_unit_test(memory_of_the_gone_is_given_back_by_who_frees_it),
    cmocka_unit_test(processes_and_threads_allocate_at_the_same_time),
};
TEST_MAIN(tests)
