/* What a map computes, and from which memory.  Every test runs in a pool of processes and inline. */
#include "tasks.h"

#include <sys/mman.h>

static plait_pool *pool;

static int make_processes(void **state)
{
    pool = new_pool(3);
    return 0;
}

static int make_inline(void **state)
{
    pool = plait_pool_new(&(plait_pool_options){ .kind = PLAIT_INLINE });
    return !pool;
}

static int end_pool(void **state)
{
    plait_pool_free(pool);
    return 0;
}

/* ---- how many ---- */

static int half_of(const void *in, void *out, void *context)
{
    *(double *)out = *(const double *)in / 2 + 1;
    return 0;
}

static void a_map_equals_a_loop(void **state)
{
    enum { N = 1000 };
    double in[N], out[N];
    for (int i = 0; i < N; i++) in[i] = i * 1.25 - 300;
    assert_int_equal(plait_pool_map(pool, half_of, in, sizeof in[0], out, sizeof out[0], N, NULL), 0);
    for (int i = 0; i < N; i++) assert_true(out[i] == in[i] / 2 + 1);
}

static void any_number_of_tasks_is_run(void **state)
{
    const int numbers[] = { 0, 1, 2, 3, 4, 11, 12, 13, 100, 10000 };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) expect_squares(pool, numbers[i]);
}

static void any_chunk_will_do(void **state)
{
    const size_t chunks[] = { 1, 2, 3, 7, 99, 100, 101, 5000, SIZE_MAX };
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        expect_squares_with(pool, 100, &(plait_map_options){ .chunk = chunks[i] });
    expect_squares_with(pool, 10000, &(plait_map_options){ .chunk = 1 });
}

static int count(const void *in, void *out, void *counts)
{
    atomic_fetch_add((_Atomic int *)counts + *(const int *)in, 1);
    return 0;
}

static void each_task_runs_once(void **state)
{
    enum { N = 1000 };
    int in[N];
    _Atomic int *counts = plait_alloc(N * sizeof *counts);
    for (int i = 0; i < N; i++) in[i] = i;
    for (size_t chunk = 0; chunk < 8; chunk++) {
        const plait_map_options options = { .chunk = chunk, .context = (void *)counts };
        assert_int_equal(plait_pool_map(pool, count, in, sizeof in[0], NULL, 0, N, &options), 0);
        for (int i = 0; i < N; i++) assert_int_equal(counts[i], chunk + 1);
    }
    plait_free((void *)counts);
}

static void no_task_is_nothing_to_do(void **state)
{
    assert_int_equal(plait_pool_map(pool, square, NULL, sizeof(int), NULL, sizeof(int), 0, NULL), 0);
    assert_int_equal(plait_pool_map(pool, square, NULL, SIZE_MAX, NULL, SIZE_MAX, 0, NULL), 0);
}

/* ---- which memory ---- */

struct seen {
    const void *in;
    void *out;
};

static int note_addresses(const void *in, void *out, void *context)
{
    *(struct seen *)out = (struct seen){ in, out };
    return 0;
}

static void shared_arrays_are_used_in_place(void **state)
{
    enum { N = 100 };
    int *in = plait_alloc(N * sizeof *in);
    struct seen *out = plait_alloc(N * sizeof *out);
    assert_int_equal(plait_pool_map(pool, note_addresses, in, sizeof *in, out, sizeof *out, N, NULL), 0);
    for (int i = 0; i < N; i++) {
        assert_ptr_equal(out[i].in, in + i);
        assert_ptr_equal(out[i].out, out + i);
    }
    plait_free(in);
    plait_free(out);
}

static int change_in(const void *in, void *out, void *context)
{
    *(int *)out = ++*(int *)(uintptr_t)in;
    return 0;
}

static void a_private_in_is_copied_in_a_pool_of_processes(void **state)
{
    int in[10] = { 0 }, out[10];
    assert_int_equal(plait_pool_map(pool, change_in, in, sizeof in[0], out, sizeof out[0], 10, NULL), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(out[i], 1);
        assert_int_equal(in[i], 0);
    }
}

static int write_odd_bytes(const void *in, void *out, void *context)
{
    char *bytes = out;
    for (int i = 1; i < 7; i += 2) bytes[i] = 'x';
    return 0;
}

/* Of a private array it is not defined. */
static void what_a_task_does_not_write_of_a_shared_out_stays(void **state)
{
    enum { N = 1000 };
    char (*shared)[7] = plait_alloc(N * sizeof *shared);
    memset(shared, '.', N * sizeof *shared);
    assert_int_equal(plait_pool_map(pool, write_odd_bytes, NULL, 0, shared, sizeof *shared, N, NULL), 0);
    for (int i = 0; i < N; i++) assert_memory_equal(shared[i], ".x.x.x.", 7);
    plait_free(shared);
}

static void in_and_out_may_be_the_same_array(void **state)
{
    enum { N = 100 };
    int own[N], *shared = plait_alloc(sizeof own);
    for (int i = 0; i < N; i++) own[i] = shared[i] = i;
    assert_int_equal(plait_pool_map(pool, square, own, sizeof own[0], own, sizeof own[0], N, NULL), 0);
    assert_int_equal(plait_pool_map(pool, square, shared, sizeof own[0], shared, sizeof own[0], N, NULL), 0);
    for (int i = 0; i < N; i++) assert_int_equal(own[i], i * i);
    assert_memory_equal(own, shared, sizeof own);
    plait_free(shared);
}

static int copy_page(const void *in, void *out, void *context)
{
    memcpy(out, in, 4096);
    return 0;
}

static void arrays_may_end_where_memory_ends(void **state)
{
    char *pages = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + 4096, 4096, PROT_READ | PROT_WRITE), 0);
    char out[4096];
    memset(pages + 4096, 'p', 4096);
    assert_int_equal(plait_pool_map(pool, copy_page, pages + 4096, 4096, out, 4096, 1, NULL), 0);
    assert_memory_equal(pages + 4096, out, 4096);
    munmap(pages, 3 * 4096);
}

static void large_elements_are_copied_whole(void **state)
{
    enum { N = 40 };
    char *in = malloc(N * 4096), *out = malloc(N * 4096);
    for (int i = 0; i < N * 4096; i++) in[i] = (char)(i * 31 / 7);
    assert_int_equal(plait_pool_map(pool, copy_page, in, 4096, out, 4096, N, NULL), 0);
    assert_memory_equal(in, out, N * 4096);
    free(in);
    free(out);
}

/* ---- no arrays ---- */

static int expect_null(const void *in, void *out, void *context)
{
    return in || out ? 1 : 0;
}

static int expect_the_same(const void *in, void *out, void *context)
{
    return *(const int *)in != 7 || out ? 1 : 0;
}

static int write_seven(const void *in, void *out, void *context)
{
    *(int *)out = 7;
    return in ? 1 : 0;
}

static void arrays_of_size_0_may_be_missing(void **state)
{
    int seven = 7, out[5] = { 0 };
    assert_int_equal(plait_pool_map(pool, expect_null, NULL, 0, NULL, 0, 10, NULL), 0);
    assert_int_equal(plait_pool_map(pool, write_seven, NULL, 0, out, sizeof out[0], 5, NULL), 0);
    for (int i = 0; i < 5; i++) assert_int_equal(out[i], 7);
    int *shared = plait_alloc(sizeof *shared);
    *shared = seven;
    assert_int_equal(plait_pool_map(pool, expect_the_same, shared, 0, NULL, 0, 10, NULL), 0);
    plait_free(shared);
}

/* ---- context ---- */

static int add_context(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in + *(const int *)context;
    return 0;
}

static void a_context_with_a_size_is_copied(void **state)
{
    int in[100], out[100], context = 1000;
    for (int i = 0; i < 100; i++) in[i] = i;
    const plait_map_options options = { .context = &context, .context_size = sizeof context };
    assert_int_equal(plait_pool_map(pool, add_context, in, sizeof in[0], out, sizeof out[0], 100, &options), 0);
    for (int i = 0; i < 100; i++) assert_int_equal(out[i], i + 1000);
    assert_int_equal(context, 1000);
}

static int tell_context(const void *in, void *out, void *context)
{
    *(void **)out = context;
    return 0;
}

static void a_shared_context_without_a_size_is_passed_on(void **state)
{
    void *context = plait_alloc(16), *seen[10];
    const plait_map_options options = { .context = context };
    assert_int_equal(plait_pool_map(pool, tell_context, NULL, 0, seen, sizeof seen[0], 10, &options), 0);
    for (int i = 0; i < 10; i++) assert_ptr_equal(seen[i], context);
    plait_free(context);
}

static int write_to_context(const void *in, void *out, void *context)
{
    *(_Atomic int *)context = 5;
    *(void **)out = context;
    return 0;
}

static void the_callers_context_is_not_changed_through_the_copy(void **state)
{
    _Atomic int context = 1;
    void *seen[20];
    const plait_map_options options = { .context = (void *)&context, .context_size = sizeof context };
    assert_int_equal(plait_pool_map(pool, write_to_context, NULL, 0, seen, sizeof seen[0], 20, &options), 0);
    assert_int_equal(context, 1);
    for (int i = 0; i < 20; i++) assert_ptr_equal(seen[i], seen[0]);
}

static void without_a_context_it_is_NULL(void **state)
{
    void *seen[10];
    memset(seen, 1, sizeof seen);
    assert_int_equal(plait_pool_map(pool, tell_context, NULL, 0, seen, sizeof seen[0], 10, NULL), 0);
    for (int i = 0; i < 10; i++) assert_null(seen[i]);
}

/* A block of the caller's would be freed, and somebody else's, while workers that outlive him still write to it. */
static void private_blocks_are_copied_or_refused(void **state)
{
    enum { N = 100 };
    int *in = plait_message_alloc(N * sizeof *in);
    struct seen *out = plait_message_alloc(N * sizeof *out);
    assert_int_equal(plait_pool_map(pool, note_addresses, in, sizeof *in, out, sizeof *out, N, NULL), 0);
    for (int i = 0; i < N; i++) {
        assert_false((const int *)out[i].in >= in && (const int *)out[i].in < in + N);
        assert_false((struct seen *)out[i].out >= out && (struct seen *)out[i].out < out + N);
    }
    const plait_map_options options = { .context = in };
    assert_int_equal(plait_pool_map(pool, note_addresses, NULL, 0, out, sizeof *out, N, &options), -EINVAL);
    assert_non_null(strstr(plait_error_detail(), "belongs to one thread"));
    plait_free(in);
    plait_free(out);
}

static int tell_leaks(const void *in, void *out, void *context)
{
    plait_arena_figures figures;
    int error = plait_arena_stats(&figures);
    *(uint64_t *)out = figures.leaked;
    return error;
}

static void nothing_is_leaked_while_a_map_runs(void **state)
{
    uint64_t leaked[20];
    assert_int_equal(plait_pool_map(pool, tell_leaks, NULL, 0, leaked, sizeof leaked[0], 20, NULL), 0);
    for (int i = 0; i < 20; i++) assert_int_equal(leaked[i], 0);
}

#define BOTH(test)                                                                                    \
    cmocka_unit_test_setup_teardown(test, make_processes, end_pool),                                  \
    { #test "_inline", test, make_inline, end_pool, NULL }

static const struct CMUnitTest tests[] = {
    BOTH(a_map_equals_a_loop),
    BOTH(any_number_of_tasks_is_run),
    BOTH(any_chunk_will_do),
    BOTH(each_task_runs_once),
    BOTH(no_task_is_nothing_to_do),
    BOTH(shared_arrays_are_used_in_place),
    cmocka_unit_test_setup_teardown(a_private_in_is_copied_in_a_pool_of_processes, make_processes, end_pool),
    cmocka_unit_test_setup_teardown(private_blocks_are_copied_or_refused, make_processes, end_pool),
    BOTH(nothing_is_leaked_while_a_map_runs),
    BOTH(what_a_task_does_not_write_of_a_shared_out_stays),
    BOTH(in_and_out_may_be_the_same_array),
    BOTH(arrays_may_end_where_memory_ends),
    BOTH(large_elements_are_copied_whole),
    BOTH(arrays_of_size_0_may_be_missing),
    BOTH(a_context_with_a_size_is_copied),
    BOTH(a_shared_context_without_a_size_is_passed_on),
    BOTH(the_callers_context_is_not_changed_through_the_copy),
    BOTH(without_a_context_it_is_NULL),
};

TEST_MAIN(tests)
