/* Whatever a wait for many things asks the system for may be refused: it says so, and leaves nothing. */
#include "fail.h"
#include "host.h"
#include "others.h"

#include <plait.h>

static plait_event *event;
static int ends[2];
static plait_watch *watch;
static plait_waitable many[40];

static void set_up(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
}

static void prepare(void)
{
    CHECK((event = plait_event_new()) && pipe2(ends, O_CLOEXEC) == 0);
    for (int i = 0; i < 40; i++) many[i] = (plait_waitable){ PLAIT_WAIT_EVENT, .object = event };
    many[39] = (plait_waitable){ PLAIT_WAIT_FD, .fd = ends[0] };
}

static void finish(void)
{
    plait_leave();
    CHECK(plait_watch_free(watch) == 0 && plait_event_free(event) == 0);
    watch = NULL;
    close(ends[0]);
    close(ends[1]);
}

static int wait_a_moment(void)
{
    const int result = plait_wait(many, 40, plait_after(0.001));
    return result == -ETIMEDOUT ? 0 : result;
}

static int new_watch(void)
{
    return (watch = plait_watch_new(many, 40)) ? 0 : -errno;
}

static const struct fail_operation wait_among_descriptors = { .set_up = set_up, .prepare = prepare, .run = wait_a_moment,
                                                              .finish = finish };
static const struct fail_operation watch_new = { .set_up = set_up, .prepare = prepare, .run = new_watch, .finish = finish };

static const struct CMUnitTest tests[] = { FAIL_TESTS(wait_among_descriptors), FAIL_TESTS(watch_new) };
TEST_MAIN(tests)
