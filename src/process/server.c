/* process/server.c - the forkserver, for those who want children of it. */
#include "process/server_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "base/fd.h"
#include "family/wait.h"

/* Guarded by the lock. */
static struct plait__server *current, *retired;            /* retired: they end when their last child does */
pthread_mutex_t plait__server_lock = PTHREAD_MUTEX_INITIALIZER;

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
    pthread_mutex_lock(&plait__server_lock);
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
    pthread_mutex_unlock(&plait__server_lock);
}

static void after_fork_in_child(void)
{
    be_holder(current);
    be_holder(retired);
    plait__server_forget_start();
    errno = errno_before_fork;
    pthread_mutex_unlock(&plait__server_lock);
}

static __attribute__((constructor)) void register_for_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static void stop_holding(const struct plait__server *server)
{
    for (; server; server = server->next)
        if (server->holder == getpid()) atomic_fetch_sub(&server->board->holders, 1);
}

/* (It frees nothing: it is no member, and whoever has made it holds them too.) */
void plait__server_not_after_exec(void)
{
    stop_holding(current);
    stop_holding(retired);
}

/* ---- one ---- */

bool plait__server_socket_is_ours(const struct plait__server *server)
{
    return plait__is_file(server->socket, &server->file);
}

bool plait__server_is_ours(const struct plait__server *server)
{
    return server->process->owner == getpid();
}

bool plait__server_is_dead(const struct plait__server *server)
{
    return plait__fate(atomic_load(&server->board->owner)) != PLAIT__LIVES;
}

void plait__server_destroy(struct plait__server *server)
{
    if (plait__server_socket_is_ours(server)) close(server->socket);
    if (plait__server_is_ours(server)) plait_process_join(server->process, PLAIT_FOREVER);
    if (server->holder == getpid() && atomic_fetch_sub(&server->board->holders, 1) == 1) plait_free(server->board);
    plait_process_free(server->process);
    free(server);
}

/* With the lock. */
static void let_go(struct plait__server *server)
{
    if (--server->users == 0) plait__server_destroy(server);
}

/* With the lock: it is no longer `current`, but as long as it has children that run it may be joined later only. */
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

/* With the lock: forget a server that is of no use any more. */
static void lose(struct plait__server *server)
{
    bool lives = plait__server_is_ours(server) && !plait__server_is_dead(server);
    if (lives && !plait__server_socket_is_ours(server)) stop_without_socket(server);
    if (lives) retire(server);
    else let_go(server);
}

static bool is_of_use(const struct plait__server *server)
{
    return plait__server_socket_is_ours(server) && !plait__server_is_dead(server) && !atomic_load(&server->board->is_stopping);
}

/* With the lock: those that have ended in the meantime. */
static void join_retired(void)
{
    for (struct plait__server **place = &retired; *place;) {
        struct plait__server *server = *place;
        if (plait__server_is_ours(server) && !plait__server_is_dead(server)) {
            place = &server->next;
            continue;
        }
        *place = server->next;
        let_go(server);
    }
}

/* With the lock, which is free while one is started: `current` lives. */
static int ensure(const plait_forkserver_options *options, bool *is_new)
{
    plait__server_await_start();
    join_retired();
    if (current && !is_of_use(current)) {
        struct plait__server *lost = current;
        current = NULL;
        lose(lost);
    }
    *is_new = !current;
    if (!current) current = plait__server_start(options);
    return current ? 0 : -errno;
}

/* A fork of the owner makes itself known. */
static int greet(struct plait__server *server)
{
    if (atomic_load(&server->greeted) == getpid()) return 0;
    int error = plait__server_say(server, PLAIT__HELLO, PLAIT_FOREVER);
    if (!error) atomic_store(&server->greeted, getpid());
    return error;
}

static struct plait__server *use(const plait_forkserver_options *options, bool *is_new)
{
    pthread_mutex_lock(&plait__server_lock);
    int error = ensure(options, is_new);
    struct plait__server *server = error ? plait__null(error) : current;
    if (server) server->users++;
    pthread_mutex_unlock(&plait__server_lock);
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
    pthread_mutex_lock(&plait__server_lock);
    let_go(server);
    pthread_mutex_unlock(&plait__server_lock);
    errno = error;
}

/* ---- the face ---- */

static int options_error(const plait_forkserver_options *options)
{
    if (options->stock < 0 || options->stock > PLAIT__SEATS_MAX)
        return plait__fail(-EINVAL, "a stock of %d; 0 to %d are possible", options->stock, PLAIT__SEATS_MAX);
    return PLAIT__CHECK_RESERVED(options->reserved, options->reserved_int);
}

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
    pthread_mutex_lock(&plait__server_lock);
    int pid = current && !plait__server_is_dead(current) ? current->process->pid : 0;
    pthread_mutex_unlock(&plait__server_lock);
    return pid;
}

#define PATIENCE 2.0                                       /* seconds: for a server that is stopped, or has nothing more to do */

/* It answers with a byte if it has children that run, and by its end if not. */
static bool ends_now(const struct plait__server *server)
{
    plait_deadline deadline = plait_after(PATIENCE);
    if (plait__server_is_dead(server)) return true;
    if (!plait__server_socket_is_ours(server) || plait__server_say(server, PLAIT__STOP, deadline) != 0) {
        stop_without_socket(server);
        return false;
    }
    return plait__wait_fd(server->socket, POLLIN, deadline) > 0 && plait__server_hear(server) == 0;
}

/* With the lock: one that has ended. */
static void let_go_of_retired(struct plait__server *server)
{
    struct plait__server **place = &retired;
    while (*place && *place != server) place = &(*place)->next;
    if (!*place) return;                                   /* somebody else has */
    *place = server->next;
    let_go(server);
}

/* With the lock, which is free meanwhile; it is among the retired, whose forks know of them. */
static void end_server(struct plait__server *server)
{
    server->users++;
    pthread_mutex_unlock(&plait__server_lock);
    bool ends = ends_now(server);
    if (ends) plait_process_join(server->process, PLAIT_FOREVER);
    pthread_mutex_lock(&plait__server_lock);
    if (ends) let_go_of_retired(server);
    let_go(server);
}

int plait_forkserver_stop(void)
{
    pthread_mutex_lock(&plait__server_lock);
    plait__server_await_start();
    struct plait__server *server = current;
    current = NULL;
    join_retired();
    if (server && plait__server_is_ours(server)) {
        retire(server);
        end_server(server);
    } else if (server) let_go(server);
    pthread_mutex_unlock(&plait__server_lock);
    return 0;
}

static void join_or_kill(struct plait__server *server)
{
    if (!plait__server_is_ours(server)) return;
    if (plait_process_join(server->process, plait_after(PATIENCE)) < 0) plait_process_kill(server->process);
    plait_process_join(server->process, PLAIT_FOREVER);
}

void plait__server_end(void)
{
    plait_forkserver_stop();
    pthread_mutex_lock(&plait__server_lock);
    while (retired) {
        struct plait__server *server = retired;
        server->users++;
        pthread_mutex_unlock(&plait__server_lock);
        join_or_kill(server);
        pthread_mutex_lock(&plait__server_lock);
        let_go_of_retired(server);
        let_go(server);
    }
    pthread_mutex_unlock(&plait__server_lock);
}
