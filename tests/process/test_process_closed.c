/* Programs that were started with standard input, output or error closed: no descriptor of the library's takes their place, so
 * whatever is printed or read there neither reaches the family's memory nor a process's end.  Each test runs in a host. */
#include "host.h"
#include "others.h"

#include <poll.h>

#include <plait.h>

static unsigned closed;                                    /* bit 0, 1, 2: which of them are */
static const char *wrong;                                  /* the first thing that was; there is no place to tell it at once */

static void expect(bool condition, const char *what)
{
    if (!condition && !wrong) wrong = what;
}

static bool are_closed(void)
{
    for (int fd = 0; fd < 3; fd++)
        if ((closed >> fd & 1) && is_open(fd)) return false;
    return true;
}

static void print_a_lot(void)
{
    for (int i = 0; i < 1000; i++) {
        if (closed & 1u << STDOUT_FILENO) printf("some line of output\n");
        if (closed & 1u << STDERR_FILENO) fprintf(stderr, "some complaint\n");
    }
    fflush(stdout);
}

static plait_queue *queue;

static int put_and_print(void *unused)
{
    const int before = plait_queue_put(queue, "hello", 5, PLAIT_NOW);
    print_a_lot();
    return before == 0 && are_closed() ? 7 : 8;
}

static void expect_hello(void)
{
    char got[16];
    expect(plait_queue_get(queue, got, sizeof got, PLAIT_NOW) == 5 && memcmp(got, "hello", 5) == 0, "a message");
}

static void live_with_a_queue(void)
{
    queue = plait_queue_new(NULL);
    expect(queue && are_closed(), "the arena's descriptor");
    expect(plait_queue_put(queue, "hello", 5, PLAIT_NOW) == 0, "a put");
    print_a_lot();
    expect_hello();
}

static void live_with_a_process(void)
{
    plait_process *process = plait_start(put_and_print, NULL, 0, NULL);
    expect(process && are_closed(), "the descriptors of a process");
    expect(plait_process_sentinel(process) > STDERR_FILENO, "the number of a sentinel");
    print_a_lot();
    expect(plait_process_join(process, PLAIT_FOREVER) == 0 && plait_process_exitcode(process) == 7, "a process");
    expect(poll(&(struct pollfd){ .fd = plait_process_sentinel(process), .events = POLLIN }, 1, 0) == 1, "a sentinel");
    expect_hello();
    expect(plait_process_free(process) == 0, "the end of a process");
}

static int print_in_a_task(const void *in, void *out, void *context)
{
    print_a_lot();
    return are_closed() ? 0 : -EBADF;
}

static void live_with_a_pool(void)
{
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .workers = 2 });
    expect(pool && are_closed(), "the descriptors of a pool");
    print_a_lot();
    expect(plait_pool_map(pool, print_in_a_task, NULL, 0, NULL, 0, 20, NULL) == 0 && are_closed(), "a map");
    plait_pool_free(pool);
}

/* A program begins: nothing of the library is there yet. */
static int live(void *body)
{
    const int error_to = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
    for (int fd = 0; fd < 3; fd++)
        if (closed >> fd & 1) close(fd);
    live_with_a_queue();
    ((void (*)(void))body)();
    expect(are_closed(), "what was closed");
    expect(plait_queue_free(queue) == 0, "the end of a queue");
    if (!wrong) return 0;
    dprintf(error_to, "with %u closed: %s is not as it should be\n", closed, wrong);
    return 1;
}

static void expect_life(void (*body)(void))
{
    for (closed = 0; closed < 8; closed++) host_run(live, (void *)body);
}

static void a_process(void **state)
{
    expect_life(live_with_a_process);
}

static void live_with_a_process_but_no_pidfd(void)
{
    plait__set_without(plait__without_mask() | PLAIT__WITHOUT_PIDFD);
    live_with_a_process();
}

static void a_process_without_pidfds(void **state)
{
    expect_life(live_with_a_process_but_no_pidfd);
}

/* In the parent, at the end of fork(). */
static void reap_before_fork_returns(void)
{
    while (waitpid(-1, NULL, 0) > 0) {}
}

static void live_with_a_process_that_is_gone_at_once(void)
{
    expect(pthread_atfork(NULL, reap_before_fork_returns, NULL) == 0, "registering");
    live_with_a_process();
}

static void a_process_that_is_gone_at_once(void **state)
{
    expect_life(live_with_a_process_that_is_gone_at_once);
}

static void a_pool(void **state)
{
    expect_life(live_with_a_pool);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_process),
    cmocka_unit_test(a_process_without_pidfds),
    cmocka_unit_test(a_process_that_is_gone_at_once),
    cmocka_unit_test(a_pool),
};

TEST_MAIN(tests)
