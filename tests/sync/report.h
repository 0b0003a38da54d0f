/* report.h - what plait_deadlock_report writes now. */
#ifndef PLAIT_TEST_REPORT_H
#define PLAIT_TEST_REPORT_H

#include "harness.h"

#include <string.h>

#include <plait/deadlock.h>

/* The report, and what it returned. */
static char report[8192];

static int reported(void)
{
    memset(report, 0, sizeof report);
    FILE *file = fmemopen(report, sizeof report, "w");
    assert_non_null(file);
    const int cycles = plait_deadlock_report(file);
    fclose(file);
    return cycles;
}

#endif
