/* Error numbers, their names and messages, and the detail of each thread. */
#include "harness.h"
#include "others.h"

#include <limits.h>

#include <plait/init.h>
#include <plait/deadline.h>
#include <plait/error.h>
#include <plait/queue.h>

#include "base/error.h"

static const struct {
    int value;
    const char *name, *message;
} own[] = {
#define ROW(name, value, message) { value, "PLAIT_" #name, message },
    PLAIT_ERRORS(ROW)
#undef ROW
};
enum { OWN = sizeof own / sizeof own[0] };

static void each_code_has_its_name_and_message(void **state)
{
    for (int i = 0; i < OWN; i++) {
        assert_string_equal(plait_strerrorname(own[i].value), own[i].name);
        assert_string_equal(plait_strerror(own[i].value), own[i].message);
        assert_true(strlen(own[i].message) > 5);
    }
}

static void both_signs_mean_the_same(void **state)
{
    for (int i = 0; i < OWN; i++) {
        assert_ptr_equal(plait_strerrorname(-own[i].value), plait_strerrorname(own[i].value));
        assert_ptr_equal(plait_strerror(-own[i].value), plait_strerror(own[i].value));
    }
}

static void codes_are_unique_and_beyond_those_of_the_system(void **state)
{
    for (int i = 0; i < OWN; i++) {
        assert_true(own[i].value < -4096);
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(own[i].value, own[j].value);
            assert_string_not_equal(own[i].name, own[j].name);
            assert_string_not_equal(own[i].message, own[j].message);
        }
    }
    assert_true(PLAIT_OWNER_DIED > 0);
}

static void values_stay_what_they_were_released_as(void **state)
{
    assert_int_equal(PLAIT_ECLOSED, -4097);
    assert_int_equal(PLAIT_EWORKERDIED, -4098);
    assert_int_equal(PLAIT_ERUNNING, -4099);
    assert_int_equal(PLAIT_EREAPED, -4100);
    assert_int_equal(PLAIT_ENOTOURS, -4101);
    assert_int_equal(PLAIT_EFREED, -4102);
    assert_int_equal(PLAIT_EUNLOCKED, -4103);
    assert_int_equal(PLAIT_ENOLEASE, -4104);
    assert_int_equal(PLAIT_ETOOMANY, -4105);
    assert_int_equal(PLAIT_ENOARENA, -4106);
    assert_int_equal(PLAIT_ENOINIT, -4107);
    assert_int_equal(PLAIT_ENOTSTARTED, -4108);
    assert_int_equal(PLAIT_ENOFUNCTION, -4109);
    assert_int_equal(PLAIT_EDAEMON, -4110);
}

static void system_errors_come_with_both_signs(void **state)
{
    for (int number = 1; number < 134; number++) {
        if (number == 41 || number == 58) continue;     /* nothing on Linux */
        assert_non_null(plait_strerrorname(number));
        assert_ptr_equal(plait_strerrorname(-number), plait_strerrorname(number));
        assert_ptr_equal(plait_strerror(-number), plait_strerror(number));
        assert_null(strstr(plait_strerror(number), "unknown"));
    }
    assert_string_equal(plait_strerrorname(-ENOMEM), "ENOMEM");
    assert_string_equal(plait_strerrorname(EHWPOISON), "EHWPOISON");
    assert_string_equal(plait_strerror(-ENOMEM), strerror(ENOMEM));
}

/* Theirs are lists of their own, ours has the names for all C libraries. */
static void names_and_messages_are_those_of_glibc(void **state)
{
#ifdef __GLIBC__
    for (int number = 1; number < 4096; number++) {
        const char *name = strerrorname_np(number), *text = strerrordesc_np(number);
        if (number == PLAIT_OWNER_DIED) continue;
        if (!name) assert_null(plait_strerrorname(number));
        else assert_string_equal(plait_strerrorname(number), name);
        if (text) assert_string_equal(plait_strerror(number), text);
    }
    assert_string_equal(plait_strerror(-ETIMEDOUT), "Connection timed out");
#else
    skip();
#endif
}

static void nobody_knows_these_numbers(void **state)
{
    static const int numbers[] = { 41, 4000, 4096, 5000, -4000, -4096, -9999, -5000, 100000, -100000, INT_MAX, -INT_MAX, INT_MIN };
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char expected[40];
        snprintf(expected, sizeof expected, "unknown error %d", numbers[i]);
        assert_string_equal(plait_strerror(numbers[i]), expected);
        assert_null(plait_strerrorname(numbers[i]));
    }
}

static void success_has_a_message_too(void **state)
{
    assert_string_equal(plait_strerror(0), "Success");
}

/* --- the detail --- */

static void the_detail_is_empty_at_first(void **state)
{
    assert_string_equal(plait_error_detail(), "");
}

static void a_failing_call_sets_the_detail_and_a_good_one_keeps_it(void **state)
{
    assert_int_equal(plait_queue_put(NULL, "", 0, PLAIT_NOW), -EINVAL);
    char first[240];
    snprintf(first, sizeof first, "%s", plait_error_detail());
    assert_non_null(strstr(first, "NULL"));
    assert_int_equal(plait_init(NULL, NULL), 0);
    plait_queue *queue = plait_queue_new(NULL);
    assert_non_null(queue);
    assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_free(queue), 0);
    assert_string_equal(plait_error_detail(), first);
}

static void looking_at_the_next_size_keeps_the_detail(void **state)
{
    plait_queue *queue = plait_queue_new(NULL);
    assert_int_equal(plait_queue_put(queue, "abc", 3, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_put(NULL, "", 0, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW), 3);
    assert_string_equal(plait_error_detail(), "the queue is NULL");
    assert_int_equal(plait_queue_free(queue), 0);
}

/* What a failure says is about that failure: the text of an earlier one would mislead. */
static void a_closed_queue_does_not_show_the_detail_of_an_earlier_failure(void **state)
{
    plait_queue *queue = plait_queue_new(NULL);
    char byte;
    assert_int_equal(plait_queue_get(queue, &byte, 1, PLAIT_NOW), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "empty"));
    assert_int_equal(plait_queue_close(queue), 0);
    assert_int_equal(plait_queue_get(queue, &byte, 1, PLAIT_NOW), PLAIT_ECLOSED);
    assert_null(strstr(plait_error_detail(), "empty"));
    assert_int_equal(plait_queue_put(NULL, "", 0, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_queue_put(queue, &byte, 1, PLAIT_NOW), PLAIT_ECLOSED);
    assert_null(strstr(plait_error_detail(), "NULL"));
    assert_int_equal(plait_queue_free(queue), 0);
}

static int fails_by_itself(void *unused)
{
    CHECK(strcmp(plait_error_detail(), "") == 0);
    CHECK(plait__fail(-EIO, "of the second thread") == -EIO);
    CHECK(strcmp(plait_error_detail(), "of the second thread") == 0);
    return 0;
}

static void each_thread_has_its_own_detail(void **state)
{
    plait__fail(-EIO, "of the first thread");
    struct test_thread thread;
    test_thread_start(&thread, fails_by_itself, NULL);
    assert_int_equal(test_thread_join(&thread), 0);
    assert_string_equal(plait_error_detail(), "of the first thread");
}

static int asks_for_an_unknown_one(void *unused)
{
    CHECK(strcmp(plait_strerror(30002), "unknown error 30002") == 0);
    return 0;
}

static void each_thread_has_its_own_text_for_unknown_numbers(void **state)
{
    const char *text = plait_strerror(30001);
    struct test_thread thread;
    test_thread_start(&thread, asks_for_an_unknown_one, NULL);
    assert_int_equal(test_thread_join(&thread), 0);
    assert_string_equal(text, "unknown error 30001");
}

static void layers_add_to_the_detail(void **state)
{
    errno = 77;
    assert_int_equal(plait__fail(-EIO, "disk %d", 7), -EIO);
    assert_string_equal(plait_error_detail(), "disk 7");
    plait__add_detail("shelf %s", "b");
    plait__add_detail("room 3");
    assert_string_equal(plait_error_detail(), "disk 7: shelf b: room 3");
    assert_int_equal(errno, 77);
}

static void a_long_detail_is_cut_and_stays_a_string(void **state)
{
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    plait__fail(-EIO, "%s", text);
    const size_t length = strlen(plait_error_detail());
    assert_in_range(length, 100, 999);
    plait__add_detail("%s", text);
    assert_int_equal(strlen(plait_error_detail()), length);
    for (size_t room = 1; room < 6; room++) {
        plait__fail(-EIO, "%.*s", (int)(length - room), text);
        plait__add_detail("more");
        assert_in_range(strlen(plait_error_detail()), length - room, length);
    }
}

static void constructors_set_errno_to_the_positive_code(void **state)
{
    errno = 0;
    assert_null(plait__null(PLAIT_ENOARENA));
    assert_int_equal(errno, 4106);
    assert_null(plait__null(-ENOMEM));
    assert_int_equal(errno, ENOMEM);
    assert_null(plait__null(EMFILE));
    assert_int_equal(errno, EMFILE);
    assert_null(plait_queue_new(&(plait_queue_options){ .capacity = SIZE_MAX }));
    assert_int_equal(errno, EINVAL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_code_has_its_name_and_message),
    cmocka_unit_test(both_signs_mean_the_same),
    cmocka_unit_test(codes_are_unique_and_beyond_those_of_the_system),
    cmocka_unit_test(values_stay_what_they_were_released_as),
    cmocka_unit_test(system_errors_come_with_both_signs),
    cmocka_unit_test(names_and_messages_are_those_of_glibc),
    cmocka_unit_test(nobody_knows_these_numbers),
    cmocka_unit_test(success_has_a_message_too),
    cmocka_unit_test(the_detail_is_empty_at_first),
    cmocka_unit_test(a_failing_call_sets_the_detail_and_a_good_one_keeps_it),
    cmocka_unit_test(looking_at_the_next_size_keeps_the_detail),
    cmocka_unit_test(a_closed_queue_does_not_show_the_detail_of_an_earlier_failure),
    cmocka_unit_test(each_thread_has_its_own_detail),
    cmocka_unit_test(each_thread_has_its_own_text_for_unknown_numbers),
    cmocka_unit_test(layers_add_to_the_detail),
    cmocka_unit_test(a_long_detail_is_cut_and_stays_a_string),
    cmocka_unit_test(constructors_set_errno_to_the_positive_code),
};
TEST_MAIN(tests)
