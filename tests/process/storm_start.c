/* Starts of all kinds in many processes at once, while those who start, their children, forkservers and stocks are killed.
 * Each start is an error that a death explains, or is joined with the right code; and in the end nobody is left. */
#include "storm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <plait.h>

#include "host.h"
#include "program.h"

#define WORKERS 4

static struct {
    _Atomic uint64_t joined;                               /* starts that came to an end as they should */
    _Atomic uint64_t refused, lost;                        /* starts that failed; exit codes that nobody knows */
} *counts;

static struct storm storm;

/* ---- a worker ---- */

enum fate { RETURNS, DIES, IS_KILLED, FATES };

static int live(void *argument)
{
    const int *code = argument;
    if (*code < 0) raise(-*code);
    if (*code > 200) sleep_for_ever();
    return *code;
}

/* What can be the cause of a failing start: a forkserver that was killed, twice in a row. */
static void must_be_explained(int error)
{
    if (error != ECANCELED) dprintf(STDERR_FILENO, "%s: %s\n", plait_strerror(error), plait_error_detail());
    CHECK(error == ECANCELED);
    atomic_fetch_add(&counts->refused, 1);
}

static void must_be(plait_process *process, enum fate fate, int code, int method)
{
    const int expected = fate == RETURNS ? code : -SIGKILL;
    const int got = plait_process_exitcode(process);
    const bool died_with_server = method == PLAIT_FORKSERVER && got == PLAIT_EREAPED;
    const bool killed_in_its_seat = method == PLAIT_FORKSERVER && got == -SIGKILL;
    if (got != expected && !died_with_server && !killed_in_its_seat)
        dprintf(STDERR_FILENO, "%d instead of %d, method %d: %s\n", got, expected, method, plait_error_detail());
    CHECK(got == expected || died_with_server || killed_in_its_seat);
    if (died_with_server) atomic_fetch_add(&counts->lost, 1);
}

static void start_one(uint64_t *random, int method)
{
    const enum fate fate = (enum fate)(test_random(random) % FATES);
    int code = (int)(test_random(random) % 200);
    if (fate == DIES) code = -SIGKILL;
    if (fate == IS_KILLED) code = 201;
    plait_process *process = plait_start(live, &code, sizeof code, &(plait_process_options){
        .method = method, .cwd = test_random(random) % 4 ? NULL : "/", .nice = test_random(random) % 8 == 0 });
    if (!process) {
        must_be_explained(errno);
        return;
    }
    if (fate == IS_KILLED) CHECK(plait_process_kill(process) == 0);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    must_be(process, fate, code, method);
    CHECK(plait_process_free(process) == 0);
    atomic_fetch_add(&counts->joined, 1);
}

static void disturb(uint64_t *random)
{
    pid_t pids[8];
    const pid_t server = plait_forkserver_pid();
    if (!server) return;
    const plait_forkserver_options options = { .stock = (int)(test_random(random) % 4) };
    if (test_random(random) % 4 == 0) CHECK(plait_forkserver_start(&options) <= 0);
    if (test_random(random) % 4 == 0) kill(server, SIGKILL);
    if (test_random(random) % 4 != 0) return;
    const size_t count = program_children(server, pids, 8);
    for (size_t i = 0; i < count; i++) kill(pids[i], SIGKILL);
}

static void work(int place, uint64_t random)
{
    (void)place;
    while (!storm_is_over()) {
        const int choice = (int)(test_random(&random) % 16);
        if (choice == 0) disturb(&random);
        else start_one(&random, choice < 3 ? PLAIT_SPAWN : choice < 6 ? PLAIT_FORK : PLAIT_FORKSERVER);
    }
    CHECK(plait_forkserver_stop() == 0);
}

/* ---- the tester ---- */

/* Orphans of the killed come to us, and are zombies soon. */
static bool has_no_descendants(void *unused)
{
    (void)unused;
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    return has_no_child();
}

/* Without pidfds a forkserver and its children, or a child with a watcher, may outlive a killed worker by some 0.2 s. */
static void until_alone(void)
{
    test_until(has_no_descendants, NULL);
}

static void tell(void)
{
    printf("%llu starts joined, %llu refused, %llu codes lost with a server\n", (unsigned long long)counts->joined,
           (unsigned long long)counts->refused, (unsigned long long)counts->lost);
    assert_true(counts->joined > 0);
}

static void starts_and_deaths_of_all_kinds(void **state)
{
    (void)state;
    storm_family();
    adopt_orphans();
    counts = test_shared(sizeof *counts);
    storm = (struct storm){ .workers = WORKERS, .body = work, .until_alone = until_alone, .progress = &counts->joined };
    storm_rage(&storm);
    storm_end(&storm);
    printf("%ld workers killed, longest stall %.0f ms\n", storm.kills, storm.longest_stall * 1000);
    tell();
}

/* ---- without deaths of those who start, so that what they start gets further ---- */

static int work_on(void *random)
{
    work(0, *(uint64_t *)random);
    return 0;
}

static void deaths_of_servers_and_stocks(void **state)
{
    (void)state;
    storm_family();
    adopt_orphans();
    counts = test_shared(sizeof *counts);
    uint64_t random = test_seed();
    pid_t pids[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        uint64_t own = test_random(&random);
        pids[i] = test_fork(work_on, &own);
    }
    const char *wish = getenv("PLAIT_STORM_SECONDS");
    nanosleep(&(struct timespec){ .tv_sec = wish ? atoi(wish) : 2 }, NULL);
    storm_stop();
    for (int i = 0; i < WORKERS; i++) assert_int_equal(test_wait_exit(pids[i]), 0);
    until_alone();
    tell();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(deaths_of_servers_and_stocks),
    cmocka_unit_test(starts_and_deaths_of_all_kinds),
};

TEST_MAIN(tests)
