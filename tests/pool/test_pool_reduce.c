/* Map and reduce: each task counts once, in the order of the inputs, with any number of workers, whoever dies. */
#include "tasks.h"

#include "arena/heap.h"

enum { N = 1000 };

static struct notes {
    _Atomic int attempts[N];
} *notes;

static plait_pool *pool;
static size_t blocks;
static int in[N];

static __attribute__((constructor)) void fill_in(void)
{
    for (int i = 0; i < N; i++) in[i] = i;
}

static void make_pool_of(int kind, int workers)
{
    if (!notes) notes = test_shared(sizeof *notes);
    memset(notes, 0, sizeof *notes);
    assert_int_equal(plait_init(NULL, NULL), 0);
    blocks = plait__heap_count(0);
    pool = plait_pool_new(&(plait_pool_options){ .kind = kind, .workers = workers });
    assert_non_null(pool);
}

static int make_pool(void **state)
{
    make_pool_of(PLAIT_PROCESSES, 2);
    return 0;
}

static int end_pool(void **state)
{
    plait_pool_free(pool);
    assert_int_equal(plait__heap_count(0), blocks);
    return 0;
}

/* ---- sums, counts, least ---- */

static int as_long(const void *number, void *out, void *context)
{
    *(long *)out = *(const int *)number;
    return 0;
}

static int add(void *into, const void *from, void *context)
{
    *(long *)into += *(const long *)from;
    return 0;
}

static long sum_of(const plait_map_options *options)
{
    long sum = 0;
    assert_int_equal(plait_pool_map_reduce(pool, as_long, in, sizeof in[0], N, add, &sum, sizeof sum, options), 0);
    return sum;
}

static void sums(void **state)
{
    assert_int_equal(sum_of(NULL), N * (N - 1) / 2);
}

static int least_of(void *into, const void *from, void *context)
{
    if (*(const long *)from < *(long *)into) *(long *)into = *(const long *)from;
    return 0;
}

static void a_neutral_value_other_than_zero(void **state)
{
    long least = INT64_MAX;
    assert_int_equal(plait_pool_map_reduce(pool, as_long, in + 5, sizeof in[0], N - 5, least_of, &least, sizeof least, NULL), 0);
    assert_int_equal(least, 5);
}

struct histogram {
    int counts[10];
};

/* Begins as the neutral value, as everything else would have to be set. */
static int count_digits(const void *number, void *out, void *context)
{
    struct histogram *histogram = out;
    for (int i = *(const int *)number, more = 1; more; i /= 10, more = i > 0) histogram->counts[i % 10]++;
    return 0;
}

static int add_up(void *into, const void *from, void *context)
{
    for (int i = 0; i < 10; i++) ((struct histogram *)into)->counts[i] += ((const struct histogram *)from)->counts[i];
    return 0;
}

static void a_histogram(void **state)
{
    struct histogram all = { { 0 } };
    assert_int_equal(plait_pool_map_reduce(pool, count_digits, in, sizeof in[0], N, add_up, &all, sizeof all, NULL), 0);
    for (int i = 0; i < 10; i++) assert_int_equal(all.counts[i], i ? 300 : 190);
}

/* ---- order ---- */

/* x -> factor * x + summand: one after the other is associative, and hardly ever commutative. */
struct line {
    uint64_t factor, summand;
};

static int as_line(const void *number, void *out, void *context)
{
    const uint64_t i = (uint64_t)*(const int *)number;
    *(struct line *)out = (struct line){ 2 * i + 3, i * i };
    return 0;
}

static int chain(void *into, const void *from, void *context)
{
    struct line *first = into;
    const struct line *then = from;
    *first = (struct line){ first->factor * then->factor, first->summand * then->factor + then->summand };
    return 0;
}

static void the_order_is_that_of_the_inputs(void **state)
{
    struct line expected = { 1, 0 };
    for (int i = 0; i < N; i++) {
        struct line line;
        as_line(&in[i], &line, NULL);
        chain(&expected, &line, NULL);
    }
    for (int workers = 0; workers <= 4; workers++) {
        make_pool_of(workers ? PLAIT_PROCESSES : PLAIT_INLINE, workers);
        for (size_t chunk = 0; chunk < 2 * N; chunk = chunk * 3 + 1) {
            struct line all = { 1, 0 };
            const plait_map_options options = { .chunk = chunk };
            assert_int_equal(plait_pool_map_reduce(pool, as_line, in, sizeof in[0], N, chain, &all, sizeof all, &options), 0);
            assert_memory_equal(&all, &expected, sizeof all);
        }
        end_pool(NULL);
    }
}

/* ---- failures ---- */

static int fail_at_700(const void *number, void *out, void *context)
{
    return *(const int *)number == 700 ? 70 : 0;
}

static int fail_to_add(void *into, const void *from, void *context)
{
    return *(const long *)from == *(const int *)context ? 71 : add(into, from, context);
}

static void failures_are_told(void **state)
{
    for (int kind = PLAIT_PROCESSES; kind <= PLAIT_INLINE; kind++) {
        make_pool_of(kind, 2);
        long sum = 0;
        int where = 500;
        const plait_map_options options = { .context = &where, .context_size = sizeof where };
        assert_int_equal(plait_pool_map_reduce(pool, fail_at_700, in, sizeof in[0], N, add, &sum, sizeof sum, NULL), 70);
        assert_string_equal(plait_error_detail(), "task 700 returned 70");
        assert_int_equal(plait_pool_map_reduce(pool, as_long, in, sizeof in[0], N, fail_to_add, &sum, sizeof sum, &options), 71);
        assert_string_equal(plait_error_detail(), "task 500 returned 71");
        end_pool(NULL);
    }
}

static void reducing_may_fail_at_the_end(void **state)
{
    long sum = 0;
    int where = N / 2 * (N / 2 - 1) / 2;                    /* the sum of the first of two chunks */
    const plait_map_options options = { .chunk = N / 2, .context = &where, .context_size = sizeof where };
    assert_int_equal(plait_pool_map_reduce(pool, as_long, in, sizeof in[0], N, fail_to_add, &sum, sizeof sum, &options), 71);
    assert_string_equal(plait_error_detail(), "reducing the result of the tasks 0 to 499 returned 71");
}

static void wrong_arguments_are_refused(void **state)
{
    long sum = 5;
    assert_int_equal(plait_pool_map_reduce(pool, as_long, in, sizeof in[0], N, NULL, &sum, sizeof sum, NULL), -EINVAL);
    assert_string_equal(plait_error_detail(), "the function to reduce with is NULL");
    assert_int_equal(plait_pool_map_reduce(pool, NULL, in, sizeof in[0], N, add, &sum, sizeof sum, NULL), -EINVAL);
    assert_int_equal(plait_pool_map_reduce(pool, as_long, in, sizeof in[0], N, add, NULL, sizeof sum, NULL), -EINVAL);
    assert_int_equal(plait_pool_map_reduce(pool, as_long, in, sizeof in[0], N, add, &sum, 0, NULL), -EINVAL);
    assert_string_equal(plait_error_detail(), "the size of the result is 0");
    assert_int_equal(plait_pool_map_reduce(NULL, as_long, in, sizeof in[0], N, add, &sum, sizeof sum, NULL), -EINVAL);
    assert_int_equal(plait_pool_map_reduce(pool, as_long, NULL, 0, 0, add, &sum, sizeof sum, NULL), 0);
    assert_int_equal(sum, 5);
}

/* ---- deaths ---- */

static int die_at_first(const void *number, void *out, void *context)
{
    const int i = *(const int *)number;
    if (i % 100 == 37 && notes->attempts[i]++ == 0) raise(SIGKILL);
    return as_long(number, out, context);
}

static void tasks_of_killed_workers_count_once(void **state)
{
    for (size_t chunk = 0; chunk < 100; chunk += 33) {
        long sum = 0;
        memset(notes, 0, sizeof *notes);
        const plait_map_options options = { .chunk = chunk, .retries = 50 };
        assert_int_equal(plait_pool_map_reduce(pool, die_at_first, in, sizeof in[0], N, add, &sum, sizeof sum, &options), 0);
        assert_int_equal(sum, N * (N - 1) / 2);
    }
}

static int sum_below(const void *number, void *out, void *context)
{
    return plait_pool_map_reduce(plait_pool_current(), die_at_first, number, sizeof(int), 100, add, out, sizeof(long), NULL);
}

static void nested(void **state)
{
    for (int round = 0; round < 5; round++) {
        long sum = 0;
        memset(notes, 0, sizeof *notes);
        const plait_map_options options = { .retries = 50 };
        assert_int_equal(plait_pool_map_reduce(pool, sum_below, in, 100 * sizeof in[0], N / 100, add, &sum, sizeof sum, &options),
                         0);
        assert_int_equal(sum, N * (N - 1) / 2);
    }
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, make_pool, end_pool)

static const struct CMUnitTest tests[] = {
    WITH_POOL(sums),
    WITH_POOL(a_neutral_value_other_than_zero),
    WITH_POOL(a_histogram),
    cmocka_unit_test(the_order_is_that_of_the_inputs),
    cmocka_unit_test(failures_are_told),
    WITH_POOL(reducing_may_fail_at_the_end),
    WITH_POOL(wrong_arguments_are_refused),
    WITH_POOL(tasks_of_killed_workers_count_once),
    WITH_POOL(nested),
};

TEST_MAIN(tests)
