/* served.h - for tests of the forkserver: each body runs in a host that has one, with a stock or without, which must leave
 * nothing. */
#ifndef PLAIT_TEST_SERVED_H
#define PLAIT_TEST_SERVED_H

#include "starts.h"

#include "arena/map.h"

/* How many blocks may stay until the family ends, because somebody was killed who would have given them back. */
static uint64_t served_blocks_left;

/* Somebody may still be dying: then the server ends when he has, and is joined later. */
static bool served_is_patient;

struct served {
    int stock;
    void (*body)(void);
};

static inline void start_server(int stock)
{
    const int error = plait_forkserver_start(&(plait_forkserver_options){ .stock = stock });
    if (error) dprintf(STDERR_FILENO, "%s: %s\n", plait_strerror(error), plait_error_detail());
    CHECK(error == 0 && plait_forkserver_pid() > 0);
}

static inline int serve(void *argument)
{
    const struct served *served = argument;
    be_program();
    for (int fd = 3; fd < 100; fd++)                       /* so that tests may do so, too */
        if (fd != plait__arena_fd) close(fd);
    CHECK(plait_set_start_method(PLAIT_FORKSERVER, 0) == 0);
    const struct traces before = traces_now();
    start_server(served->stock);
    served->body();
    do {
        CHECK(plait_forkserver_stop() == 0);
    } while (served_is_patient && !has_no_child());
    const struct traces now = traces_now();
    CHECK(now.fds == before.fds && has_no_child());
    CHECK(now.blocks >= before.blocks && now.blocks <= before.blocks + served_blocks_left);
    return 0;
}

static inline void serve_in_a_host(void **state)
{
    host_run(serve, *state);
}

/* Two tests of one body. */
#define WITH_AND_WITHOUT_STOCK(body) SERVED(#body, 0, body), SERVED(#body "_with_a_stock", 4, body)
#define SERVED(name, stock, body) { (name), serve_in_a_host, NULL, NULL, &(struct served){ (stock), (body) } }

static inline plait_process *start_it(int (*function)(void *argument), const void *argument, size_t size,
                                      const plait_process_options *options)
{
    plait_process *process = plait_start(function, argument, size, options);
    if (!process) dprintf(STDERR_FILENO, "%s: %s\n", plait_strerror(errno), plait_error_detail());
    CHECK(process);
    return process;
}

static inline void run_it(int (*function)(void *argument), const void *argument, size_t size, int exitcode)
{
    end_with(start_it(function, argument, size, NULL), exitcode);
}

/* Memory of the family. */
static inline void *new_block(size_t size)
{
    void *block = plait_alloc(size);
    CHECK(block);
    return block;
}

static inline bool has_stopped_running(void *pid)
{
    const char state = state_of(*(pid_t *)pid);
    return state == 0 || state == 'Z';
}

#endif
