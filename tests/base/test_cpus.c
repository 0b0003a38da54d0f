/* How many CPUs there are for us: by affinity, by the quotas of control groups, by cores.  /proc and /sys are folders of the
 * test. */
#include "files.h"
#include "host.h"

#include <ftw.h>
#include <sys/stat.h>

#include <plait.h>

#include "base/cgroup.h"
#include "base/cpus.h"
#include "base/fault.h"
#include "base/file.h"

static char root[256];

static int make_root(void **state)
{
    const char *folder = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/plait-root-XXXXXX", folder ? folder : "/tmp");
    plait__test_root = mkdtemp(root);
    return plait__test_root ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    return remove(path);
}

static int remove_root(void **state)
{
    plait__test_root = NULL;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int affinity(void)
{
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    return CPU_COUNT(&cpus);
}

/* --- affinity ---------------------------------------------------------------------------------------------------------- */

static void without_quotas_the_affinity_counts(void **state)
{
    assert_int_equal(plait_cpu_count(), affinity());
    assert_true(plait_cpu_count_online() >= 1);
}

static int run_on_each_alone(void *unused)
{
    cpu_set_t all, one;
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all)) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
        CHECK(plait_cpu_count() == 1 && plait_cpu_count_physical() == 1);
    }
    CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
    CHECK(plait_cpu_count() == CPU_COUNT(&all));
    return 0;
}

static void who_may_run_on_one_has_one(void **state)
{
    const int online = plait_cpu_count_online();
    host_run(run_on_each_alone, NULL);
    assert_int_equal(plait_cpu_count_online(), online);
}

/* --- quotas: how many CPUs they allow is asked about directly, as the machine may have fewer ------------------------------ */

static int with_quota(int expected)
{
    const int least = expected < affinity() ? expected : affinity();
    return plait_cpu_count() == least ? expected : -1;
}

static void version_2(void **state)
{
    write_file(root, "/proc/self/cgroup", "0::/a/b\n");
    write_file(root, "/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(plait_cpu_count(), affinity());
    write_file(root, "/sys/fs/cgroup/a/b/cpu.max", "100000 100000\n");
    assert_int_equal(plait_cpu_count(), 1);
    write_file(root, "/sys/fs/cgroup/a/b/cpu.max", "100001 100000\n");         /* rounded up */
    assert_int_equal(with_quota(2), 2);
    write_file(root, "/sys/fs/cgroup/a/b/cpu.max", "1000 100000\n");
    assert_int_equal(plait_cpu_count(), 1);
    write_file(root, "/sys/fs/cgroup/a/b/cpu.max", "100000000 100000\n");
    assert_int_equal(plait_cpu_count(), affinity());
    write_file(root, "/sys/fs/cgroup/a/b/cpu.max", "100000\n");                /* the usual period */
    assert_int_equal(plait_cpu_count(), 1);
}

static void the_groups_around_count_too(void **state)
{
    write_file(root, "/proc/self/cgroup", "0::/a/b/c\n");
    write_file(root, "/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    write_file(root, "/sys/fs/cgroup/a/cpu.max", "50000 50000\n");
    assert_int_equal(plait_cpu_count(), 1);
    write_file(root, "/sys/fs/cgroup/a/cpu.max", "max 50000\n");
    assert_int_equal(with_quota(8), 8);
    write_file(root, "/sys/fs/cgroup/cpu.max", "20000 100000\n");              /* the mount itself, as in a container */
    assert_int_equal(plait_cpu_count(), 1);
    write_file(root, "/proc/self/cgroup", "0::/not/there\n");
    assert_int_equal(plait_cpu_count(), 1);
}

static void version_1(void **state)
{
    write_file(root, "/proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/a/b\n1:name=systemd:/x\n0::/y\n");
    write_file(root, "/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n");
    write_file(root, "/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n");
    assert_int_equal(plait_cpu_count(), affinity());
    write_file(root, "/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "100000\n");
    assert_int_equal(plait_cpu_count(), 1);
    write_file(root, "/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "200000\n");
    assert_int_equal(with_quota(2), 2);
    write_file(root, "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "5000\n");
    assert_int_equal(with_quota(2), 2);                    /* no period: not understood */
    write_file(root, "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "10000\n");
    assert_int_equal(plait_cpu_count(), 1);
}

static void a_hierarchy_may_be_called_like_all_its_controllers(void **state)
{
    write_file(root, "/sys/fs/cgroup/cpuacct,cpu/a/cpu.cfs_quota_us", "10000");
    write_file(root, "/sys/fs/cgroup/cpuacct,cpu/a/cpu.cfs_period_us", "10000");
    write_file(root, "/proc/self/cgroup", "4:cpuacct,cpu:/a\n");
    assert_int_equal(plait_cpu_count(), 1);
    write_file(root, "/proc/self/cgroup", "4:cpuacct,cpuset:/a\n");            /* not ours, though its name begins so */
    assert_int_equal(plait_cpu_count(), affinity());
}

static void garbage_forbids_nothing(void **state)
{
    static const char *const texts[] = {
        "", "\n", "garbage", "-5 100000", "0 100000", "100000 0", "100000 garbage", "100000 -1", "100000\t100000",
        "99999999999999999999999 100000", "100000 99999999999999999999999", "max", " 100000 100000",
    };
    static const char *const groups[] = {
        "0::/a", "", "nothing", ":", "::", "0::", ":::::", "0:cpu\n0::/a\n", "4:cpu:\n", "4:cpu:a\n",
    };
    write_file(root, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_file(root, "/sys/fs/cgroup/a/cpu.max", texts[i]);
        write_file(root, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", texts[i]);
        for (unsigned j = 0; j < sizeof groups / sizeof groups[0]; j++) {
            write_file(root, "/proc/self/cgroup", groups[j]);
            const int now = plait_cpu_count();
            if (now != affinity() && strncmp(texts[i], "100000", 6) != 0)
                fail_msg("%d CPUs by \"%s\" in \"%s\"", now, texts[i], groups[j]);
        }
    }
}

static uint64_t count_looks(const char *folder, bool old)
{
    static uint64_t looks;
    return 1000 - ++looks;
}

static void each_group_is_looked_at_once(void **state)
{
    write_file(root, "/proc/self/cgroup", "0::/a/b/\n");
    assert_int_equal(plait__cgroup_least("cpu", count_looks, PLAIT__CGROUP_FILE, PLAIT__CGROUP_MOUNT), 1000 - 3);
    char long_name[3000];
    memset(long_name, 'a', sizeof long_name);
    memcpy(long_name, "0::/", 4);
    long_name[sizeof long_name - 1] = 0;
    write_file(root, "/proc/self/cgroup", long_name);
    assert_int_equal(plait__cgroup_least("cpu", count_looks, PLAIT__CGROUP_FILE, PLAIT__CGROUP_MOUNT), 1000 - 4);
}

static void a_pool_has_as_many_workers_as_it_can_use(void **state)
{
    write_file(root, "/proc/self/cgroup", "0::/a\n");
    write_file(root, "/sys/fs/cgroup/a/cpu.max", "50000 100000\n");
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .name = "W" });
    assert_non_null(pool);
    assert_int_equal(plait_pool_workers(pool), 1);
    plait_pool_free(pool);
}

/* --- online ------------------------------------------------------------------------------------------------------------- */

static void lists_are_counted(void **state)
{
    static const struct {
        const char *list;
        int count;
    } rows[] = {
        { "0\n", 1 }, { "0-1\n", 2 }, { "0-3,8,10-11\n", 7 }, { "0-8191\n", 8192 }, { "5", 1 }, { "0-3,", 4 },
    };
    static const char *const garbage[] = { "", "\n", "x", "3-1\n", "0-\n", "0-3x\n", "0 1\n", "-3\n", "0-18446744073709551615\n" };
    const int by_libc = (int)sysconf(_SC_NPROCESSORS_ONLN);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_file(root, "/sys/devices/system/cpu/online", rows[i].list);
        assert_int_equal(plait_cpu_count_online(), rows[i].count);
    }
    for (unsigned i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        write_file(root, "/sys/devices/system/cpu/online", garbage[i]);
        assert_int_equal(plait_cpu_count_online(), by_libc);
    }
}

/* --- cores -------------------------------------------------------------------------------------------------------------- */

static void write_siblings(int cpu, const char *list)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    write_file(root, path, list);
}

static void cpus_of_one_core_count_once(void **state)
{
    char list[32];
    assert_int_equal(plait_cpu_count_physical(), affinity());           /* nothing is told */
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        snprintf(list, sizeof list, "%d-%d\n", cpu / 2 * 2, cpu / 2 * 2 + 1);
        write_siblings(cpu, list);
    }
    cpu_set_t cpus;
    int cores = 0;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu += 2) cores += CPU_ISSET(cpu, &cpus) || CPU_ISSET(cpu + 1, &cpus);
    assert_int_equal(plait_cpu_count_physical(), cores);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) write_siblings(cpu, "garbage");
    assert_int_equal(plait_cpu_count_physical(), affinity());
}

/* --- the machine as it is -------------------------------------------------------------------------------------------------- */

static void the_machine_makes_sense(void **state)
{
    plait__test_root = NULL;
    const int usable = plait_cpu_count(), cores = plait_cpu_count_physical(), online = plait_cpu_count_online();
    printf("%d CPUs, %d usable, %d cores\n", online, usable, cores);
    assert_true(usable >= 1 && usable <= affinity());
    assert_true(cores >= 1 && cores <= affinity());
    assert_true(online >= affinity() && plait__cpus_online() >= 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)
static const struct CMUnitTest tests[] = {
    TEST(without_quotas_the_affinity_counts),
    TEST(who_may_run_on_one_has_one),
    TEST(version_2),
    TEST(the_groups_around_count_too),
    TEST(version_1),
    TEST(a_hierarchy_may_be_called_like_all_its_controllers),
    TEST(garbage_forbids_nothing),
    TEST(each_group_is_looked_at_once),
    TEST(a_pool_has_as_many_workers_as_it_can_use),
    TEST(lists_are_counted),
    TEST(cpus_of_one_core_count_once),
    TEST(the_machine_makes_sense),
};
TEST_MAIN(tests)
