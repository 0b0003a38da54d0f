/* process/server.c - the forkserver, for those who want children of it. */
#include "process/ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <plait/arena.h>
#include <plait/start_method.h>

#include "base/error.h"
#include "base/fd.h"
#include "family/pidfd.h"
#include "family/wait.h"
#include "process/method.h"
#include "process/sentinel.h"
#include "process/serve.h"
#include "process/stream.h"

/* Guarded by `lock`, which no fork can copy in another thread's hands, and which is held for no wait: each fork needs it. */
static struct plait__server *current, *retired;            /* retired: they end when their last child does */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* One that is being started, by one thread, while the lock is free. */
static struct {
    bool is_on;
    pthread_t by;
    int sockets[2];                                        /* its end is the second; -1 */
    struct plait__server *server;                          /* when there is one, which has our end of them */
} starting = { .sockets = { -1, -1 } };
static pthread_cond_t has_started = PTHREAD_COND_INITIALIZER;

/* ---- forks ---- */

/* The copies count too.  A process that was forked behind the C library's back is none of the holders, and only looks. */
static void count_holder(struct plait__server *server, uint32_t more)
{
    for (; server; server = server->next) atomic_fetch_add(&server->board->holders, more);
}

static void be_holder(struct plait__server *server)
{
    for (; server; server = server->next) {
        server->holder = getpid();
        server->users = 1;                                 /* other threads are not here */
    }
}

static int errno_before_fork;

/* The child is counted before it is there, as it may come to run when this process has let go already. */
static void before_fork(void)
{
    pthread_mutex_lock(&lock);
    count_holder(current, 1);
    count_holder(retired, 1);
    errno_before_fork = errno;
    errno = 0;
}

/* Also after a fork that failed, which nothing tells but errno. */
static void after_fork(void)
{
    if (errno == EAGAIN || errno == ENOMEM) {
        count_holder(current, UINT32_MAX);
        count_holder(retired, UINT32_MAX);
    } else if (!errno) errno = errno_before_fork;
    pthread_mutex_unlock(&lock);
}

static void destroy(struct plait__server *server);

/* Whoever was starting one is not here. */
static void forget_what_is_started(void)
{
    for (int i = 0; i < 2; i++) {
        if (starting.sockets[i] >= 0) close(starting.sockets[i]);
        starting.sockets[i] = -1;
    }
    if (starting.server) destroy(starting.server);
    starting.server = NULL;
    starting.is_on = false;
    has_started = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

static void after_fork_in_child(void)
{
    be_holder(current);
    be_holder(retired);
    forget_what_is_started();
    errno = errno_before_fork;
    pthread_mutex_unlock(&lock);
}

static __attribute__((constructor)) void register_for_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static bool socket_is_ours(const struct plait__server *server)
{
    return plait__is_file(server->socket, &server->file);
}

static bool is_owner(const struct plait__server *server)
{
    return server->process->owner == getpid();
}

static bool is_dead(const struct plait__server *server)
{
    return plait__fate(atomic_load(&server->board->owner)) != PLAIT__LIVES;
}

/* One that has ended, or a fork's copy. */
static void destroy(struct plait__server *server)
{
    if (socket_is_ours(server)) close(server->socket);
    if (is_owner(server)) plait_process_join(server->process, PLAIT_FOREVER);
    if (server->holder == getpid() && atomic_fetch_sub(&server->board->holders, 1) == 1) plait_free(server->board);
    plait_process_free(server->process);
    free(server);
}

/* With `lock`. */
static void let_go(struct plait__server *server)
{
    if (--server->users == 0) destroy(server);
}

/* ---- sending ---- */

static int send_failed(int error)
{
    bool has_ended = error == EPIPE || error == ECONNRESET || error == ENOTCONN;
    if (has_ended) return plait__fail(-ECANCELED, "the forkserver was killed");
    return plait__fail(-error, "sending to the forkserver: %s", plait_strerror(-error));
}

/* A socket that is full is waited for. */
static int send_message(const struct plait__server *server, const struct plait__message *message, const int *fds, unsigned count,
                        plait_deadline deadline)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(PLAIT__SENT_MAX * sizeof(int))];
    } control = { 0 };
    struct iovec data = { (void *)(uintptr_t)message, sizeof *message };
    struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1 };
    if (count) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        const size_t length = CMSG_LEN(count * sizeof(int));
        control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = length };
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    while (sendmsg(server->socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno != EAGAIN && errno != EINTR) return send_failed(errno);
        if (errno == EAGAIN && plait__wait_fd(server->socket, POLLOUT, deadline) == -ETIMEDOUT) return -ETIMEDOUT;
    }
    return 0;
}

static int send_kind(const struct plait__server *server, enum plait__message_kind kind, plait_deadline deadline)
{
    return send_message(server, &(struct plait__message){ .kind = kind, .pid = getpid() }, NULL, 0, deadline);
}

int plait__server_ask(const struct plait__server *server, struct plait__spawned *spawned, const int *fds, unsigned count)
{
    const struct plait__message message = { .kind = PLAIT__START, .pid = getpid(), .spawned = spawned };
    return send_message(server, &message, fds, count, PLAIT_FOREVER);
}

int plait__server_look(const struct plait__server *server)
{
    int error = send_kind(server, PLAIT__LOOK, PLAIT_NOW);
    return error == -ETIMEDOUT ? 0 : error;
}

/* What a server says by itself: a byte.  1; 0 if it has gone, -1. */
static ssize_t receive_byte(const struct plait__server *server)
{
    char byte;
    ssize_t got;
    do got = recv(server->socket, &byte, 1, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got;
}

/* ---- starting it ---- */

static int options_error(const plait_forkserver_options *options)
{
    if (options->stock < 0 || options->stock > PLAIT__SEATS_MAX)
        return plait__fail(-EINVAL, "a stock of %d; 0 to %d are possible", options->stock, PLAIT__SEATS_MAX);
    for (unsigned i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        if (options->reserved[i] || options->reserved_int) return plait__fail(-EINVAL, "a reserved field is not zero");
    return 0;
}

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

/* Nothing comes if it died, by an option or by somebody's hand. */
static int hear(const struct plait__server *server)
{
    plait__wait_fd(server->socket, POLLIN, PLAIT_FOREVER);
    ssize_t got = receive_byte(server);
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
    pthread_mutex_lock(&lock);
    close(starting.sockets[which]);
    starting.sockets[which] = -1;
    pthread_mutex_unlock(&lock);
}

static void note_started(struct plait__server *server)
{
    pthread_mutex_lock(&lock);
    starting.server = server;
    starting.sockets[0] = -1;
    pthread_mutex_unlock(&lock);
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

/* With `lock`, which is free meanwhile. */
static int start_server(const plait_forkserver_options *options)
{
    struct plait__server *server;
    int error = plait__check_init();
    if (!error) error = connect_to_new(starting.sockets);
    if (error) return error;
    starting.by = pthread_self();
    starting.is_on = true;
    pthread_mutex_unlock(&lock);
    error = make_server(options, &server);
    pthread_mutex_lock(&lock);
    starting.server = NULL;
    starting.is_on = false;
    pthread_cond_broadcast(&has_started);
    if (!error) current = server;
    else if (server) let_go(server);
    return error;
}

/* With `lock`, which is free meanwhile.  (A handler that exits may have interrupted the one who starts it.) */
static void wait_for_who_starts(void)
{
    while (starting.is_on && !pthread_equal(starting.by, pthread_self())) pthread_cond_wait(&has_started, &lock);
}

/* With `lock`: it is no longer `current`, but as long as it has children that run it may be joined later only. */
static void retire(struct plait__server *server)
{
    server->next = retired;
    retired = server;
}

/* One that can't be asked any more because the program has closed the socket, which forks may still have. */
static void stop_without_socket(const struct plait__server *server)
{
    atomic_store(&server->board->stock, 0);
    atomic_store(&server->board->is_stopping, 1);
    server->process->route->signal(server->process, SIGCHLD);
}

/* With `lock`: forget a server that is of no use any more. */
static void lose(struct plait__server *server)
{
    bool lives = is_owner(server) && !is_dead(server);
    if (lives && !socket_is_ours(server)) stop_without_socket(server);
    if (lives) retire(server);
    else let_go(server);
}

static bool is_of_use(const struct plait__server *server)
{
    return socket_is_ours(server) && !is_dead(server) && !atomic_load(&server->board->is_stopping);
}

/* With `lock`: those that have ended in the meantime. */
static void join_retired(void)
{
    for (struct plait__server **place = &retired; *place;) {
        struct plait__server *server = *place;
        if (is_owner(server) && !is_dead(server)) {
            place = &server->next;
            continue;
        }
        *place = server->next;
        let_go(server);
    }
}

/* With `lock`, which is free while one is started: `current` lives. */
static int ensure(const plait_forkserver_options *options, bool *is_new)
{
    wait_for_who_starts();
    join_retired();
    if (current && !is_of_use(current)) {
        struct plait__server *lost = current;
        current = NULL;
        lose(lost);
    }
    *is_new = !current;
    return current ? 0 : start_server(options);
}

/* A fork of the owner makes itself known. */
static int greet(struct plait__server *server)
{
    if (atomic_load(&server->greeted) == getpid()) return 0;
    int error = send_kind(server, PLAIT__HELLO, PLAIT_FOREVER);
    if (!error) atomic_store(&server->greeted, getpid());
    return error;
}

static struct plait__server *use(const plait_forkserver_options *options, bool *is_new)
{
    pthread_mutex_lock(&lock);
    int error = ensure(options, is_new);
    struct plait__server *server = error ? plait__null(error) : current;
    if (server) server->users++;
    pthread_mutex_unlock(&lock);
    return server;
}

/* With another one, if the first has just ended. */
static struct plait__server *use_and_greet(const plait_forkserver_options *options, bool *is_new)
{
    int error = -ECANCELED;
    for (int tries = 0; tries < 2 && error == -ECANCELED; tries++) {
        struct plait__server *server = use(options, is_new);
        if (!server) return NULL;
        error = greet(server);
        if (!error) return server;
        plait__server_release(server);
    }
    return plait__null(error);
}

struct plait__server *plait__server_use(void)
{
    static const plait_forkserver_options defaults;
    bool is_new;
    return use_and_greet(&defaults, &is_new);
}

void plait__server_release(struct plait__server *server)
{
    int error = errno;
    pthread_mutex_lock(&lock);
    let_go(server);
    pthread_mutex_unlock(&lock);
    errno = error;
}

/* ---- the face ---- */

/* One that is there goes on with another stock. */
static int change_stock(const struct plait__server *server, const plait_forkserver_options *options)
{
    if (options->preload && options->preload != server->preload)
        return plait__fail(-EALREADY, "the forkserver runs already, and with another preload: plait_forkserver_stop comes first");
    atomic_store(&server->board->stock, (uint32_t)options->stock);
    return plait__server_look(server);
}

int plait_forkserver_start(const plait_forkserver_options *options)
{
    static const plait_forkserver_options defaults;
    if (!options) options = &defaults;
    int error = options_error(options);
    if (!error) error = plait__member();
    if (error) return error;
    bool is_new;
    struct plait__server *server = use_and_greet(options, &is_new);
    if (!server) return -errno;
    if (!is_new) error = change_stock(server, options);
    plait__server_release(server);
    return error;
}

int plait_forkserver_pid(void)
{
    pthread_mutex_lock(&lock);
    int pid = current && !is_dead(current) ? current->process->pid : 0;
    pthread_mutex_unlock(&lock);
    return pid;
}

#define PATIENCE 2.0                                       /* seconds: for a server that is stopped, or has nothing more to do */

/* It answers with a byte if it has children that run, and by its end if not. */
static bool ends_now(const struct plait__server *server)
{
    plait_deadline deadline = plait_after(PATIENCE);
    if (is_dead(server)) return true;
    if (!socket_is_ours(server) || send_kind(server, PLAIT__STOP, deadline) != 0) {
        stop_without_socket(server);
        return false;
    }
    return plait__wait_fd(server->socket, POLLIN, deadline) > 0 && receive_byte(server) == 0;
}

/* With `lock`: one that has ended. */
static void let_go_of_retired(struct plait__server *server)
{
    struct plait__server **place = &retired;
    while (*place && *place != server) place = &(*place)->next;
    if (!*place) return;                                   /* somebody else has */
    *place = server->next;
    let_go(server);
}

/* With `lock`, which is free meanwhile; it is among the retired, whose forks know of them. */
static void end_server(struct plait__server *server)
{
    server->users++;
    pthread_mutex_unlock(&lock);
    bool ends = ends_now(server);
    if (ends) plait_process_join(server->process, PLAIT_FOREVER);
    pthread_mutex_lock(&lock);
    if (ends) let_go_of_retired(server);
    let_go(server);
}

int plait_forkserver_stop(void)
{
    pthread_mutex_lock(&lock);
    wait_for_who_starts();
    struct plait__server *server = current;
    current = NULL;
    join_retired();
    if (server && is_owner(server)) {
        retire(server);
        end_server(server);
    } else if (server) let_go(server);
    pthread_mutex_unlock(&lock);
    return 0;
}

static void join_or_kill(struct plait__server *server)
{
    if (!is_owner(server)) return;
    if (plait_process_join(server->process, plait_after(PATIENCE)) < 0) plait_process_kill(server->process);
    plait_process_join(server->process, PLAIT_FOREVER);
}

void plait__server_end(void)
{
    plait_forkserver_stop();
    pthread_mutex_lock(&lock);
    while (retired) {
        struct plait__server *server = retired;
        server->users++;
        pthread_mutex_unlock(&lock);
        join_or_kill(server);
        pthread_mutex_lock(&lock);
        let_go_of_retired(server);
        let_go(server);
    }
    pthread_mutex_unlock(&lock);
}
