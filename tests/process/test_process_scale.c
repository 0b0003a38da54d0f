/* Many processes: a thousand at once, ten thousand in a row (fewer of those that take longer); descriptors and shared memory are as
 * before. */
#include "served.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { AT_ONCE = 50, IN_A_ROW = 200 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { AT_ONCE = 50, IN_A_ROW = 200 };
#else
enum { AT_ONCE = 1000, IN_A_ROW = 10000 };
#endif
#else
enum { AT_ONCE = 1000, IN_A_ROW = 10000 };
#endif

struct many {
    int method, stock;
};

static void begin(const struct many *many)
{
    be_program();
    if (many->method == PLAIT_FORKSERVER) start_server(many->stock);
    end_with(start_it(return_0, NULL, 0, &(plait_process_options){ .method = many->method }), 0);
}

/* What a server still has to give back, it gives back before it ends. */
static void must_be_as(const struct traces *before)
{
    CHECK(plait_forkserver_stop() == 0);
    traces_must_be(before);
}

static int return_it(void *number)
{
    return *(int *)number;
}

static int start_in_a_row(void *argument)
{
    const struct many *many = argument;
    be_program();
    const struct traces before = traces_now();
    begin(many);
    const int fds = open_fds();
    const double since = seconds_now();
    const bool is_slow = many->method == PLAIT_FORKSERVER && !many->stock;
    const int count = many->method == PLAIT_SPAWN ? IN_A_ROW / 20 : is_slow ? IN_A_ROW / 4 : IN_A_ROW;
    for (int i = 0; i < count; i++) {
        const int code = i & 127;
        plait_process *process = plait_start(return_it, &code, sizeof code, &(plait_process_options){ .method = many->method });
        if (!process) dprintf(STDERR_FILENO, "%d: %s\n", i, plait_error_detail());
        CHECK(process && plait_process_join(process, PLAIT_FOREVER) == 0);
        CHECK(plait_process_exitcode(process) == code && plait_process_free(process) == 0);
    }
    printf("%.1f us each\n", (seconds_now() - since) / count * 1e6);
    CHECK(open_fds() == fds && plait_active_children(NULL, 0) == 0);
    must_be_as(&before);
    return 0;
}

static void raise_limit(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= AT_ONCE + 100) return;
    limit.rlim_cur = limit.rlim_max < 1900 ? limit.rlim_max : 1900;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= AT_ONCE + 100);
}

static int sleep_until_closed(void *queue)
{
    char nothing;
    return plait_queue_get(queue, &nothing, 1, PLAIT_FOREVER) == PLAIT_ECLOSED ? 7 : 1;
}

static int start_at_once(void *argument)
{
    const struct many *many = argument;
    plait_process *processes[AT_ONCE];
    raise_limit();
    be_program();
    const struct traces before = traces_now();
    plait_queue *queue = plait_queue_new(NULL);
    begin(many);
    const double since = seconds_now();
    for (int i = 0; i < AT_ONCE; i++)
        processes[i] = start_it(sleep_until_closed, queue, 0, &(plait_process_options){ .method = many->method });
    CHECK(plait_active_children(NULL, 0) == AT_ONCE);
    CHECK(plait_queue_close(queue) == 0);
    for (int i = 0; i < AT_ONCE; i++) end_with(processes[i], 7);
    printf("%d at once took %.0f ms\n", AT_ONCE, (seconds_now() - since) * 1000);
    CHECK(plait_active_children(NULL, 0) == 0 && plait_queue_free(queue) == 0);
    must_be_as(&before);
    return 0;
}

static void in_a_row(void **state)
{
    host_run(start_in_a_row, *state);
}

static void at_once(void **state)
{
    host_run(start_at_once, *state);
}

#define MANY(how, by, ...) { #how "_" #by, how, NULL, NULL, &(struct many){ __VA_ARGS__ } }

static const struct CMUnitTest tests[] = {
    MANY(at_once, by_fork, .method = PLAIT_FORK),
    MANY(at_once, by_forkserver, .method = PLAIT_FORKSERVER),
    MANY(at_once, by_forkserver_with_a_stock, .method = PLAIT_FORKSERVER, .stock = 16),
    MANY(in_a_row, by_fork, .method = PLAIT_FORK),
    MANY(in_a_row, by_spawn, .method = PLAIT_SPAWN),
    MANY(in_a_row, by_forkserver, .method = PLAIT_FORKSERVER),
    MANY(in_a_row, by_forkserver_with_a_stock, .method = PLAIT_FORKSERVER, .stock = 16),
};

TEST_MAIN(tests)
