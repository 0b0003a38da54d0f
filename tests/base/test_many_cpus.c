/* Machines with more CPUs than a cpu_set_t has room for, and sandboxes that say nothing.  The kernel's answer is given here, in
 * place of the C library's function, which only dynamic programs can do. */
#include "harness.h"

#include <sched.h>
#include <string.h>

#include <plait/cpu.h>

static struct {
    unsigned first, last;                                  /* that may be used */
    unsigned cpus;                                         /* that the machine has; 0: it does not tell */
} machine;

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    if (!machine.cpus || size * 8 < machine.cpus) {
        errno = machine.cpus ? EINVAL : EPERM;
        return -1;
    }
    memset(set, 0, size);
    for (unsigned cpu = machine.first; cpu <= machine.last; cpu++) CPU_SET_S(cpu, size, set);
    return 0;
}

static void expect(unsigned first, unsigned last, unsigned cpus)
{
    machine.first = first;
    machine.last = last;
    machine.cpus = cpus;
    assert_true(plait_cpu_count() >= 1);
    assert_int_equal(plait_cpu_count_physical(), last - first + 1);     /* there is no topology of those beyond this machine's */
}

static void more_cpus_than_a_set_has_room_for(void **state)
{
    expect(2000, 2000, 4096);
    assert_int_equal(plait_cpu_count(), 1);
    expect(4000, 8190, 8192);
    expect(65000, 65535, 65536);
}

static void who_is_told_nothing_takes_what_there_is(void **state)
{
    machine.cpus = 0;
    assert_true(plait_cpu_count() >= 1 && plait_cpu_count() <= plait_cpu_count_online());
    assert_int_equal(plait_cpu_count_physical(), plait_cpu_count_online());
    machine.cpus = 1000000;                                /* more than even we have room for */
    assert_int_equal(plait_cpu_count_physical(), plait_cpu_count_online());
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(more_cpus_than_a_set_has_room_for),
    cmocka_unit_test(who_is_told_nothing_takes_what_there_is),
};
TEST_MAIN(tests)
