/* Whatever logging and counting CPUs ask the system for may be refused. */
#include "fail.h"
#include "host.h"

#include <plait.h>

#include "family/roster.h"
#include "log/log.h"

/* Lines go where they do not get in the way. */
static void be_listened_to(void)
{
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(nowhere >= 0 && dup2(nowhere, STDERR_FILENO) == STDERR_FILENO);
    close(nowhere);
    plait_log_to_stderr(PLAIT_LOG_INFO);
}

static void be_listened_to_as_a_member(void)
{
    be_listened_to();
    CHECK(plait_init(NULL, NULL) == 0);
}

static int log_short(void)
{
    return plait_log(plait_get_logger(), PLAIT_LOG_INFO, "%s", "a message");
}

static int log_long(void)
{
    return plait_log(plait_get_logger(), PLAIT_LOG_INFO, "%010000d", 7);
}

static void check_turn(void)
{
    CHECK(plait_lock_locked((plait_lock *)(void *)plait__roster->log) == 0);
}

static const struct fail_operation first_message = { .set_up = be_listened_to, .run = log_short };
static const struct fail_operation message = { .set_up = be_listened_to_as_a_member, .run = log_short, .finish = check_turn };
static const struct fail_operation long_message = { .set_up = be_listened_to_as_a_member, .run = log_long, .finish = check_turn };

/* --- handlers ------------------------------------------------------------------------------------------------------------ */

static int records;

static void count(const plait_log_record *record, void *unused)
{
    records++;
}

static int add_and_remove(void)
{
    records = 0;
    int error = plait_log_add_handler(plait_get_logger(), count, NULL);
    if (!error) error = plait_log(plait_get_logger(), PLAIT_LOG_ERROR, "%010000d", 7);
    const int removed = plait_log_remove_handler(plait_get_logger(), count, NULL, PLAIT_FOREVER);
    CHECK(removed == 0 && (error || records == 1));
    return error;
}

static const struct fail_operation handler = { .run = add_and_remove };

/* --- CPUs ------------------------------------------------------------------------------------------------------------------ */

static int count_cpus(void)
{
    CHECK(plait_cpu_count() > 0 && plait_cpu_count_online() > 0 && plait_cpu_count_physical() > 0);
    return 0;
}

static const struct fail_operation cpus = { .run = count_cpus };

static const struct CMUnitTest tests[] = {
    FAIL_TESTS(first_message),
    FAIL_TESTS(message),
    FAIL_TESTS(long_message),
    FAIL_TESTS(handler),
    FAIL_TESTS(cpus),
};
TEST_MAIN(tests)
