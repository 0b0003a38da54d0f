#include "storm.h"

#include <signal.h>
#include <sys/wait.h>
#include <stdlib.h>
#include <time.h>

#include <plait.h>

#include "base/deadline.h"
#include "base/fault.h"
#include "family/roster.h"

#define STALL_MAX (5 * PLAIT__SECOND)

struct storm_state {
    pid_t workers[STORM_WORKERS], bystanders[STORM_BYSTANDERS];
    bool stopped[STORM_BYSTANDERS];
    uint64_t random, progress_seen;
    int64_t progress_at;
};

static _Atomic bool *over;
static plait_queue *quiet;

bool storm_is_over(void)
{
    return *over;
}

void storm_stop(void)
{
    *over = true;
}

void storm_family(void)
{
    plait__test_arena_size = 256ul << 20;
    assert_int_equal(plait_init(NULL, NULL), 0);
    quiet = plait_queue_new(&(plait_queue_options){ .capacity = 1024 });
    assert_non_null(quiet);
    over = test_shared(sizeof *over);
}

/* ---- those who take part ---- */

struct part {
    const struct storm *storm;
    int place;
    uint64_t random;
};

static int work(void *argument)
{
    const struct part *part = argument;
    part->storm->body(part->place, part->random);
    plait_leave();
    return 0;
}

static void start_worker(struct storm *storm, int place)
{
    struct part part = { storm, place, test_random(&storm->state->random) };
    storm->state->workers[place] = test_fork(work, &part);
}

static int stand_by(void *unused)
{
    (void)unused;
    char nothing;
    ssize_t got = plait_queue_get(quiet, &nothing, 1, PLAIT_FOREVER);
    plait_leave();
    return got == PLAIT_ECLOSED ? 0 : 1;
}

static void kill_one(struct storm *storm)
{
    const int place = (int)(test_random(&storm->state->random) % (uint64_t)storm->workers);
    const pid_t pid = storm->state->workers[place];
    assert_int_equal(kill(pid, SIGKILL), 0);
    const int status = test_wait_exit(pid);
    if (status != -SIGKILL) fail_msg("worker %d had ended by itself: %d", place, status);
    storm->kills++;
    storm->kills_of[place]++;
    if (storm->killed) storm->killed(place);
    start_worker(storm, place);
}

static void stop_or_continue_one(struct storm *storm)
{
    const int which = (int)(test_random(&storm->state->random) % STORM_BYSTANDERS);
    bool *stopped = &storm->state->stopped[which];
    assert_int_equal(kill(storm->state->bystanders[which], *stopped ? SIGCONT : SIGSTOP), 0);
    *stopped = !*stopped;
    storm->stops += *stopped;
}

/* ---- is everything going on? ---- */

static void tell_who_is_there(void)
{
    for (uint32_t i = 1; i <= atomic_load(&plait__roster->made); i++) {
        const struct plait__slot *slot = plait__slot(i);
        const uint32_t pulse = atomic_load(plait__pulse_word(i));
        if (!pulse) continue;
        print_error("slot %u: pid %d, pulse %#x, waits on %p for %u, inside %p\n", i, (int)atomic_load(&slot->pid), pulse,
                    (void *)atomic_load(&slot->waiting), atomic_load(&slot->waiting_for), (void *)atomic_load(&slot->inside));
    }
}

static void look_at_progress(struct storm *storm)
{
    struct storm_state *state = storm->state;
    const uint64_t seen = atomic_load(storm->progress);
    const int64_t now = plait__now();
    const double stall = (double)(now - state->progress_at) / 1e9;
    if (seen == state->progress_seen) {
        if (now - state->progress_at < STALL_MAX) return;
        tell_who_is_there();
        fail_msg("nothing has happened for %.1f s, after %ld kills", stall, storm->kills);
    }
    if (stall > storm->longest_stall) storm->longest_stall = stall;
    state->progress_seen = seen;
    state->progress_at = now;
}

static void nap(uint64_t microseconds)
{
    nanosleep(&(struct timespec){ .tv_nsec = (long)microseconds * 1000 }, NULL);
}

/* ---- the whole ---- */

void storm_rage(struct storm *storm)
{
    const char *wish = getenv("PLAIT_STORM_SECONDS");
    const int64_t end = plait__now() + (int64_t)((wish ? atof(wish) : 2) * 1e9);
    static struct storm_state state;
    state = (struct storm_state){ .random = test_seed(), .progress_at = plait__now() };
    storm->state = &state;
    *over = false;
    for (int i = 0; i < STORM_BYSTANDERS; i++) state.bystanders[i] = test_fork(stand_by, NULL);
    for (int i = 0; i < storm->workers; i++) start_worker(storm, i);
    while (plait__now() < end) {
        nap(200 + test_random(&state.random) % 1500);
        kill_one(storm);
        if (test_random(&state.random) % 8 == 0) stop_or_continue_one(storm);
        look_at_progress(storm);
    }
    *over = true;
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = { 0 };
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

void storm_end(struct storm *storm)
{
    struct storm_state *state = storm->state;
    const int64_t patience = plait__now() + 4 * STALL_MAX;
    for (int i = 0; i < storm->workers; i++) {
        while (!has_ended(state->workers[i])) {
            nap(1000);
            if (plait__now() < patience) continue;
            tell_who_is_there();
            fail_msg("worker %d does not come to its end", i);
        }
        assert_int_equal(test_wait_exit(state->workers[i]), 0);
    }
    for (int i = 0; i < STORM_BYSTANDERS; i++) assert_int_equal(kill(state->bystanders[i], SIGCONT), 0);
    assert_int_equal(plait_queue_close(quiet), 0);
    for (int i = 0; i < STORM_BYSTANDERS; i++) assert_int_equal(test_wait_exit(state->bystanders[i]), 0);
    if (storm->until_alone) storm->until_alone();
    assert_int_equal(plait_member_count(), 1);
}
