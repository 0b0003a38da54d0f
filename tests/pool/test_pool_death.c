/* Tasks that kill the worker they run in: they are tried again, then given up, and nobody else's work is lost. */
#include "tasks.h"

#include "pool/board.h"

enum { N = 60, VICTIM = 21, WORKERS = 3, MOST_ATTEMPTS = 250 };

enum way { BY_SIGNAL, BY_FAULT, BY_EXIT, BY__EXIT, BY_EXEC, BY_ABORT };

struct end {
    enum way way;
    int number;                         /* the signal, or the exit code */
};

static struct notes {
    struct end end;
    int deaths;                         /* so many attempts of the victim end their worker */
    _Atomic int attempts;
    _Atomic pid_t pids[MOST_ATTEMPTS];
    _Atomic int running[2], go;
} *notes;

static plait_pool *pool;

static int make_pool(void **state)
{
    if (!notes) notes = test_shared(sizeof *notes);
    memset(notes, 0, sizeof *notes);
    pool = new_pool(WORKERS);
    expect_squares(pool, 100);
    return 0;
}

static int end_pool(void **state)
{
    plait_pool_free(pool);
    return 0;
}

/* ---- ways to die ---- */

static void *volatile nowhere = (void *)16;

static void die(struct end end)
{
    switch (end.way) {
    case BY_SIGNAL:
        signal(end.number, SIG_DFL);
        raise(end.number);
        break;
    case BY_FAULT:
        signal(SIGSEGV, SIG_DFL);
        *(volatile int *)nowhere = 1;
        break;
    case BY_EXIT: exit(end.number);
    case BY__EXIT: _exit(end.number);
    case BY_EXEC: execl("/bin/true", "true", (char *)NULL); break;
    case BY_ABORT:
        signal(SIGABRT, SIG_DFL);
        abort();
    }
    _exit(TEST_CHECK_FAILED);
}

static int square_or_die(const void *in, void *out, void *context)
{
    if (*(const int *)in == VICTIM) {
        const int attempt = atomic_fetch_add(&notes->attempts, 1);
        notes->pids[attempt] = getpid();
        if (attempt < notes->deaths) die(notes->end);
    }
    return square(in, out, context);
}

/* What plait_error_detail tells of an end; "" if it depends on who is faster. */
static void describe(struct end end, char *text, size_t size)
{
    *text = 0;
    if (end.way == BY_SIGNAL) snprintf(text, size, "was killed by signal %d", end.number);
    if (end.way == BY_FAULT) snprintf(text, size, "was killed by signal %d", SIGSEGV);
    if (end.way == BY_ABORT) snprintf(text, size, "was killed by signal %d", SIGABRT);
    if (end.way == BY_EXIT || end.way == BY__EXIT) snprintf(text, size, "ended with exit code %d", end.number);
}

/* ---- maps with a victim ---- */

/* Map N tasks, one of which ends its worker `deaths` times: the result. */
static int map(struct end end, int deaths, int retries, size_t chunk, int *out)
{
    int in[N];
    for (int i = 0; i < N; i++) in[i] = i;
    notes->end = end;
    notes->deaths = deaths;
    notes->attempts = 0;
    const plait_map_options options = { .chunk = chunk, .retries = retries };
    return plait_pool_map(pool, square_or_die, in, sizeof in[0], out, sizeof out[0], N, &options);
}

static void expect_all_squares_but(const int *out, int first, int count)
{
    for (int i = 0; i < N; i++)
        if (i < first || i >= first + count) assert_int_equal(out[i], i * i);
}

static void expect_success(struct end end, int deaths, int retries, size_t chunk)
{
    int out[N] = { 0 };
    assert_int_equal(map(end, deaths, retries, chunk, out), 0);
    expect_all_squares_but(out, N, 0);
    assert_int_equal(notes->attempts, deaths + 1);
    expect_squares(pool, 100);
}

/* It is given up after so many attempts; the detail tells of the last one. */
static void expect_failure(struct end end, int retries, int attempts, size_t chunk)
{
    int out[N] = { 0 };
    char who[64], how[64], where[64];
    const int first = VICTIM / (int)chunk * (int)chunk;
    const int last = first + (int)chunk < N ? first + (int)chunk - 1 : N - 1;
    assert_int_equal(map(end, 1000, retries, chunk, out), PLAIT_EWORKERDIED);
    assert_int_equal(notes->attempts, attempts);
    snprintf(who, sizeof who, "process %d ", notes->pids[attempts - 1]);
    describe(end, how, sizeof how);
    snprintf(where, sizeof where, "in one of the tasks %d to %d, the attempt number %d", first, last, attempts);
    const char *detail = plait_error_detail();
    if (!strstr(detail, who) || !strstr(detail, how) || !strstr(detail, where))
        fail_msg("the detail is '%s', not '%s%s %s'", detail, who, how, where);
    expect_all_squares_but(out, first, last - first + 1);
    expect_squares(pool, 100);
}

static const struct end ends[] = {
    { BY_SIGNAL, SIGKILL }, { BY_SIGNAL, SIGSEGV }, { BY_SIGNAL, SIGTERM }, { BY_SIGNAL, SIGINT },   { BY_SIGNAL, SIGHUP },
    { BY_SIGNAL, SIGBUS },  { BY_SIGNAL, SIGILL },  { BY_SIGNAL, SIGFPE },  { BY_SIGNAL, SIGPIPE },  { BY_SIGNAL, SIGALRM },
    { BY_SIGNAL, SIGUSR1 }, { BY_SIGNAL, SIGUSR2 }, { BY_SIGNAL, SIGXCPU }, { BY_SIGNAL, SIGXFSZ },  { BY_SIGNAL, SIGVTALRM },
    { BY_SIGNAL, SIGQUIT }, { BY_SIGNAL, SIGTRAP }, { BY_SIGNAL, SIGSYS },  { BY_SIGNAL, SIGPROF },  { BY_FAULT, 0 },
    { BY_EXIT, 3 },         { BY_EXIT, 0 },         { BY__EXIT, 4 },        { BY__EXIT, 0 },         { BY_EXEC, 0 },
    { BY_ABORT, 0 },
};
enum { ENDS = sizeof ends / sizeof *ends };

static void a_task_that_ends_its_worker_once_is_tried_again(void **state)
{
    for (int i = 0; i < ENDS; i++) expect_success(ends[i], 1, 0, 1);
}

static void a_task_that_always_ends_its_worker_is_given_up(void **state)
{
    for (int i = 0; i < ENDS; i++) expect_failure(ends[i], -1, 1, 1);
}

static void the_tasks_of_a_chunk_are_given_up_together(void **state)
{
    const size_t chunks[] = { 1, 2, 7, 20, 30, N };
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        expect_failure((struct end){ BY_SIGNAL, SIGKILL }, -1, 1, chunks[i]);
}

static void retries_say_how_often_it_is_tried_again(void **state)
{
    const struct end killed = { BY_SIGNAL, SIGKILL }, exited = { BY_EXIT, 3 };
    expect_failure(killed, 0, 3, 1);
    expect_failure(killed, -1, 1, 1);
    expect_failure(killed, 1, 2, 1);
    expect_failure(killed, 5, 6, 1);
    expect_failure(killed, 70, 71, 1);
    expect_failure(exited, 5, 6, 1);
    expect_success(killed, 2, 0, 1);
    expect_success(killed, 1, 1, 1);
    expect_success(killed, 5, 5, 1);
    expect_success(killed, 200, 200, 1);
    expect_success(exited, 5, 5, 1);
}

static void a_pool_of_one_worker_goes_on_too(void **state)
{
    plait_pool_free(pool);
    pool = new_pool(1);
    for (int i = 0; i < ENDS; i += 5) {
        expect_success(ends[i], 1, 0, 4);
        expect_failure(ends[i], 0, 3, 4);
    }
}

static bool all_sleep(void *unused)
{
    for (int i = 0; i < WORKERS; i++)
        if (!atomic_load(&pool->board->cells[i].owner) || !test_thread_sleeps(plait_pool_worker_pid(pool, i))) return false;
    return true;
}

/* Nothing else happens in the family that would wake the caller: he has to be told of this end. */
static void a_task_that_ends_its_worker_in_a_quiet_pool_is_noticed(void **state)
{
    const int victim = VICTIM;
    for (int i = 0; i < ENDS; i++) {
        int out = 0;
        notes->end = ends[i];
        notes->deaths = 1;
        notes->attempts = 0;
        test_until(all_sleep, NULL);
        assert_int_equal(plait_pool_map(pool, square_or_die, &victim, sizeof victim, &out, sizeof out, 1, NULL), 0);
        assert_int_equal(out, VICTIM * VICTIM);
        expect_squares(pool, 100);
    }
}

/* ---- two that die ---- */

static const int zero_and_one[] = { 0, 1 };

static bool other_has_ended(void *index)
{
    const pid_t pid = notes->pids[*(int *)index];
    return pid && (is_gone(&(pid_t){ pid }) || is_zombie(&(pid_t){ pid }));
}

/* Task 0 dies by SIGSEGV, task 1 by SIGKILL; the one that `context` names waits for the other's end. */
static int die_in_order(const void *in, void *out, void *context)
{
    int self = *(const int *)in, other = !self;
    notes->running[self] = 1;
    test_until(is_set, &notes->running[other]);
    if (self == *(int *)context) test_until(other_has_ended, &other);
    notes->pids[self] = getpid();
    die((struct end){ BY_SIGNAL, self ? SIGKILL : SIGSEGV });
    return 0;
}

static void the_detail_tells_of_the_first_by_index(void **state)
{
    for (int later = 0; later < 2; later++) {
        memset(notes, 0, sizeof *notes);
        const plait_map_options options = { .chunk = 1, .retries = -1, .context = &later, .context_size = sizeof later };
        assert_int_equal(plait_pool_map(pool, die_in_order, zero_and_one, sizeof(int), NULL, 0, 2, &options), PLAIT_EWORKERDIED);
        char expected[100];
        snprintf(expected, sizeof expected, "process %d was killed by signal %d in one of the tasks 0 to 0", notes->pids[0],
                 SIGSEGV);
        if (!strstr(plait_error_detail(), expected)) fail_msg("the detail is '%s', not '%s'", plait_error_detail(), expected);
        expect_squares(pool, 100);
    }
}

static int die_at_once(const void *in, void *out, void *context)
{
    notes->pids[*(const int *)in] = getpid();
    raise(SIGKILL);
    return 0;
}

/* Whoever dies while others are being replaced is not forgotten. */
static void the_detail_names_the_process_when_all_die_at_once(void **state)
{
    int in[10 * WORKERS];
    for (int i = 0; i < 10 * WORKERS; i++) in[i] = i;
    for (int round = 0; round < 20; round++) {
        const plait_map_options options = { .chunk = 1, .retries = -1 };
        assert_int_equal(plait_pool_map(pool, die_at_once, in, sizeof in[0], NULL, 0, 10 * WORKERS, &options), PLAIT_EWORKERDIED);
        char expected[100];
        snprintf(expected, sizeof expected, "process %d was killed by signal 9 in one of the tasks 0 to 0", notes->pids[0]);
        if (!strstr(plait_error_detail(), expected)) fail_msg("the detail is '%s', not '%s'", plait_error_detail(), expected);
    }
    expect_squares(pool, 100);
}

/* ---- somebody who still works when a task is given up ---- */

static int die_or_wait(const void *in, void *out, void *context)
{
    const int self = *(const int *)in;
    notes->pids[self] = getpid();
    notes->running[self] = 1;
    test_until(is_set, &notes->running[!self]);
    if (self == *(int *)context) die(notes->end);
    test_until(is_set, &notes->go);
    return 0;
}

struct map_call {
    int victim, result;
    _Atomic pid_t tid;
};

static void *map_in_a_thread(void *argument)
{
    struct map_call *call = argument;
    call->tid = (pid_t)syscall(SYS_gettid);
    const plait_map_options options = {
        .chunk = 1, .retries = -1, .context = &call->victim, .context_size = sizeof call->victim, .deadline = plait_after(20),
    };
    call->result = plait_pool_map(pool, die_or_wait, zero_and_one, sizeof(int), NULL, 0, 2, &options);
    return NULL;
}

static bool all_have_joined(void *replaced)
{
    bool found = false;
    for (int i = 0; i < WORKERS; i++) {
        if (!atomic_load(&pool->board->cells[i].owner)) return false;
        found |= plait_pool_worker_pid(pool, i) == *(pid_t *)replaced;
    }
    return !found;
}

static void expect_end_after_giving_up(int victim, struct end end)
{
    memset(notes, 0, sizeof *notes);
    notes->end = end;
    struct map_call call = { victim, 0, 0 };
    pthread_t thread = thread_start(map_in_a_thread, &call);
    test_until(is_set, &notes->running[victim]);
    test_until(all_have_joined, &(pid_t){ notes->pids[victim] });
    /* Not needed for the result: the caller shall sleep for good by then. */
    for (double since = seconds_now(); seconds_now() - since < 0.03;) test_until_sleeps(call.tid);
    notes->go = 1;
    thread_end(thread);
    assert_int_equal(call.result, PLAIT_EWORKERDIED);
    expect_squares(pool, 100);
}

static void a_map_ends_when_the_rest_is_done_after_a_task_was_given_up(void **state)
{
    for (int victim = 0; victim < 2; victim++) {
        expect_end_after_giving_up(victim, (struct end){ BY_SIGNAL, SIGKILL });
        expect_end_after_giving_up(victim, (struct end){ BY_EXIT, 0 });
    }
}

/* ---- at random ---- */

enum { MOST_TASKS = 12, ROUNDS = 150 };

enum behaviour { SUCCEEDS, TAKES_TIME, FAILS, DIES, EXITS, DIES_ONCE, BEHAVIOURS };

struct round {
    int count;
    enum behaviour behaviours[MOST_TASKS];
    _Atomic int attempts[MOST_TASKS];
};

static int behave(const void *in, void *out, void *context)
{
    struct round *round = context;
    const int i = *(const int *)in, attempt = round->attempts[i]++;
    *(int *)out = i + 1;
    switch (round->behaviours[i]) {
    case TAKES_TIME:
        for (double since = seconds_now(); seconds_now() - since < 0.001;) sched_yield();
        return 0;
    case FAILS: return 100 + i;
    case DIES: return raise(SIGKILL);
    case EXITS: exit(i);
    case DIES_ONCE: return attempt ? 0 : raise(SIGKILL);
    default: return 0;
    }
}

/* What the map must return: what the first task that does not succeed makes of it. */
static int expected_result(const struct round *round, int retries)
{
    for (int i = 0; i < round->count; i++) {
        const enum behaviour behaviour = round->behaviours[i];
        if (behaviour == FAILS) return 100 + i;
        if (behaviour == DIES || behaviour == EXITS || (behaviour == DIES_ONCE && retries < 0)) return PLAIT_EWORKERDIED;
    }
    return 0;
}

static void play(struct round *round, uint64_t *seed)
{
    int in[MOST_TASKS], out[MOST_TASKS] = { 0 };
    round->count = (int)(test_random(seed) % MOST_TASKS) + 1;
    for (int i = 0; i < round->count; i++) {
        in[i] = i;
        round->attempts[i] = 0;
        round->behaviours[i] = (enum behaviour)(test_random(seed) % (2 * BEHAVIOURS));
    }
    const plait_map_options options = { .chunk = 1, .context = round, .retries = (int)(test_random(seed) % 3) - 1 };
    const int result = plait_pool_map(pool, behave, in, sizeof in[0], out, sizeof out[0], (size_t)round->count, &options);
    assert_int_equal(result, expected_result(round, options.retries));
    for (int i = 0; i < round->count; i++) {
        const enum behaviour behaviour = round->behaviours[i];
        if (behaviour < FAILS || behaviour >= BEHAVIOURS) assert_int_equal(out[i], i + 1);
    }
}

static void maps_with_random_tasks_end_as_expected(void **state)
{
    uint64_t seed = test_seed();
    struct round *round = plait_alloc(sizeof *round);
    for (int i = 0; i < ROUNDS; i++) play(round, &seed);
    plait_free(round);
    expect_squares(pool, 100);
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, make_pool, end_pool)

static const struct CMUnitTest tests[] = {
    WITH_POOL(a_task_that_ends_its_worker_once_is_tried_again),
    WITH_POOL(a_task_that_always_ends_its_worker_is_given_up),
    WITH_POOL(the_tasks_of_a_chunk_are_given_up_together),
    WITH_POOL(retries_say_how_often_it_is_tried_again),
    WITH_POOL(a_pool_of_one_worker_goes_on_too),
    WITH_POOL(the_detail_tells_of_the_first_by_index),
    WITH_POOL(the_detail_names_the_process_when_all_die_at_once),
    WITH_POOL(a_map_ends_when_the_rest_is_done_after_a_task_was_given_up),
    WITH_POOL(a_task_that_ends_its_worker_in_a_quiet_pool_is_noticed),
    WITH_POOL(maps_with_random_tasks_end_as_expected),
};

TEST_MAIN(tests)
