/* process/server_start.c - starting a forkserver, by one thread of this process at a time. */
#include "process/server_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "base/fd.h"
#include "family/wait.h"
#include "process/method.h"

/* The one that is being started, by one thread, while the lock is free.  Guarded by the lock. */
static struct {
    bool is_on;
    pthread_t by;
    int sockets[2];                                        /* its end is the second; -1 */
    struct plait__server *server;                          /* when there is one, which has our end of them */
} starting = { .sockets = { -1, -1 } };
static plait__word starts_ended;                           /* how many: for who waits for that */

/* ---- what it needs ---- */

static struct plait__server_board *new_board(const plait_forkserver_options *options)
{
    struct plait__function preload;
    int size = options->preload ? plait__function_describe((plait__code)options->preload, &preload) : 0;
    if (size < 0) return plait__null(size);
    struct plait__server_board *board = plait_alloc(offsetof(struct plait__server_board, preload_function) + (size_t)size + 8);
    if (!board) return NULL;
    memcpy(&board->preload_function, &preload, (size_t)size);
    board->preload_size = (size_t)size;
    atomic_store(&board->stock, (uint32_t)options->stock);
    atomic_store(&board->holders, 1);
    for (int i = 0; i < PLAIT__SEATS_MAX; i++) atomic_store(&board->seats[i].birth, PLAIT__EMPTY);
    return board;
}

/* It ends with us by its own doing, so that it needs no thread for that: it may be another thread than main's that starts it. */
static plait_process *new_process(const struct plait__server_start *start)
{
    const plait_process_options options = {
        .name = "ForkServer", .method = PLAIT_SPAWN, .detached = 1, .input = PLAIT_STREAM_NULL, .fds = &start->socket,
        .fd_count = 1,
    };
    struct plait__plan *plan = plait__plan_new(plait__serve, start, sizeof *start, NULL, &options);
    if (!plan) return NULL;
    plan->is_hidden = true;
    return plait__start_or_free(plait__process_new(plan, &options));
}

/* ---- starting it ---- */

/* Nothing comes if it died, by an option or by somebody's hand. */
static int hear(const struct plait__server *server)
{
    plait__wait_fd(server->socket, POLLIN, PLAIT_FOREVER);
    ssize_t got = plait__server_hear(server);
    if (got == 1 && server->board->error == 0) return 0;
    if (got == 1) return plait__fail(server->board->error, "the forkserver: %s", server->board->detail);
    plait_process_join(server->process, PLAIT_FOREVER);
    int code = plait_process_exitcode(server->process);
    if (code < -4096) return plait__fail(code, "the forkserver: %s", plait_error_detail());
    return plait__fail(-ECANCELED, "the forkserver ended with %d before it was ready; is plait_init the first line of main?", code);
}

static int connect_to_new(int sockets[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
        sockets[0] = sockets[1] = -1;
        return plait__fail(-errno, "socketpair: %s", plait_strerror(-errno));
    }
    int error = plait__pair_above_stdio(sockets);
    return error ? plait__fail(error, "socketpair: %s", plait_strerror(error)) : 0;
}

static struct plait__server *new_server(plait_process *process, struct plait__server_board *board,
                                        const plait_forkserver_options *options)
{
    int socket = starting.sockets[0];
    struct plait__server *server = malloc(sizeof *server);
    if (!server) {
        plait__fail(-ENOMEM, "no private memory for the forkserver");
        return plait__null(-ENOMEM);
    }
    *server = (struct plait__server){
        .process = process, .board = board, .socket = socket, .file = plait__file_of(socket), .greeted = getpid(),
        .holder = getpid(), .users = 1, .preload = options->preload,
    };
    return server;
}

/* With the lock, so that no fork's child closes what has got the number meanwhile. */
static void close_started(int which)
{
    pthread_mutex_lock(&plait__server_lock);
    close(starting.sockets[which]);
    starting.sockets[which] = -1;
    pthread_mutex_unlock(&plait__server_lock);
}

static void note_started(struct plait__server *server)
{
    pthread_mutex_lock(&plait__server_lock);
    starting.server = server;
    starting.sockets[0] = -1;
    pthread_mutex_unlock(&plait__server_lock);
}

static void end_process(plait_process *process)
{
    plait_process_kill(process);
    plait_process_join(process, PLAIT_FOREVER);
}

/* Whatever is missing of it. */
static int give_up(struct plait__server_board *board, plait_process *process)
{
    int error = -errno;
    close_started(0);
    if (process) {
        end_process(process);
        plait_process_free(process);
    }
    if (board) plait_free(board);
    return error;
}

/* Without the lock.  0; else there may be one all the same, which has failed. */
static int make_server(const plait_forkserver_options *options, struct plait__server **made)
{
    struct plait__server_board *board = new_board(options);
    plait_process *process = board ? new_process(&(struct plait__server_start){ board, starting.sockets[1] }) : NULL;
    struct plait__server *server = process ? new_server(process, board, options) : NULL;
    int error = server ? 0 : give_up(board, process);
    if (server) note_started(server);
    close_started(1);
    if (!error) error = hear(server);
    if (server && error) end_process(process);
    *made = server;
    return error;
}

/* The other threads may look. */
static void note_end(void)
{
    starting.server = NULL;
    starting.is_on = false;
    atomic_fetch_add(&starts_ended, 1);
    plait__wake(&starts_ended, INT32_MAX);
}

struct plait__server *plait__server_start(const plait_forkserver_options *options)
{
    struct plait__server *server;
    int error = plait__check_init();
    if (!error) error = connect_to_new(starting.sockets);
    if (error) return plait__null(error);
    starting.by = pthread_self();
    starting.is_on = true;
    pthread_mutex_unlock(&plait__server_lock);
    error = make_server(options, &server);
    pthread_mutex_lock(&plait__server_lock);
    note_end();
    if (!error) return server;
    if (server) plait__server_destroy(server);
    return plait__null(error);
}

/* ---- other threads, and forks ---- */

/* Who stops a server may be no member; the thread that starts one ends its start in any case, so it need not be watched. */
static void sleep_until_end(struct plait__wait *wait, uint32_t ends_seen)
{
    if (plait__is_member()) plait__wait(wait, &starts_ended, ends_seen, 0);
    else plait__wait_unwatchful(&starts_ended, ends_seen);
}

/* (A handler that exits may have interrupted the one who starts it.) */
void plait__server_await_start(void)
{
    struct plait__wait wait = plait__wait_until(PLAIT_FOREVER);
    while (starting.is_on && !pthread_equal(starting.by, pthread_self())) {
        uint32_t ends_seen = atomic_load(&starts_ended);
        pthread_mutex_unlock(&plait__server_lock);
        sleep_until_end(&wait, ends_seen);
        pthread_mutex_lock(&plait__server_lock);
    }
    plait__wait_end(&wait);
}

/* (The very thread that starts one goes on here, and needs them: ThreadSanitizer makes a fork of vfork.) */
void plait__server_forget_start(void)
{
    if (starting.is_on && pthread_equal(starting.by, pthread_self())) return;
    for (int i = 0; i < 2; i++) {
        if (starting.sockets[i] >= 0) close(starting.sockets[i]);
        starting.sockets[i] = -1;
    }
    if (starting.server) plait__server_destroy(starting.server);
    starting.server = NULL;
    starting.is_on = false;
}
