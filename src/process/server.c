/* process/server.c - the forkserver, for those who want children of it. */
#include "process/server.h"

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

/* A server that this process has started, or one that it has inherited as a fork of such a process.  Counted by those who use it, and
 * by `current` or `retired`. */
struct server {
    struct server *next;                                   /* of those that are retired */
    plait_process *process;
    struct plait__server_board *board;
    int socket;
    dev_t device;                                          /* which socket that was: the program may have closed it */
    ino_t inode;
    pid_t greeted;                                         /* the process that the server knows of */
    unsigned users;
};

/* Guarded by `lock`, which no fork can copy in another thread's hands. */
static struct server *current, *retired;                   /* retired: they end when their last child does */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }
static __attribute__((constructor)) void register_for_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

static bool socket_is_ours(const struct server *server)
{
    struct stat status;
    return fstat(server->socket, &status) == 0 && status.st_dev == server->device && status.st_ino == server->inode;
}

static bool is_dead(const struct server *server)
{
    return plait__fate(atomic_load(&server->board->owner)) != PLAIT__LIVES;
}

/* One that has ended, or a fork's copy. */
static void destroy(struct server *server)
{
    if (socket_is_ours(server)) close(server->socket);
    if (server->process->owner == getpid()) {
        plait_process_join(server->process, PLAIT_FOREVER);
        plait_free(server->board);
    }
    plait_process_free(server->process);
    free(server);
}

/* With `lock`. */
static void let_go(struct server *server)
{
    if (--server->users == 0) destroy(server);
}

/* ---- sending ---- */

/* To a server that lives; a socket that is full is waited for. */
static int send_message(const struct server *server, const struct plait__message *message, const int *fds, unsigned count)
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
        control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof(int)) };
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    while (sendmsg(server->socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EAGAIN) plait__wait_fd(server->socket, POLLOUT, PLAIT_FOREVER);
        else if (errno != EINTR) return -errno;
    }
    return 0;
}

static int send_kind(const struct server *server, enum plait__message_kind kind, struct plait__spawned *spawned, const int *fds,
                     unsigned count)
{
    return send_message(server, &(struct plait__message){ .kind = kind, .pid = getpid(), .spawned = spawned }, fds, count);
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
    for (int i = 0; i < PLAIT__SEATS_MAX; i++) atomic_store(&board->seats[i].birth, PLAIT__EMPTY);
    return board;
}

/* It ends with us by its own doing, so that it needs no thread for that: it may be another thread than main's that starts it. */
static plait_process *new_process(const struct plait__server_start *start)
{
    plait_process_options options = {
        .name = "ForkServer", .method = PLAIT_SPAWN, .detached = 1, .input = PLAIT_STREAM_NULL, .fds = &start->socket, .fd_count = 1,
    };
    plait_process *process = plait_process_new(plait__serve, start, sizeof *start, &options);
    if (!process) return NULL;
    process->plan->is_hidden = true;
    atomic_fetch_sub(&plait__children_made, 1);            /* it takes no number from those that the program makes */
    return plait__start_or_free(process);
}

/* Nothing comes if it died, by an option or by somebody's hand. */
static int hear(const struct server *server)
{
    char byte;
    plait__wait_fd(server->socket, POLLIN, PLAIT_FOREVER);
    ssize_t got = recv(server->socket, &byte, 1, MSG_DONTWAIT);
    if (got == 1 && server->board->error == 0) return 0;
    if (got == 1) return plait__fail(server->board->error, "the forkserver: %s", server->board->detail);
    plait_process_join(server->process, PLAIT_FOREVER);
    int code = plait_process_exitcode(server->process);
    if (code < -4096) return plait__fail(code, "the forkserver: %s", plait_error_detail());
    return plait__fail(-ECANCELED, "the forkserver ended with %d before it was ready; is plait_init the first line of main?", code);
}

static int connect_to_new(int sockets[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) return plait__fail(-errno, "socketpair: %s", plait_strerror(-errno));
    for (int i = 0; i < 2; i++) {
        if ((sockets[i] = plait__above_stdio(sockets[i])) >= 0) continue;
        int error = sockets[i];
        if (sockets[!i] >= 0) close(sockets[!i]);
        return plait__fail(error, "socketpair: %s", plait_strerror(error));
    }
    return 0;
}

static struct server *new_server(plait_process *process, struct plait__server_board *board, int socket)
{
    struct stat status = { 0 };
    struct server *server = malloc(sizeof *server);
    if (!server) {
        plait__fail(-ENOMEM, "no private memory for the forkserver");
        return plait__null(-ENOMEM);
    }
    fstat(socket, &status);
    *server = (struct server){
        .process = process, .board = board, .socket = socket, .device = status.st_dev, .inode = status.st_ino, .greeted = getpid(),
        .users = 1,
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
    struct server *server = process ? new_server(process, board, sockets[0]) : NULL;
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

/* With `lock`: `current` lives and knows of us. */
static int ensure(const plait_forkserver_options *options)
{
    if (current && (!socket_is_ours(current) || is_dead(current))) {
        if (current->process->owner == getpid()) plait_process_kill(current->process);
        let_go(current);
        current = NULL;
    }
    if (!current) return start_server(options);
    if (current->greeted == getpid()) return 0;
    int error = send_kind(current, PLAIT__HELLO, NULL, NULL, 0);
    if (!error) current->greeted = getpid();
    return error ? plait__fail(error, "the forkserver's socket: %s", plait_strerror(error)) : 0;
}

/* The current server, for use; NULL with errno. */
static struct server *use(void)
{
    static const plait_forkserver_options defaults;
    pthread_mutex_lock(&lock);
    int error = ensure(&defaults);
    struct server *server = error ? plait__null(error) : current;
    if (server) server->users++;
    pthread_mutex_unlock(&lock);
    return server;
}

static void release(struct server *server)
{
    int error = errno;
    pthread_mutex_lock(&lock);
    let_go(server);
    pthread_mutex_unlock(&lock);
    errno = error;
}

/* ---- asking for a child ---- */

/* Which descriptors have to be sent, and what becomes of them. */
static unsigned choose_descriptors(const plait_process *process, const struct plait__streams *streams, struct plait__service *service,
                                   int *fds)
{
    const struct plait__plan *plan = process->plan;
    unsigned count = 0;
    for (int i = 0; i < 3; i++) {
        int source = plan->streams[i] == PLAIT_STREAM_INHERIT ? i : streams->sources[i];
        if (plan->streams[i] == PLAIT_STREAM_DEFAULT) source = -2;       /* its standard input is /dev/null */
        service->given[i] = source < 0 ? source : (int32_t)count;
        if (source >= 0) fds[count++] = source;
    }
    for (size_t i = 0; i < plan->fd_count; i++) fds[count++] = plan->fds[i];
    return service->sent = count;
}

/* Until it, or the server for it, has answered. */
static int wait_for_answer(const plait_process *process, struct plait__service *service)
{
    struct plait__wait wait = plait__wait_until(PLAIT_FOREVER);
    while (atomic_load(&service->answer) == PLAIT__UNANSWERED) {
        if (plait__fate(service->server) != PLAIT__LIVES) return plait__fail(-ECANCELED, "the forkserver was killed");
        plait__wait(&wait, &service->answer, PLAIT__UNANSWERED, (uint32_t)service->server & 0xffff);
    }
    plait__wait_end(&wait);
    return atomic_load(&service->answer) == PLAIT__BEGUN ? 0 : plait__plan_failed(process->plan, &service->report);
}

/* Fewer than half of those that there should be are ready: they are made now, not when a child ends. */
static bool is_low(const struct plait__server_board *board)
{
    uint32_t stock = atomic_load(&board->stock), ready = 0;
    for (uint32_t i = 0; i < stock && i < PLAIT__SEATS_MAX; i++) ready += atomic_load(&board->seats[i].birth) == PLAIT__READY;
    return ready * 2 < stock;
}

/* False: nobody was told of it, the block is ours alone. */
static bool ask(const struct server *server, struct plait__spawned *spawned, const int *fds, unsigned count, bool *must_answer)
{
    *must_answer = true;
    if (count || !plait__take_seat(server->board, spawned)) return send_kind(server, PLAIT__START, spawned, fds, count) == 0;
    if (is_low(server->board)) send_kind(server, PLAIT__LOOK, NULL, NULL, 0);
    *must_answer = plait__plan_may_fail(spawned->birth.plan);
    return true;
}

static int watch(plait_process *process, struct plait__service *service)
{
    process->pid = atomic_load(&service->pid);
    int error = plait__sentinel_of_served(process);
    if (error) kill(process->pid, SIGKILL);                /* it is this child as long as it is not watched */
    return error ? plait__fail(error, "a descriptor to watch the child by: %s", plait_strerror(error)) : 0;
}

static int start_spawned(plait_process *process, const struct server *server, struct plait__spawned *spawned,
                         const struct plait__streams *streams)
{
    int fds[PLAIT__SENT_MAX];
    struct plait__service *service = &spawned->service;
    bool must_answer;
    unsigned count = choose_descriptors(process, streams, service, fds);
    spawned->birth.is_served = true;
    service->server = atomic_load(&server->board->owner);
    atomic_store(&service->holders, 2);
    if (!ask(server, spawned, fds, count, &must_answer)) {
        plait_free(spawned);
        return plait__fail(-ECANCELED, "the forkserver was killed");
    }
    int error = must_answer ? wait_for_answer(process, service) : 0;
    if (!error) error = watch(process, service);
    atomic_store(&service->is_watched, 1);
    if (error) plait__spawned_drop(spawned);
    else process->record = &spawned->record;
    return error;
}

static int start_by(plait_process *process, const struct server *server)
{
    struct plait__streams streams;
    int error = plait__streams_make(process, &streams);
    if (error) return error;
    struct plait__spawned *spawned = plait__spawned_new(process);
    error = spawned ? start_spawned(process, server, spawned, &streams) : -errno;
    if (error) plait__streams_drop(process, &streams);
    else plait__streams_given(&streams);
    return error;
}

/* One that dies meanwhile is replaced, once: a child that had begun has ended with it. */
static int start(plait_process *process)
{
    if (process->plan->fd_count > PLAIT__SENT_MAX - 3)
        return plait__fail(-EINVAL, "%zu descriptors; 250 are possible", process->plan->fd_count);
    int error = -ECANCELED;
    for (int tries = 0; tries < 2 && error == -ECANCELED; tries++) {
        struct server *server = use();
        if (!server) return -errno;
        error = start_by(process, server);
        release(server);
    }
    if (error) process->pid = 0;
    return error;
}

/* ---- its end ---- */

static struct plait__spawned *spawned_of(const plait_process *process)
{
    return (struct plait__spawned *)process->record;
}

static bool has_gone(plait_process *process)
{
    return process->is_pidfd && plait__sentinel_is_ours(process) && plait__wait_fd(process->sentinel, POLLIN, PLAIT_NOW) > 0;
}

/* The child tells its exit code by itself; how it was killed tells the server. */
static bool look(plait_process *process)
{
    struct plait__spawned *spawned = spawned_of(process);
    struct plait__service *service = &spawned->service;
    bool has_status = atomic_load(&service->has_status), server_died = plait__fate(service->server) != PLAIT__LIVES;
    if (!has_status && !has_gone(process) && !(server_died && !process->is_pidfd)) return false;
    bool has_told = atomic_load(&spawned->record.has_ended);
    if (!has_told && !has_status && !server_died) return false;
    process->exitcode = has_told ? spawned->record.code : has_status ? service->status : PLAIT_EREAPED;
    if (has_told && process->exitcode < 0) plait__fail(process->exitcode, "%s", spawned->detail);
    return true;
}

static int wait_for_status(struct plait__service *service, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_until(deadline);
    int error = plait__member();
    while (!error && !atomic_load(&service->has_status) && plait__fate(service->server) == PLAIT__LIVES)
        error = plait__wait(&wait, &service->has_status, 0, (uint32_t)service->server & 0xffff);
    plait__wait_end(&wait);
    return error;
}

static int wait_for_end(plait_process *process, plait_deadline deadline)
{
    struct plait__spawned *spawned = spawned_of(process);
    bool by_descriptor = process->is_pidfd && plait__sentinel_is_ours(process);
    if (!plait__is_now(deadline)) plait__spin_for_end(process);
    int result = by_descriptor ? plait__wait_fd(process->sentinel, POLLIN, deadline) : 0;
    if (result < 0) return result;
    return by_descriptor && atomic_load(&spawned->record.has_ended) ? 0 : wait_for_status(&spawned->service, deadline);
}

/* A server that died holds the block no longer. */
static void destroy_served(plait_process *process)
{
    struct plait__spawned *spawned = spawned_of(process);
    plait__sentinel_close(process);
    if (process->owner != getpid()) return;
    if (plait__fate(spawned->service.server) != PLAIT__LIVES) plait_free(spawned);
    else plait__spawned_drop(spawned);
}

const struct plait__route plait__server_route = {
    .start = start, .look = look, .wait = wait_for_end, .signal = plait__child_signal, .destroy = destroy_served,
};

/* ---- the face ---- */

/* With `lock`: one that is there goes on with another stock. */
static int change_stock(const plait_forkserver_options *options)
{
    uint32_t stock = (uint32_t)options->stock;
    atomic_store(&current->board->stock, stock);
    int error = send_kind(current, PLAIT__LOOK, NULL, NULL, 0);
    return error ? plait__fail(error, "the forkserver's socket: %s", plait_strerror(error)) : 0;
}

int plait_forkserver_start(const plait_forkserver_options *options)
{
    static const plait_forkserver_options defaults;
    if (!options) options = &defaults;
    int error = options_error(options);
    if (!error) error = plait__member();
    if (error) return error;
    pthread_mutex_lock(&lock);
    const struct server *before = current;
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

/* It answers with a byte if it has children that run, and by its end if not. */
static bool is_busy(const struct server *server)
{
    char byte;
    if (send_kind(server, PLAIT__STOP, NULL, NULL, 0) != 0) return false;
    plait__wait_fd(server->socket, POLLIN, PLAIT_FOREVER);
    return recv(server->socket, &byte, 1, MSG_DONTWAIT) == 1;
}

int plait_forkserver_stop(void)
{
    pthread_mutex_lock(&lock);
    struct server *server = current;
    current = NULL;
    bool keep = server && server->process->owner == getpid() && is_busy(server);
    if (keep) {
        server->next = retired;
        retired = server;
    } else if (server) {
        let_go(server);
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

#define PATIENCE 2.0                                       /* seconds for a server that has nothing more to do */

void plait__server_end(void)
{
    plait_forkserver_stop();
    pthread_mutex_lock(&lock);
    while (retired) {
        struct server *server = retired;
        retired = server->next;
        if (plait_process_join(server->process, plait_after(PATIENCE)) < 0) plait_process_kill(server->process);
        let_go(server);
    }
    pthread_mutex_unlock(&lock);
}
