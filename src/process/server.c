/* process/server.c - the forkserver, for those who want children of it. */
#include "process/ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* Guarded by `lock`, which no fork can copy in another thread's hands. */
static struct plait__server *current, *retired;                   /* retired: they end when their last child does */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The copies count too.  A process that was forked behind the C library's back is none of the holders, and only looks. */
static void hold(struct plait__server *server)
{
    for (; server; server = server->next) atomic_fetch_add(&server->board->holders, 1);
}

static void be_holder(struct plait__server *server)
{
    for (; server; server = server->next) {
        server->holder = getpid();
        server->users = 1;                                 /* other threads are not here */
    }
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
    hold(current);
    hold(retired);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    be_holder(current);
    be_holder(retired);
    pthread_mutex_unlock(&lock);
}

static __attribute__((constructor)) void register_for_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static bool socket_is_ours(const struct plait__server *server)
{
    struct stat status;
    return fstat(server->socket, &status) == 0 && status.st_dev == server->device && status.st_ino == server->inode;
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
static int send_message(const struct plait__server *server, const struct plait__message *message, const int *fds, unsigned count)
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
        if (errno == EAGAIN) plait__wait_fd(server->socket, POLLOUT, PLAIT_FOREVER);
        else if (errno != EINTR) return send_failed(errno);
    }
    return 0;
}

int plait__server_send(const struct plait__server *server, enum plait__message_kind kind, struct plait__spawned *spawned,
                       const int *fds,
                       unsigned count)
{
    return send_message(server, &(struct plait__message){ .kind = kind, .pid = getpid(), .spawned = spawned }, fds, count);
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
    plait_process_options options = {
        .name = "ForkServer", .method = PLAIT_SPAWN, .detached = 1, .input = PLAIT_STREAM_NULL, .fds = &start->socket,
        .fd_count = 1,
    };
    plait_process *process = plait_process_new(plait__serve, start, sizeof *start, &options);
    if (!process) return NULL;
    process->plan->is_hidden = true;
    atomic_fetch_sub(&plait__children_made, 1);            /* it takes no number from those that the program makes */
    return plait__start_or_free(process);
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
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        return plait__fail(-errno, "socketpair: %s", plait_strerror(-errno));
    for (int i = 0; i < 2; i++) {
        if ((sockets[i] = plait__above_stdio(sockets[i])) >= 0) continue;
        int error = sockets[i];
        if (sockets[!i] >= 0) close(sockets[!i]);
        return plait__fail(error, "socketpair: %s", plait_strerror(error));
    }
    return 0;
}

static struct plait__server *new_server(plait_process *process, struct plait__server_board *board, int socket)
{
    struct stat status = { 0 };
    struct plait__server *server = malloc(sizeof *server);
    if (!server) {
        plait__fail(-ENOMEM, "no private memory for the forkserver");
        return plait__null(-ENOMEM);
    }
    fstat(socket, &status);
    *server = (struct plait__server){
        .process = process, .board = board, .socket = socket, .device = status.st_dev, .inode = status.st_ino, .greeted = getpid(),
        .holder = getpid(), .users = 1,
    };
    return server;
}

/* Whatever is missing of it. */
static int give_up(struct plait__server_board *board, plait_process *process, int socket)
{
    int error = -errno;
    close(socket);
    if (process) {
        plait_process_kill(process);
        plait_process_join(process, PLAIT_FOREVER);
        plait_process_free(process);
    }
    if (board) plait_free(board);
    return error;
}

/* With `lock`. */
static int start_server(const plait_forkserver_options *options)
{
    int sockets[2];
    int error = plait__check_init();
    if (!error) error = connect_to_new(sockets);
    if (error) return error;
    struct plait__server_board *board = new_board(options);
    plait_process *process = board ? new_process(&(struct plait__server_start){ board, sockets[1] }) : NULL;
    struct plait__server *server = process ? new_server(process, board, sockets[0]) : NULL;
    if (!server) error = give_up(board, process, sockets[0]);
    close(sockets[1]);
    if (!error) error = hear(server);
    if (!error) current = server;
    else if (server) {
        plait_process_kill(process);
        let_go(server);
    }
    return error;
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

/* With `lock`: `current` lives and knows of us. */
static int ensure(const plait_forkserver_options *options)
{
    join_retired();
    if (current && !is_of_use(current)) {
        lose(current);
        current = NULL;
    }
    if (!current) return start_server(options);
    if (current->greeted == getpid()) return 0;
    int error = plait__server_send(current, PLAIT__HELLO, NULL, NULL, 0);
    if (!error) current->greeted = getpid();
    if (error != -ECANCELED) return error;
    let_go(current);                                       /* it has just ended */
    current = NULL;
    return start_server(options);
}

struct plait__server *plait__server_use(void)
{
    static const plait_forkserver_options defaults;
    pthread_mutex_lock(&lock);
    int error = ensure(&defaults);
    struct plait__server *server = error ? plait__null(error) : current;
    if (server) server->users++;
    pthread_mutex_unlock(&lock);
    return server;
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

/* With `lock`: one that is there goes on with another stock. */
static int change_stock(const plait_forkserver_options *options)
{
    uint32_t stock = (uint32_t)options->stock;
    atomic_store(&current->board->stock, stock);
    return plait__server_send(current, PLAIT__LOOK, NULL, NULL, 0);
}

int plait_forkserver_start(const plait_forkserver_options *options)
{
    static const plait_forkserver_options defaults;
    if (!options) options = &defaults;
    int error = options_error(options);
    if (!error) error = plait__member();
    if (error) return error;
    pthread_mutex_lock(&lock);
    const struct plait__server *before = current;
    error = ensure(options);
    if (!error && current == before) error = change_stock(options);
    pthread_mutex_unlock(&lock);
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
    if (is_dead(server)) return true;
    if (!socket_is_ours(server)) stop_without_socket(server);
    if (!socket_is_ours(server) || plait__server_send(server, PLAIT__STOP, NULL, NULL, 0) != 0) return false;
    return plait__wait_fd(server->socket, POLLIN, plait_after(PATIENCE)) > 0 && receive_byte(server) == 0;
}

int plait_forkserver_stop(void)
{
    pthread_mutex_lock(&lock);
    struct plait__server *server = current;
    current = NULL;
    join_retired();
    if (server && is_owner(server) && !ends_now(server)) retire(server);
    else if (server) let_go(server);
    pthread_mutex_unlock(&lock);
    return 0;
}

void plait__server_end(void)
{
    plait_forkserver_stop();
    pthread_mutex_lock(&lock);
    while (retired) {
        struct plait__server *server = retired;
        retired = server->next;
        if (is_owner(server) && plait_process_join(server->process, plait_after(PATIENCE)) < 0) plait_process_kill(server->process);
        let_go(server);
    }
    pthread_mutex_unlock(&lock);
}
