/* Whatever a pool asks the system for may be refused: when it is made, at a map, after the death of a worker, at its end. */
#include "tasks.h"
#include "fail.h"

static plait_pool *pool;

enum { TASKS = 20, WORKERS = 2 };
static int in[TASKS], out[TASKS], factor = 3;

static int multiply(const void *input, void *output, void *context)
{
    *(int *)output = *(const int *)input * *(int *)context;
    return 0;
}

static int map_them(void)
{
    const plait_map_options options = { .chunk = 1, .context = &factor, .context_size = sizeof factor };
    memset(out, 0, sizeof out);
    for (int i = 0; i < TASKS; i++) in[i] = i;
    const int error = plait_pool_map(pool, multiply, in, sizeof in[0], out, sizeof out[0], TASKS, &options);
    for (int i = 0; !error && i < TASKS; i++) CHECK(out[i] == 3 * i);
    return error;
}

static int new_one(const plait_pool_options *options)
{
    pool = plait_pool_new(options);
    return pool ? 0 : -errno;
}

/* --- making ------------------------------------------------------------------------------------------------------------- */

static void be_a_member(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
}

static void use_and_free(void)
{
    CHECK(map_them() == 0);
    plait_pool_free(pool);
}

static int call_new(void) { return new_one(&(plait_pool_options){ .workers = WORKERS }); }
static int call_new_by_default(void) { return new_one(NULL); }
static int call_new_inline(void) { return new_one(&(plait_pool_options){ .kind = PLAIT_INLINE }); }

static const struct fail_operation first_pool_new = { .run = call_new, .finish = use_and_free };
static const struct fail_operation pool_new = { .set_up = be_a_member, .run = call_new, .finish = use_and_free };
static const struct fail_operation pool_new_by_default = {
    .set_up = be_a_member, .run = call_new_by_default, .finish = use_and_free,
};
static const struct fail_operation pool_new_inline = { .set_up = be_a_member, .run = call_new_inline, .finish = use_and_free };

/* --- mapping ------------------------------------------------------------------------------------------------------------ */

static void make_and_use(void)
{
    CHECK(call_new() == 0 && map_them() == 0);
}

static void make_inline(void)
{
    CHECK(call_new_inline() == 0);
}

/* A job is freed when no worker looks at it any more, by a later call. */
enum { JOBS = 2 };

/* The tasks take a moment, so that the caller sleeps. */
static int take_a_moment(const void *unused_in, void *unused_out, void *unused_context)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    return 0;
}

static int map_slowly(void)
{
    return plait_pool_map(pool, take_a_moment, NULL, 0, NULL, 0, TASKS, &(plait_map_options){ .chunk = 1 });
}

static const struct fail_operation map = { .prepare = make_and_use, .run = map_slowly, .finish = use_and_free, .late = JOBS };
static const struct fail_operation map_inline = { .prepare = make_inline, .run = map_them, .finish = use_and_free };

/* The caller is none of the family's any more, and joins again. */
static void make_and_leave(void)
{
    make_and_use();
    plait_leave();
}

static const struct fail_operation map_after_leaving = {
    .prepare = make_and_leave, .run = map_them, .finish = use_and_free, .late = JOBS,
};

static void kill_workers(int count)
{
    for (int i = 0; i < count; i++) {
        const pid_t pid = plait_pool_worker_pid(pool, i);
        CHECK(pid > 0 && kill(pid, SIGKILL) == 0);
        test_until(is_zombie, (void *)&pid);
    }
}

static void make_and_kill_one(void)
{
    make_and_use();
    kill_workers(1);
}

static void make_and_kill_all(void)
{
    make_and_use();
    kill_workers(WORKERS);
}

/* All workers have to be there again, at the next map at the latest. */
static void use_all_and_free(void)
{
    CHECK(map_them() == 0);
    for (int i = 0; i < WORKERS; i++) CHECK(plait_pool_worker_pid(pool, i) > 0);
    plait_pool_free(pool);
}

static const struct fail_operation map_with_one_worker_killed = {
    .prepare = make_and_kill_one, .run = map_them, .finish = use_all_and_free, .late = JOBS,
};
static const struct fail_operation map_with_all_workers_killed = {
    .prepare = make_and_kill_all, .run = map_them, .finish = use_all_and_free, .late = JOBS,
};

/* --- its end ------------------------------------------------------------------------------------------------------------ */

static int call_free(void)
{
    plait_pool_free(pool);
    return 0;
}

static const struct fail_operation pool_free = { .prepare = make_and_use, .run = call_free, .may_need_nothing = true };
static const struct fail_operation pool_free_with_one_worker_killed = {
    .prepare = make_and_kill_one, .run = call_free, .may_need_nothing = true,
};

/* --- in the workers ----------------------------------------------------------------------------------------------------- */

static int allocate(const void *unused_in, void *unused_out, void *unused_context)
{
    void *block = plait_alloc(100);
    if (!block) CHECK(errno == ENOMEM && *plait_error_detail());
    if (block) CHECK(plait_free(block) == 0);
    return 0;
}

static int new_and_map(void)
{
    CHECK(call_new() == 0);
    CHECK(plait_pool_map(pool, allocate, NULL, 0, NULL, 0, TASKS, &(plait_map_options){ .chunk = 1 }) == 0);
    return 0;
}

static const struct fail_operation workers = {
    .set_up = be_a_member, .run = new_and_map, .finish = use_and_free, .in_children = true,
};

static const struct CMUnitTest tests[] = {
    FAIL_TESTS(first_pool_new),
    FAIL_TESTS(pool_new),
    FAIL_TESTS(pool_new_by_default),
    FAIL_TESTS(pool_new_inline),
    FAIL_TESTS(map),
    FAIL_TESTS(map_inline),
    FAIL_TESTS(map_after_leaving),
    FAIL_TESTS(map_with_one_worker_killed),
    FAIL_TESTS(map_with_all_workers_killed),
    FAIL_TESTS(pool_free),
    FAIL_TESTS(pool_free_with_one_worker_killed),
    FAIL_TESTS(workers),
};
TEST_MAIN(tests)
