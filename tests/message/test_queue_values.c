/* Values as messages: they come as they were put, from queues of every kind; what is no pickle stays. */
#include "harness.h"
#include "others.h"

#include <plait.h>

#include "message/queue_internal.h"

static const plait_queue_options kinds[] = {
    { 0 },
    { .capacity = 1024 },
    { .unbounded = 1 },
    { .order = PLAIT_LIFO },
    { .order = PLAIT_PRIORITY },
    { .leases = 1 },
    { .leases = 1, .unbounded = 1 },
    { .joinable = 1 },
    { .joinable = 1, .capacity = 1024 },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static plait_queue *queue;

static void make_queue(const plait_queue_options *options)
{
    assert_non_null(queue = plait_queue_new(options));
}

static void free_queue(void)
{
    assert_int_equal(plait_queue_free(queue), 0);
}

static void task_done_if_need_be(void)
{
    if (queue->joinable) assert_int_equal(plait_queue_task_done(queue), 0);
}

static void put(plait_value *value)
{
    assert_int_equal(plait_queue_put_value(queue, value, PLAIT_NOW), 0);
}

static void must_get(const char *repr)
{
    plait_value *value = plait_queue_get_value(queue, PLAIT_NOW);
    assert_non_null(value);
    assert_string_equal(plait_repr(value), repr);
    plait_value_free(value);
    task_done_if_need_be();
}

static void must_fail(int error)
{
    assert_null(plait_queue_get_value(queue, PLAIT_NOW));
    assert_int_equal(errno, error);
}

static plait_value *a_list(void)
{
    return plait_list(3, plait_int(42), plait_none(), plait_string("hello"));
}

static void a_value_comes_as_it_was_put(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        make_queue(&kinds[kind]);
        for (int i = 0; i < 300; i++) {                    /* over the ring's end, at all places */
            put(a_list());
            must_get("[42, None, 'hello']");
            put(plait_dict(1, plait_string("key"), plait_tuple(2, plait_int(i), plait_float(0.5))));
            plait_value *value = plait_queue_get_value(queue, PLAIT_NOW);
            plait_value *same = plait_dict(1, plait_string("key"), plait_tuple(2, plait_int(i), plait_float(0.5)));
            assert_int_equal(plait_value_equal(value, same), 1);
            plait_value_free(value);
            plait_value_free(same);
            task_done_if_need_be();
        }
        must_fail(ETIMEDOUT);
        free_queue();
    }
}

static void values_come_in_order(void **state)
{
    static const char *const last_first[] = { "3", "2", "1" }, *const first_first[] = { "1", "2", "3" };
    for (int kind = 0; kind < KINDS; kind++) {
        make_queue(&kinds[kind]);
        for (int i = 1; i <= 3; i++) put(plait_int(i));
        for (int i = 0; i < 3; i++) must_get(kinds[kind].order == PLAIT_LIFO ? last_first[i] : first_first[i]);
        free_queue();
    }
}

static void the_lowest_priority_comes_first(void **state)
{
    make_queue(&(plait_queue_options){ .order = PLAIT_PRIORITY });
    for (int i = 0; i < 10; i++) assert_int_equal(plait_queue_put_value_priority(queue, -i, plait_int(i), PLAIT_NOW), 0);
    put(plait_string("of 0"));
    must_get("9");
    for (int i = 8; i >= 1; i--) plait_value_free(plait_queue_get_value(queue, PLAIT_NOW));
    must_get("0");
    must_get("'of 0'");
    free_queue();
    make_queue(NULL);
    assert_int_equal(plait_queue_put_value_priority(queue, 1, plait_int(1), PLAIT_NOW), -EINVAL);
    free_queue();
}

/* Larger than the ring, and than a segment takes. */
static void large_ones_travel_too(void **state)
{
    enum { SIZE = 3 << 20 };
    char *data = malloc(SIZE);
    memset(data, 'x', SIZE);
    for (int kind = 0; kind < KINDS; kind++) {
        size_t size;
        make_queue(&kinds[kind]);
        put(plait_bytes(data, SIZE));
        put(plait_bytes(data, 9000));
        plait_value *first = plait_queue_get_value(queue, PLAIT_NOW), *second = plait_queue_get_value(queue, PLAIT_NOW);
        if (plait_value_len(first) < plait_value_len(second)) {
            plait_value *other = first;
            first = second;
            second = other;
        }
        assert_memory_equal(plait_bytes_get(first, &size), data, SIZE);
        assert_int_equal(size, SIZE);
        assert_int_equal(plait_value_len(second), 9000);
        plait_value_free(first);
        plait_value_free(second);
        free_queue();
    }
    free(data);
}

/* Somebody else puts bytes: Python's pickle.dumps(42, 2), and what is none. */
static void what_is_no_pickle_stays(void **state)
{
    char got[16];
    for (int kind = 0; kind < KINDS; kind++) {
        make_queue(&kinds[kind]);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(plait_queue_put(queue, "no pickle", 9, PLAIT_NOW), 0);
            for (int again = 0; again < 3; again++) must_fail(EBADMSG);
            assert_int_equal(plait_queue_qsize(queue), 1);
            assert_int_equal(plait_queue_get(queue, got, sizeof got, PLAIT_NOW), 9);
            assert_memory_equal(got, "no pickle", 9);
            task_done_if_need_be();
            assert_int_equal(plait_queue_put(queue, "\x80\x02K*.", 5, PLAIT_NOW), 0);
            must_get("42");
        }
        assert_int_equal(plait_queue_put(queue, "", 0, PLAIT_NOW), 0);
        must_fail(EBADMSG);
        free_queue();
    }
}

static void what_came_back_may_be_no_pickle_either(void **state)
{
    plait_lease lease;
    char got[16];
    make_queue(&(plait_queue_options){ .joinable = 1 });
    assert_int_equal(plait_queue_put(queue, "no pickle", 9, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_lease(queue, got, sizeof got, &lease, PLAIT_NOW), 9);
    assert_int_equal(plait_queue_giveback(queue, lease), 0);
    must_fail(EBADMSG);
    assert_null(plait_queue_lease_value(queue, &lease, PLAIT_NOW));
    assert_int_equal(errno, EBADMSG);
    assert_int_equal(plait_queue_lease(queue, got, sizeof got, &lease, PLAIT_NOW), 9);
    assert_int_equal(lease.attempts, 1);
    assert_int_equal(plait_queue_ack(queue, lease), 0);
    assert_int_equal(plait_queue_task_done(queue), PLAIT_ENOLEASE);
    assert_int_equal(plait_queue_join(queue, PLAIT_NOW), 0);
    free_queue();
}

static void a_value_can_be_leased(void **state)
{
    plait_lease lease;
    for (int kind = 0; kind < KINDS; kind++) {
        make_queue(&kinds[kind]);
        put(plait_int(7));
        plait_value *value = plait_queue_lease_value(queue, &lease, PLAIT_NOW);
        if (!queue->leases) {
            assert_null(value);
            assert_int_equal(errno, EINVAL);
        } else {
            assert_string_equal(plait_repr(value), "7");
            assert_int_equal(plait_queue_giveback(queue, lease), 0);
            plait_value_free(value);
            assert_non_null(value = plait_queue_lease_value(queue, &lease, PLAIT_NOW));
            assert_int_equal(lease.attempts, 1);
            assert_int_equal(plait_queue_join(queue, PLAIT_NOW), -ETIMEDOUT);
            assert_int_equal(plait_queue_ack(queue, lease), 0);
            assert_int_equal(plait_queue_join(queue, PLAIT_NOW), 0);
            assert_null(plait_queue_lease_value(queue, NULL, PLAIT_NOW));
            assert_int_equal(errno, EINVAL);
            plait_value_free(value);
        }
        free_queue();
    }
}

/* It is freed in any case: leaks are for the sanitizer to find. */
static void the_value_is_given_away(void **state)
{
    make_queue(&(plait_queue_options){ .maxsize = 1 });
    assert_int_equal(plait_queue_put_value(NULL, a_list(), PLAIT_NOW), -EINVAL);
    put(a_list());
    assert_int_equal(plait_queue_put_value(queue, a_list(), PLAIT_NOW), -ETIMEDOUT);
    must_get("[42, None, 'hello']");
    plait_value *mine = a_list();
    put(plait_value_ref(mine));
    assert_int_equal(plait_list_append(mine, plait_int(43)), 0);         /* the queue has what it was */
    must_get("[42, None, 'hello']");
    assert_string_equal(plait_repr(mine), "[42, None, 'hello', 43]");
    plait_value_free(mine);
    assert_int_equal(plait_queue_close(queue), 0);
    assert_int_equal(plait_queue_put_value(queue, a_list(), PLAIT_FOREVER), PLAIT_ECLOSED);
    must_fail(-PLAIT_ECLOSED);
    free_queue();
}

static void no_value_is_an_error(void **state)
{
    make_queue(NULL);
    errno = 0;
    assert_int_equal(plait_queue_put_value(queue, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_queue_put_value(queue, plait_string("\xff"), PLAIT_NOW), -EILSEQ);
    assert_int_equal(plait_queue_qsize(queue), 0);
    assert_null(plait_queue_get_value(NULL, PLAIT_NOW));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_queue_lease_value(NULL, &(plait_lease){ 0 }, PLAIT_NOW));
    free_queue();
}

/* ---- others ---- */

static int adds_up(void *unused)
{
    int64_t sum = 0, number;
    plait_value *value;
    while ((value = plait_queue_get_value(queue, PLAIT_FOREVER))) {
        CHECK(plait_int_get(plait_list_get(value, 0), &number) == 0);
        plait_value_free(value);
        sum += number;
    }
    CHECK(errno == -PLAIT_ECLOSED);
    return (int)sum;
}

static void threads_share_one(void **state)
{
    for (int kind = 0; kind < 5; kind++) {
        struct test_thread threads[3];
        make_queue(&kinds[kind]);
        for (int i = 0; i < 3; i++) test_thread_start(&threads[i], adds_up, NULL);
        for (int i = 1; i <= 200; i++)
            assert_int_equal(plait_queue_put_value(queue, plait_list(1, plait_int(i)), PLAIT_FOREVER), 0);
        assert_int_equal(plait_queue_close(queue), 0);
        int sum = 0;
        for (int i = 0; i < 3; i++) sum += test_thread_join(&threads[i]);
        assert_int_equal(sum, 200 * 201 / 2);
        free_queue();
    }
}

static int puts_a_list(void *unused)
{
    return plait_queue_put_value(queue, a_list(), PLAIT_FOREVER);
}

static void a_process_puts_one(void **state)
{
    make_queue(NULL);
    const pid_t child = test_fork(puts_a_list, NULL);
    plait_value *value = plait_queue_get_value(queue, PLAIT_FOREVER);
    assert_string_equal(plait_repr(value), "[42, None, 'hello']");
    plait_value_free(value);
    assert_int_equal(test_wait_exit(child), 0);
    free_queue();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_value_comes_as_it_was_put),
    cmocka_unit_test(values_come_in_order),
    cmocka_unit_test(the_lowest_priority_comes_first),
    cmocka_unit_test(large_ones_travel_too),
    cmocka_unit_test(what_is_no_pickle_stays),
    cmocka_unit_test(what_came_back_may_be_no_pickle_either),
    cmocka_unit_test(a_value_can_be_leased),
    cmocka_unit_test(the_value_is_given_away),
    cmocka_unit_test(no_value_is_an_error),
    cmocka_unit_test(threads_share_one),
    cmocka_unit_test(a_process_puts_one),
};

TEST_MAIN(tests)
