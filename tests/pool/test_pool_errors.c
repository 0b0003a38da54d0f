/* What a map refuses, and how failing tasks are told. */
#include "tasks.h"

#include <limits.h>

#include "arena/heap.h"

static plait_pool *pools[2];            /* of processes, and inline */

static int make_pools(void **state)
{
    pools[0] = new_pool(2);
    pools[1] = plait_pool_new(&(plait_pool_options){ .kind = PLAIT_INLINE });
    return !pools[1];
}

static int end_pools(void **state)
{
    for (int i = 0; i < 2; i++) plait_pool_free(pools[i]);
    return 0;
}

/* ---- refusals ---- */

static int fail_if_run(const void *in, void *out, void *context)
{
    return 99;
}

static int an_int[10];

/* The refusal of a map over an_int with these options, in both kinds. */
static void expect_refusal(const plait_map_options *options, const char *detail)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(plait_pool_map(pools[i], fail_if_run, an_int, 4, an_int, 4, 10, options), -EINVAL);
        assert_non_null(strstr(plait_error_detail(), detail));
    }
}

static void no_pool_and_no_task_are_refused(void **state)
{
    assert_int_equal(plait_pool_map(NULL, square, an_int, 4, an_int, 4, 10, NULL), -EINVAL);
    assert_string_equal(plait_error_detail(), "the pool is NULL");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(plait_pool_map(pools[i], NULL, an_int, 4, an_int, 4, 10, NULL), -EINVAL);
        assert_string_equal(plait_error_detail(), "the task is NULL");
    }
}

static void arrays_with_a_size_must_be_there(void **state)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(plait_pool_map(pools[i], fail_if_run, NULL, 4, an_int, 4, 10, NULL), -EINVAL);
        assert_int_equal(plait_pool_map(pools[i], fail_if_run, an_int, 4, NULL, 4, 10, NULL), -EINVAL);
        assert_non_null(strstr(plait_error_detail(), "is NULL, its size is not 0"));
    }
}

static void sizes_that_overflow_are_refused(void **state)
{
    const size_t sizes[][2] = { { SIZE_MAX, 2 }, { SIZE_MAX / 2 + 1, 2 }, { 2, SIZE_MAX }, { 4, SIZE_MAX / 4 + 1 } };
    for (int i = 0; i < 2; i++) {
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            const size_t size = sizes[j][0], n = sizes[j][1];
            assert_int_equal(plait_pool_map(pools[i], fail_if_run, an_int, size, NULL, 0, n, NULL), -EINVAL);
            assert_int_equal(plait_pool_map(pools[i], fail_if_run, NULL, 0, an_int, size, n, NULL), -EINVAL);
            assert_non_null(strstr(plait_error_detail(), "overflows"));
        }
    }
}

static void what_does_not_fit_the_arena_is_ENOMEM(void **state)
{
    const size_t blocks = plait__heap_count(0), huge = (size_t)1 << 45;
    const plait_map_options by_one = { .chunk = 1 };
    assert_int_equal(plait_pool_map(pools[0], fail_if_run, an_int, huge, NULL, 0, 4, NULL), -ENOMEM);
    assert_non_null(strstr(plait_error_detail(), "for a map of 4 tasks"));
    assert_int_equal(plait_pool_map(pools[0], fail_if_run, NULL, 0, an_int, huge, 4, NULL), -ENOMEM);
    for (size_t n = SIZE_MAX; n > (size_t)1 << 40; n /= 3) {
        assert_int_equal(plait_process_join(NULL, PLAIT_NOW), -EINVAL);         /* leaves a detail, not to be told again */
        assert_int_equal(plait_pool_map(pools[0], fail_if_run, NULL, 0, NULL, 0, n, &by_one), -ENOMEM);
        assert_non_null(strstr(plait_error_detail(), "for a map of"));
        assert_null(strstr(plait_error_detail(), "the process is NULL"));
    }
    assert_int_equal(plait__heap_count(0), blocks);
}

static void a_context_with_a_size_must_be_there(void **state)
{
    expect_refusal(&(plait_map_options){ .context_size = 4 }, "the context is NULL, its size is not 0");
}

static void a_private_context_needs_a_size_in_a_pool_of_processes(void **state)
{
    const plait_map_options options = { .context = an_int };
    assert_int_equal(plait_pool_map(pools[0], fail_if_run, an_int, 4, an_int, 4, 10, &options), -EINVAL);
    assert_non_null(strstr(plait_error_detail(), "the context is not in shared memory"));
    assert_int_equal(plait_pool_map(pools[1], do_nothing, an_int, 4, an_int, 4, 10, &options), 0);
}

static void retries_have_limits(void **state)
{
    expect_refusal(&(plait_map_options){ .retries = -2 }, "retries -2");
    expect_refusal(&(plait_map_options){ .retries = 201 }, "retries 201");
    for (int i = 0; i < 2; i++) expect_squares_with(pools[i], 10, &(plait_map_options){ .retries = 200 });
}

static void reserved_fields_must_be_zero(void **state)
{
    expect_refusal(&(plait_map_options){ .reserved_int = 1 }, "a reserved field is not zero");
    for (int i = 0; i < 6; i++) {
        plait_map_options options = { 0 };
        options.reserved[i] = 1;
        expect_refusal(&options, "a reserved field is not zero");
    }
}

static void options_of_zeros_are_the_defaults(void **state)
{
    for (int i = 0; i < 2; i++) expect_squares_with(pools[i], 10, &(plait_map_options){ 0 });
}

/* ---- failing tasks ---- */

enum { N = 100 };

struct failures {
    int code[N];                        /* what task i returns */
    _Atomic int runs[N];
};

static int fail_as_told(const void *in, void *out, void *context)
{
    struct failures *failures = context;
    const int i = *(const int *)in;
    failures->runs[i]++;
    return failures->code[i];
}

/* Run all N tasks in both kinds: each runs once, and `code` and `detail` tell of the first that failed. */
static void expect_failure(struct failures *failures, size_t chunk, int code, const char *detail)
{
    int in[N];
    for (int i = 0; i < N; i++) in[i] = i;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < N; j++) failures->runs[j] = 0;
        const plait_map_options options = { .chunk = chunk, .context = failures };
        assert_int_equal(plait_pool_map(pools[i], fail_as_told, in, sizeof in[0], NULL, 0, N, &options), code);
        assert_string_equal(plait_error_detail(), detail);
        for (int j = 0; j < N; j++) assert_int_equal(failures->runs[j], 1);
        expect_squares(pools[i], 10);
    }
}

static void one_failing_task_fails_the_map_and_the_others_are_run(void **state)
{
    const int indices[] = { 0, 1, 49, 50, 98, 99 };
    char detail[40];
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++) {
        struct failures *failures = plait_alloc(sizeof *failures);
        failures->code[indices[i]] = 17;
        snprintf(detail, sizeof detail, "task %d returned 17", indices[i]);
        expect_failure(failures, 0, 17, detail);
        expect_failure(failures, 7, 17, detail);
        plait_free(failures);
    }
}

static void of_several_failing_tasks_the_first_by_index_counts(void **state)
{
    struct failures *failures = plait_alloc(sizeof *failures);
    for (int i = N - 1; i >= 0; i -= 9) {
        failures->code[i] = i + 1;
        char detail[40];
        snprintf(detail, sizeof detail, "task %d returned %d", i, i + 1);
        expect_failure(failures, 1, i + 1, detail);
        expect_failure(failures, 0, i + 1, detail);
        expect_failure(failures, N, i + 1, detail);
    }
    plait_free(failures);
}

static void codes_of_any_sign_are_returned(void **state)
{
    const int codes[] = { 1, -1, -EIO, -ENOMEM, PLAIT_ECLOSED, INT_MAX, INT_MIN };
    char detail[40];
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct failures *failures = plait_alloc(sizeof *failures);
        failures->code[33] = codes[i];
        snprintf(detail, sizeof detail, "task 33 returned %d", codes[i]);
        expect_failure(failures, 0, codes[i], detail);
        plait_free(failures);
    }
}

/* The later task fails first: the earlier one waits for that. */
static int fail_in_reverse(const void *in, void *out, void *context)
{
    _Atomic int *later_failed = context;
    if (*(const int *)in == 1) {
        *later_failed = 1;
        return 11;
    }
    test_until(is_set, (void *)later_failed);
    return 10;
}

static void the_first_by_index_counts_also_if_it_fails_last(void **state)
{
    _Atomic int *later_failed = plait_alloc(sizeof *later_failed);
    const int in[] = { 0, 1 };
    const plait_map_options options = { .chunk = 1, .context = (void *)later_failed };
    assert_int_equal(plait_pool_map(pools[0], fail_in_reverse, in, sizeof in[0], NULL, 0, 2, &options), 10);
    assert_string_equal(plait_error_detail(), "task 0 returned 10");
    plait_free((void *)later_failed);
}

static int square_or_fail(const void *in, void *out, void *context)
{
    square(in, out, context);
    return *(const int *)in == 3 ? 5 : 0;
}

static void the_out_of_the_other_tasks_is_there(void **state)
{
    const int in[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    for (int i = 0; i < 2; i++) {
        int out[8] = { 0 };
        assert_int_equal(plait_pool_map(pools[i], square_or_fail, in, sizeof in[0], out, sizeof out[0], 8, NULL), 5);
        for (int j = 0; j < 8; j++)
            if (j != 3) assert_int_equal(out[j], j * j);
    }
}

/* ---- inline ---- */

static int note_order(const void *in, void *out, void *context)
{
    int *next = context;
    *(int *)out = (*next)++;
    return 0;
}

static void inline_tasks_run_in_order_in_this_thread(void **state)
{
    int out[20], next = 0;
    const plait_map_options options = { .context = &next };
    assert_int_equal(plait_pool_map(pools[1], note_order, NULL, 0, out, sizeof out[0], 20, &options), 0);
    for (int i = 0; i < 20; i++) assert_int_equal(out[i], i);
    assert_int_equal(next, 20);
}

static int take_time(const void *in, void *out, void *context)
{
    const double since = seconds_now();
    while (seconds_now() - since < 0.02) {}
    ++*(int *)context;
    return 0;
}

static void inline_maps_look_at_their_deadline_between_tasks(void **state)
{
    int runs = 0;
    plait_map_options options = { .context = &runs, .deadline = plait_after(0.03) };
    assert_int_equal(plait_pool_map(pools[1], take_time, NULL, 0, NULL, 0, 1000, &options), -ETIMEDOUT);
    assert_true(runs >= 1 && runs < 1000);
    char detail[40];
    snprintf(detail, sizeof detail, "%d of 1000 tasks were run", runs);
    assert_string_equal(plait_error_detail(), detail);
    options.deadline = plait_after(1e6);
    assert_int_equal(plait_pool_map(pools[1], take_time, NULL, 0, NULL, 0, 2, &options), 0);
}

#define WITH_POOLS(test) cmocka_unit_test_setup_teardown(test, make_pools, end_pools)

static const struct CMUnitTest tests[] = {
    WITH_POOLS(no_pool_and_no_task_are_refused),
    WITH_POOLS(arrays_with_a_size_must_be_there),
    WITH_POOLS(sizes_that_overflow_are_refused),
    WITH_POOLS(what_does_not_fit_the_arena_is_ENOMEM),
    WITH_POOLS(a_context_with_a_size_must_be_there),
    WITH_POOLS(a_private_context_needs_a_size_in_a_pool_of_processes),
    WITH_POOLS(retries_have_limits),
    WITH_POOLS(reserved_fields_must_be_zero),
    WITH_POOLS(options_of_zeros_are_the_defaults),
    WITH_POOLS(one_failing_task_fails_the_map_and_the_others_are_run),
    WITH_POOLS(of_several_failing_tasks_the_first_by_index_counts),
    WITH_POOLS(codes_of_any_sign_are_returned),
    WITH_POOLS(the_first_by_index_counts_also_if_it_fails_last),
    WITH_POOLS(the_out_of_the_other_tasks_is_there),
    WITH_POOLS(inline_tasks_run_in_order_in_this_thread),
    WITH_POOLS(inline_maps_look_at_their_deadline_between_tasks),
};

TEST_MAIN(tests)
