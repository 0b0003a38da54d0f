/* A full arena: everybody gets ENOMEM, nothing is lost, and it works again after a free. */
#include "harness.h"
#include "others.h"

#include <plait/init.h>
#include <plait/arena.h>
#include <plait/error.h>
#include <plait/lock.h>
#include <plait/queue.h>

#include "arena/heap.h"
#include "arena/spans.h"

#define SMALL_ARENA (64u << 20)

/* Blocks in a list through their first words. */
struct node {
    struct node *next;
};

/* All blocks of that size there are.  How many. */
static size_t fill(struct node **list, size_t size)
{
    size_t count = 0;
    errno = 0;
    for (struct node *block; (block = plait_alloc(size)); count++) {
        block->next = *list;
        *list = block;
    }
    assert_int_equal(errno, ENOMEM);
    assert_true(strlen(plait_error_detail()) > 0);
    return count;
}

static void free_all(struct node **list)
{
    while (*list) {
        struct node *block = *list;
        *list = block->next;
        assert_int_equal(plait_free(block), 0);
    }
}

static void begin(void)
{
    plait__test_arena_size = SMALL_ARENA;
    assert_int_equal(plait_init(NULL, NULL), 0);
}

/* Fill, free and fill again gives as many. */
static void fill_thrice(size_t size)
{
    struct node *list = NULL;
    begin();
    const size_t count = fill(&list, size);
    assert_true(count * size > SMALL_ARENA / 2);
    assert_int_equal(plait__heap_count(0), count);
    for (int round = 0; round < 2; round++) {
        free_all(&list);
        assert_int_equal(plait__heap_count(0), 0);
        assert_int_equal(fill(&list, size), count);
        assert_int_equal(plait__heap_count(0), count);
    }
    free_all(&list);
}

static void small_blocks_fill_it(void **state) { fill_thrice(64); }
static void odd_blocks_fill_it(void **state) { fill_thrice(1000); }
static void the_largest_small_blocks_fill_it(void **state) { fill_thrice(32768); }
static void blocks_of_one_span_fill_it(void **state) { fill_thrice(65536); }
static void large_blocks_fill_it(void **state) { fill_thrice(200000); }
static void very_large_blocks_fill_it(void **state) { fill_thrice(5 << 20); }

static void one_free_is_enough_to_go_on(void **state)
{
    static const size_t sizes[] = { 16, 64, 3000, 32768, 65536, 1 << 20 };
    begin();
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct node *list = NULL;
        fill(&list, sizes[i]);
        for (int round = 0; round < 20; round++) {
            struct node *block = list;
            list = block->next;
            assert_int_equal(plait_free(block), 0);
            assert_non_null(block = plait_alloc(sizes[i]));
            assert_null(plait_alloc(sizes[i]));
            block->next = list;
            list = block;
        }
        free_all(&list);
        assert_int_equal(plait__heap_count(0), 0);
    }
}

static void nothing_can_be_made_in_it(void **state)
{
    struct node *list = NULL;
    begin();
    fill(&list, 65536);
    fill(&list, 64);
    const size_t live = plait__heap_count(0);
    errno = 0;
    assert_null(plait_queue_new(NULL));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(plait_queue_new(&(plait_queue_options){ .capacity = 1024 }));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(plait_lock_new());
    assert_int_equal(errno, ENOMEM);
    assert_null(plait_message_alloc(1));
    assert_int_equal(plait__heap_count(0), live);
    free_all(&list);
    plait_queue *queue = plait_queue_new(NULL);
    plait_lock *lock = plait_lock_new();
    assert_non_null(queue);
    assert_non_null(lock);
    assert_int_equal(plait_queue_free(queue), 0);
    assert_int_equal(plait_lock_free(lock), 0);
    assert_int_equal(plait__heap_count(0), 0);
}

static void what_was_made_before_works_in_it(void **state)
{
    struct node *list = NULL;
    begin();
    plait_queue *queue = plait_queue_new(NULL);
    plait_lock *lock = plait_lock_new();
    fill(&list, 64);
    char buffer[5000] = "";
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(plait_queue_put(queue, buffer, sizeof buffer, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_get(queue, buffer, sizeof buffer, PLAIT_NOW), sizeof buffer);
        assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
        assert_int_equal(plait_lock_release(lock), 0);
    }
    free_all(&list);
    assert_int_equal(plait_queue_free(queue), 0);
    assert_int_equal(plait_lock_free(lock), 0);
}

/* How many spans of 64 KiB are free: all of them, when nobody has anything. */
static size_t count_spans(void)
{
    struct node *list = NULL;
    const size_t count = fill(&list, 65536);
    free_all(&list);
    return count;
}

static void memory_freed_in_one_size_serves_every_other(void **state)
{
    begin();
    const size_t spans = count_spans();
    for (size_t size = 16; size <= 32768; size *= 2) {
        struct node *list = NULL;
        fill(&list, size);
        free_all(&list);
        assert_int_equal(count_spans(), spans);
    }
}

static void a_little_memory_freed_in_one_size_serves_another(void **state)
{
    struct node *large = NULL, *small = NULL;
    begin();
    fill(&large, 65536);
    for (int i = 0; i < 10; i++) {                      /* ten spans, less than is looked for regularly */
        struct node *block = large;
        large = block->next;
        assert_int_equal(plait_free(block), 0);
    }
    fill(&small, 512);
    free_all(&small);
    void *other = plait_alloc(2048), *larger = plait_alloc(100000);
    assert_non_null(other);
    assert_non_null(larger);
    assert_int_equal(plait_free(other), 0);
    assert_int_equal(plait_free(larger), 0);
    free_all(&large);
}

static int fills_and_frees(void *unused)
{
    struct node *list = NULL;
    size_t count = 0;
    for (struct node *block; count < 50000 && (block = plait_alloc(256)); count++) {
        block->next = list;
        list = block;
    }
    for (struct node *block; (block = list);) {
        list = block->next;
        CHECK(plait_free(block) == 0);
    }
    return 0;
}

static void threads_that_ended_leave_all_memory_to_others(void **state)
{
    begin();
    const size_t spans = count_spans();
    for (int i = 0; i < 10; i++) {
        struct test_thread threads[3];
        for (int t = 0; t < 3; t++) test_thread_start(&threads[t], fills_and_frees, NULL);
        for (int t = 0; t < 3; t++) assert_int_equal(test_thread_join(&threads[t]), 0);
    }
    assert_int_equal(plait__heap_count(0), 0);
    assert_int_equal(count_spans(), spans);
}

static int fills_up_and_waits(void *argument)
{
    while (plait_message_alloc(4096) || plait_message_alloc(16)) {}
    atomic_store((_Atomic int *)argument, 1);
    for (;;) pause();
    return 0;
}

static void private_blocks_of_the_dead_are_had_before_anybody_is_refused(void **state)
{
    begin();
    const size_t spans = count_spans();
    _Atomic int *full = test_shared(sizeof *full);
    const pid_t child = test_fork(fills_up_and_waits, full);
    test_until_set(full);
    errno = 0;
    assert_null(plait_alloc(1));
    assert_int_equal(errno, ENOMEM);
    test_kill(child);
    void *small = plait_alloc(1), *large = plait_alloc(1 << 20);
    assert_non_null(small);
    assert_non_null(large);
    assert_int_equal(plait_free(small), 0);
    assert_int_equal(plait_free(large), 0);
    assert_int_equal(count_spans(), spans);
}

static int fills_for_all_and_leaves(void *list)
{
    CHECK(plait_init(NULL, NULL) == 0);
    for (struct node *block; (block = plait_alloc(1024));) {
        block->next = *(struct node **)list;
        *(struct node **)list = block;
    }
    plait_leave();
    return 0;
}

static void what_the_gone_had_made_for_all_serves_all_when_it_is_free(void **state)
{
    begin();
    struct node **list = test_shared(sizeof *list);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(test_wait_exit(test_fork(fills_for_all_and_leaves, list)), 0);
        assert_true(plait__heap_count(0) * 1024 > SMALL_ARENA / 2);
        free_all(list);
        void *large = plait_alloc(SMALL_ARENA / 2);
        assert_non_null(large);
        assert_int_equal(plait_free(large), 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(small_blocks_fill_it),
    cmocka_unit_test(odd_blocks_fill_it),
    cmocka_unit_test(the_largest_small_blocks_fill_it),
    cmocka_unit_test(blocks_of_one_span_fill_it),
    cmocka_unit_test(large_blocks_fill_it),
    cmocka_unit_test(very_large_blocks_fill_it),
    cmocka_unit_test(one_free_is_enough_to_go_on),
    cmocka_unit_test(nothing_can_be_made_in_it),
    cmocka_unit_test(what_was_made_before_works_in_it),
    cmocka_unit_test(memory_freed_in_one_size_serves_every_other),
    cmocka_unit_test(a_little_memory_freed_in_one_size_serves_another),
    cmocka_unit_test(threads_that_ended_leave_all_memory_to_others),
    cmocka_unit_test(private_blocks_of_the_dead_are_had_before_anybody_is_refused),
    cmocka_unit_test(what_the_gone_had_made_for_all_serves_all_when_it_is_free),
};
TEST_MAIN(tests)
