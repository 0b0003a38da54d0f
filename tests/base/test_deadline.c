/* Deadlines, and which version this is. */
#include "harness.h"

#include <inttypes.h>
#include <math.h>

#include <plait/version.h>

#include "base/deadline.h"

static bool is(plait_deadline a, plait_deadline b)
{
    return a.at == b.at;
}

static void nothing_to_wait_for_is_now(void **state)
{
    assert_true(is(plait_after(0), PLAIT_NOW));
    assert_true(is(plait_after(-0.0), PLAIT_NOW));
    assert_true(is(plait_after(-1), PLAIT_NOW));
    assert_true(is(plait_after(-1e300), PLAIT_NOW));
    assert_true(is(plait_after(-INFINITY), PLAIT_NOW));
    assert_true(is(plait_after(NAN), PLAIT_NOW));
    assert_true(is(plait_after(-NAN), PLAIT_NOW));
}

static void longer_than_anybody_lives_is_forever(void **state)
{
    assert_true(is(plait_after(INFINITY), PLAIT_FOREVER));
    assert_true(is(plait_after(1e300), PLAIT_FOREVER));
    assert_true(is(plait_after(9.3e9), PLAIT_FOREVER));
    assert_true(is(plait_after(300.0 * 365.25 * 86400), PLAIT_FOREVER));
    assert_true(is(plait_after(9223372036.8547758), PLAIT_FOREVER));
}

static void a_century_is_still_a_deadline(void **state)
{
    const plait_deadline century = plait_after(100.0 * 365.25 * 86400);
    assert_false(plait__is_forever(century));
    assert_true(century.at > plait__now());
}

static void seconds_are_added_to_the_clock(void **state)
{
    static const double seconds[] = { 1e-9, 1e-6, 0.001, 0.25, 1, 2.5, 3600, 1e6 };
    for (unsigned i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        const int64_t length = (int64_t)(seconds[i] * 1e9), before = plait__now();
        const int64_t at = plait_after(seconds[i]).at;
        assert_true(at >= before + length);
        assert_true(at <= plait__now() + length);
    }
}

static void less_than_a_nanosecond_is_no_forever(void **state)
{
    const plait_deadline deadline = plait_after(1e-30);
    assert_false(plait__is_forever(deadline));
    assert_true(plait__expired(deadline));
}

static void a_deadline_comes_not_before_its_time(void **state)
{
    const int64_t before = plait__now();
    const plait_deadline deadline = plait_after(0.01);
    while (!plait__expired(deadline)) {}
    assert_true(plait__now() - before >= 10 * PLAIT__MILLISECOND);
}

static void now_is_over_and_forever_never(void **state)
{
    assert_true(plait__expired(PLAIT_NOW));
    assert_true(plait__is_now(PLAIT_NOW));
    assert_false(plait__is_forever(PLAIT_NOW));
    assert_false(plait__expired(PLAIT_FOREVER));
    assert_true(plait__is_forever(PLAIT_FOREVER));
    assert_false(plait__is_now(PLAIT_FOREVER));
    assert_true(is((plait_deadline){ 0 }, PLAIT_FOREVER));
}

static void a_deadline_before_boot_is_over_too(void **state)
{
    assert_true(plait__expired((plait_deadline){ -5 }));
    assert_true(plait__is_now((plait_deadline){ INT64_MIN }));
    assert_true(plait__expired((plait_deadline){ plait__now() - 1 }));
    assert_false(plait__expired((plait_deadline){ INT64_MAX }));
}

static void the_earlier_of_two_is_found(void **state)
{
    assert_int_equal(plait__earlier(PLAIT_FOREVER, 500), 500);
    assert_int_equal(plait__earlier((plait_deadline){ 499 }, 500), 499);
    assert_int_equal(plait__earlier((plait_deadline){ 501 }, 500), 500);
    assert_int_equal(plait__earlier(PLAIT_NOW, 500), 1);
}

static void nanoseconds_become_a_timespec(void **state)
{
    struct timespec time = plait__timespec(3 * PLAIT__SECOND + 7);
    assert_int_equal(time.tv_sec, 3);
    assert_int_equal(time.tv_nsec, 7);
    time = plait__timespec(-8);
    assert_int_equal(time.tv_sec, 0);
    assert_int_equal(time.tv_nsec, 0);
    time = plait__timespec(INT64_MAX);
    assert_int_equal(time.tv_sec, INT64_MAX / PLAIT__SECOND);
    assert_in_range(time.tv_nsec, 0, 999999999);
}

static void the_version_is_the_one_of_the_header(void **state)
{
    char text[40];
    snprintf(text, sizeof text, "%d.%d.%d", PLAIT_VERSION_MAJOR, PLAIT_VERSION_MINOR, PLAIT_VERSION_PATCH);
    assert_int_equal(plait_version(), PLAIT_VERSION);
    assert_string_equal(PLAIT_VERSION_STRING, text);
    assert_int_equal(PLAIT_VERSION / 1000000, PLAIT_VERSION_MAJOR);
    assert_int_equal(PLAIT_VERSION / 1000 % 1000, PLAIT_VERSION_MINOR);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_to_wait_for_is_now),
    cmocka_unit_test(longer_than_anybody_lives_is_forever),
    cmocka_unit_test(a_century_is_still_a_deadline),
    cmocka_unit_test(seconds_are_added_to_the_clock),
    cmocka_unit_test(less_than_a_nanosecond_is_no_forever),
    cmocka_unit_test(a_deadline_comes_not_before_its_time),
    cmocka_unit_test(now_is_over_and_forever_never),
    cmocka_unit_test(a_deadline_before_boot_is_over_too),
    cmocka_unit_test(the_earlier_of_two_is_found),
    cmocka_unit_test(nanoseconds_become_a_timespec),
    cmocka_unit_test(the_version_is_the_one_of_the_header),
};
TEST_MAIN(tests)
