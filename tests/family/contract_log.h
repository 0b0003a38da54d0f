/* contract_log.h - the rows of test_contract for loggers. */
#ifndef PLAIT_TEST_CONTRACT_LOG_H
#define PLAIT_TEST_CONTRACT_LOG_H

#include "harness.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <plait.h>

#include "log/log.h"

/* Standard error is somewhere else meanwhile, and broken at times. */
static void log_elsewhere(int elsewhere, int result)
{
    const int before = dup(STDERR_FILENO);
    CHECK(elsewhere >= 0 && dup2(elsewhere, STDERR_FILENO) == STDERR_FILENO);
    close(elsewhere);
    plait_logger *logger = plait_log_to_stderr(PLAIT_LOG_INFO);
    const int got[] = { plait_log(logger, PLAIT_LOG_INFO, "hello"), plait_log(logger, PLAIT_LOG_INFO, "%05000d", 1) };
    plait__log_set_state((struct plait__log_state){ 0 });
    CHECK(dup2(before, STDERR_FILENO) == STDERR_FILENO);
    close(before);
    CHECK(logger && got[0] == result && got[1] == result);
}

static int broken_pipe(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    return ends[1];
}

static void count_record(const plait_log_record *record, void *context)
{
    CHECK(strcmp(record->message, "hello") == 0);
    ++*(int *)context;
}

static void log_to_handler(void)
{
    int count = 0;
    CHECK(plait_log_add_handler(plait_get_logger(), count_record, &count) == 0);
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_WARNING, "hello") == 0 && count == 1);
    CHECK(plait_log_remove_handler(plait_get_logger(), count_record, &count, PLAIT_FOREVER) == 0);
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_WARNING, "hello") == 0 && count == 1);
}

#define LOG_FUNCTIONS(X)                                                                              \
    X(plait_get_logger, ANY_TIME, CHECK(plait_get_logger()))                                          \
    X(plait_log, ANY_TIME, log_elsewhere(broken_pipe(), -EPIPE))                                      \
    X(plait_log_to_stderr, ANY_TIME, log_elsewhere(open("/dev/null", O_WRONLY), 0))                   \
    X(plait_log_set_level, ANY_TIME, CHECK(plait_log_set_level(plait_get_logger(), PLAIT_LOG_INFO) == 0)) \
    X(plait_log_level, ANY_TIME, CHECK(plait_log_level(plait_get_logger()) > 0))                      \
    X(plait_log_add_handler, ANY_TIME, log_to_handler())                                              \
    X(plait_log_remove_handler, ANY_TIME, log_to_handler())

#endif
