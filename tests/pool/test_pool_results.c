/* Results of different sizes: each arrives, belongs to the caller, and is lost nowhere, whoever dies. */
#include "tasks.h"

#include "arena/heap.h"
#include "family/roster.h"

enum { N = 60 };

static struct notes {
    _Atomic int go, attempts[N], inside;
} *notes;

static plait_pool *pool;
static size_t blocks;

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

/* ---- what they are ---- */

/* Task i gives i * i * 40 bytes; every fifth nothing. */
static size_t size_of(int i)
{
    return (size_t)i * (size_t)i * 40;
}

static int make_bytes(const void *in, void *out, void *context)
{
    const int i = *(const int *)in;
    if (i % 5 == 4) return 0;
    unsigned char *bytes = plait_result_alloc(out, size_of(i));
    CHECK(bytes);
    memset(bytes, i, size_of(i));
    return 0;
}

static bool is_right(const plait_result *result, int i)
{
    const unsigned char *bytes = result->data;
    if (i % 5 == 4) return !bytes && !result->size;
    for (size_t k = 0; bytes && k < result->size; k++)
        if (bytes[k] != i) return false;
    return bytes && result->size == size_of(i) && plait__heap_tag_at(bytes) == plait__self.slot;
}

static void expect_bytes(size_t chunk, plait_result *out)
{
    int in[N];
    for (int i = 0; i < N; i++) in[i] = i;
    const plait_map_options options = { .chunk = chunk };
    assert_int_equal(plait_pool_map_results(pool, make_bytes, in, sizeof in[0], out, N, &options), 0);
    for (int i = 0; i < N; i++) assert_true(is_right(&out[i], i));
    for (int i = 0; i < N / 2; i++) assert_int_equal(plait_free(out[i].data), 0);
    plait_results_free(out + N / 2, N - N / 2);
    for (int i = N / 2; i < N; i++) assert_true(!out[i].data && !out[i].size);
}

static void results_of_all_sizes_arrive(void **state)
{
    for (int kind = PLAIT_PROCESSES; kind <= PLAIT_INLINE; kind++) {
        make_pool_of(kind, 2);
        plait_result private[N], *shared = plait_alloc(N * sizeof *shared);
        memset(private, 0xee, sizeof private);              /* what was there is not looked at */
        for (size_t chunk = 0; chunk < 8; chunk++) {
            expect_bytes(chunk, private);
            expect_bytes(chunk, shared);
        }
        plait_free(shared);
        end_pool(NULL);
    }
}

static int set_often(const void *in, void *out, void *context)
{
    char *text = plait_result_alloc(out, 12);
    CHECK(text && strcpy(text, "hello world"));
    CHECK(plait_result_set(out, text + 6, 6) == 0);         /* from what is freed by that */
    CHECK(!plait_result_alloc(out, SIZE_MAX) && errno == ENOMEM);
    CHECK(!plait_result_alloc(NULL, 1) && errno == EINVAL);
    CHECK(plait_result_set(out, NULL, 1) == -EINVAL && plait_result_set(NULL, "", 1) == -EINVAL);
    return 0;
}

static void the_last_one_that_is_set_counts(void **state)
{
    plait_result out[N];
    assert_int_equal(plait_pool_map_results(pool, set_often, NULL, 0, out, N, NULL), 0);
    for (int i = 0; i < N; i++) assert_true(out[i].size == 6 && !strcmp(out[i].data, "world"));
    plait_results_free(out, N);
}

static int set_nothing(const void *in, void *out, void *context)
{
    return plait_result_set(out, NULL, 0);
}

static void a_result_may_have_no_bytes(void **state)
{
    plait_result out[N];
    assert_int_equal(plait_pool_map_results(pool, set_nothing, NULL, 0, out, N, NULL), 0);
    for (int i = 0; i < N; i++) assert_true(out[i].data && !out[i].size);
    plait_results_free(out, N);
}

static int set_and_fail(const void *in, void *out, void *context)
{
    const int i = *(const int *)in;
    CHECK(plait_result_set(out, &i, sizeof i) == 0);
    return i % 7 == 3 ? i : 0;
}

static void tasks_that_fail_may_have_results(void **state)
{
    plait_result out[N];
    int in[N];
    for (int i = 0; i < N; i++) in[i] = i;
    assert_int_equal(plait_pool_map_results(pool, set_and_fail, in, sizeof in[0], out, N, NULL), 3);
    for (int i = 0; i < N; i++) assert_int_equal(*(int *)out[i].data, i);
    plait_results_free(out, N);
}

/* Neither a block of its own without room for what we note there, nor one that is the family's, nor anything else. */
static int set_by_hand(const void *in, void *out, void *context)
{
    static char private[100];
    plait_result *result = out;
    const int i = *(const int *)in;
    void *const wrong[] = { private, plait_message_alloc(64), *(void **)context, *(char **)context + 8 };
    *result = (plait_result){ wrong[i % 4], 64 };
    plait_free(wrong[1]);
    return 0;
}

static void pointers_that_are_no_results_are_refused(void **state)
{
    void *shared = plait_alloc(128);
    for (int i = 0; i < 4; i++) {
        plait_result out;
        const plait_map_options options = { .context = &shared, .context_size = sizeof shared };
        assert_int_equal(plait_pool_map_results(pool, set_by_hand, &i, sizeof i, &out, 1, &options), -EINVAL);
        assert_string_equal(plait_error_detail(), "task 0 returned -22");
        assert_null(out.data);
    }
    assert_int_equal(plait_free(shared), 0);
}

static void *map_and_end(void *out)
{
    CHECK(plait_pool_map_results(pool, set_nothing, NULL, 0, out, N, NULL) == 0);
    CHECK(plait_block_share(((plait_result *)out)[0].data) == 0);
    return NULL;
}

static void results_end_with_the_thread_that_maps(void **state)
{
    plait_result out[N];
    thread_end(thread_start(map_and_end, out));
    assert_int_equal(plait_free(out[0].data), 0);
    for (int i = 1; i < N; i++) assert_int_not_equal(plait_free(out[i].data), 0);
}

/* ---- deaths and deadlines ---- */

static int set_and_die(const void *in, void *out, void *context)
{
    const int i = *(const int *)in;
    CHECK(plait_result_set(out, &i, sizeof i) == 0);
    if (notes->attempts[i]++ == 0 && i % 4 == 1) raise(SIGKILL);
    return 0;
}

static void results_of_those_who_died_are_freed(void **state)
{
    int in[N];
    for (int i = 0; i < N; i++) in[i] = i;
    for (size_t chunk = 1; chunk < 8; chunk += 3) {
        plait_result out[N];
        for (int i = 0; i < N; i++) notes->attempts[i] = 0;
        const plait_map_options options = { .chunk = chunk, .retries = 20 };
        assert_int_equal(plait_pool_map_results(pool, set_and_die, in, sizeof in[0], out, N, &options), 0);
        for (int i = 0; i < N; i++) assert_int_equal(*(int *)out[i].data, i);
        plait_results_free(out, N);
    }
}

static int set_and_die_always(const void *in, void *out, void *context)
{
    const int i = *(const int *)in;
    CHECK(plait_result_set(out, &i, sizeof i) == 0);
    if (i == 10) raise(SIGKILL);
    return 0;
}

static void a_chunk_that_is_given_up_has_none(void **state)
{
    plait_result out[N];
    int in[N];
    for (int i = 0; i < N; i++) in[i] = i;
    const plait_map_options options = { .chunk = 3 };
    assert_int_equal(plait_pool_map_results(pool, set_and_die_always, in, sizeof in[0], out, N, &options), PLAIT_EWORKERDIED);
    for (int i = 0; i < N; i++) assert_true(i / 3 == 3 ? !out[i].data : *(int *)out[i].data == i);
    plait_results_free(out, N);
}

static int set_and_wait(const void *in, void *out, void *context)
{
    const int i = *(const int *)in;
    CHECK(plait_result_set(out, &i, sizeof i) == 0);
    if (i % 8 == 5) test_until(is_set, &notes->go);
    return 0;
}

static void what_was_finished_in_time_is_there(void **state)
{
    int in[N];
    for (int i = 0; i < N; i++) in[i] = i;
    for (int round = 0; round < 5; round++) {
        plait_result out[N];
        const plait_map_options options = { .chunk = 3, .deadline = plait_after(0.02) };
        assert_int_equal(plait_pool_map_results(pool, set_and_wait, in, sizeof in[0], out, N, &options), -ETIMEDOUT);
        for (int i = 0; i < N; i++) assert_true(!out[i].data || *(int *)out[i].data == i);
        assert_null(out[5].data);
        plait_results_free(out, N);
    }
}

/* ---- nested ---- */

/* All results of a nested map, one behind the other.  Who runs its tasks may die, the caller too. */
static int join_below(const void *in, void *out, void *context)
{
    int below[N];
    plait_result results[N];
    for (int i = 0; i < N; i++) below[i] = i;
    if (plait_pool_map_results(plait_pool_current(), set_and_die, below, sizeof below[0], results, N, NULL)) return 1;
    int *all = plait_result_alloc(out, sizeof below);
    CHECK(all);
    for (int i = 0; i < N; i++) all[i] = *(int *)results[i].data;
    plait_results_free(results, N);
    return 0;
}

static void expect_joined(int deaths)
{
    for (int i = 0; i < N; i++) notes->attempts[i] = !deaths;
    plait_result out[2];
    const plait_map_options options = { .retries = 100 };
    assert_int_equal(plait_pool_map_results(pool, join_below, NULL, 0, out, 2, &options), 0);
    for (int i = 0; i < 2 * N; i++) assert_int_equal(((int *)out[i / N].data)[i % N], i % N);
    plait_results_free(out, 2);
}

static void results_of_nested_maps_are_the_tasks(void **state)
{
    expect_joined(0);
    for (int i = 0; i < 5; i++) expect_joined(1);
}

static void also_inline(void **state)
{
    make_pool_of(PLAIT_INLINE, 0);
    expect_joined(0);
    end_pool(NULL);
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, make_pool, end_pool)

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(results_of_all_sizes_arrive),
    WITH_POOL(the_last_one_that_is_set_counts),
    WITH_POOL(a_result_may_have_no_bytes),
    WITH_POOL(tasks_that_fail_may_have_results),
    WITH_POOL(pointers_that_are_no_results_are_refused),
    WITH_POOL(results_end_with_the_thread_that_maps),
    WITH_POOL(results_of_those_who_died_are_freed),
    WITH_POOL(a_chunk_that_is_given_up_has_none),
    WITH_POOL(what_was_finished_in_time_is_there),
    WITH_POOL(results_of_nested_maps_are_the_tasks),
    cmocka_unit_test(also_inline),
};

TEST_MAIN(tests)
