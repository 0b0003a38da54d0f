/* process/serve.c - what a forkserver does: wait for requests, for the ends of its children, and for the end of its owner. */
#include "process/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/pidfd.h"
#include "family/roster.h"
#include "family/wait.h"
#include "process/serve.h"

/* Private to the server. */
static struct plait__server_board *board;
static int requests, ends;                                 /* descriptors: the socket; one that tells of SIGCHLD */
static bool is_closed;                                     /* everybody has closed the other end of `requests` */

/* ---- users: the owner, and forks of it ---- */

static struct user {
    pid_t pid;
    int pidfd;                                             /* -1: there are none here */
    bool has_gone;
} *users;                                                  /* [0] is the owner */
static unsigned user_count;

static void add_user(pid_t pid)
{
    struct user *more = realloc(users, (user_count + 1) * sizeof *users);
    if (!more) return;                                     /* its children end with us, not with it */
    users = more;
    int pidfd = plait__pidfd_open(pid);
    users[user_count++] = (struct user){ pid, pidfd < 0 ? -1 : pidfd, false };
}

/* Without pidfds a zombie still looks alive; but not if it is our parent. */
static bool is_gone(const struct user *user)
{
    if (user == users && getppid() != user->pid) return true;
    if (user->pidfd >= 0) return plait__wait_fd(user->pidfd, POLLIN, PLAIT_NOW) > 0;
    return kill(user->pid, 0) < 0 && errno == ESRCH;
}

static bool note_who_has_gone(void)
{
    bool any = false;
    for (unsigned i = 0; i < user_count; i++) any |= users[i].has_gone = is_gone(&users[i]);
    return any;
}

/* The children of those that have gone, and they themselves. */
static void forget_the_gone(void)
{
    for (unsigned i = user_count; i-- > 1;) {
        if (!users[i].has_gone) continue;
        plait__children_of(users[i].pid);
        if (users[i].pidfd >= 0) close(users[i].pidfd);
        users[i] = users[--user_count];
    }
}

/* ---- new children ---- */

static sigset_t mask_before;
static struct sigaction interrupt_before, child_before;

/* The server's own ways with a signal; its children have what there was before, or what preload has set. */
static void take_signal(int signal, void (*action)(int), struct sigaction *before, bool again)
{
    struct sigaction now;
    sigaction(signal, &(struct sigaction){ .sa_handler = action }, &now);
    if (!again || now.sa_handler != action) *before = now;
}

/* SIGINT is of the terminal: the owner decides.  And who ignores SIGCHLD, never learns how his children end. */
static void take_signals(bool again)
{
    take_signal(SIGINT, SIG_IGN, &interrupt_before, again);
    take_signal(SIGCHLD, SIG_DFL, &child_before, again);
}

/* In a new child: nothing of the server's own; and until it is somebody's, it ends with the server. */
void plait__be_served(pid_t server)
{
    close(requests);
    close(ends);
    for (unsigned i = 0; i < user_count; i++)
        if (users[i].pidfd >= 0) close(users[i].pidfd);
    free(users);
    sigaction(SIGINT, &interrupt_before, NULL);
    sigaction(SIGCHLD, &child_before, NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != server) _exit(127);
}

/* ---- requests ---- */

/* How many bytes came; 0: everybody has closed the other end. */
static ssize_t receive(struct plait__message *message, int *sent, unsigned *count)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(PLAIT__SENT_MAX * sizeof(int))];
    } control;
    struct iovec data = { message, sizeof *message };
    struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t got = recvmsg(requests, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    *count = 0;
    struct cmsghdr *first = got > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    if (!first || first->cmsg_type != SCM_RIGHTS) return got;
    *count = (unsigned)((first->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(sent, CMSG_DATA(first), *count * sizeof(int));
    return got;
}

static void refuse(struct plait__spawned *spawned, enum plait__step step, int error)
{
    plait__answer(spawned, &(struct plait__report){ step, error });
    plait__spawned_drop(spawned, PLAIT__HELD_BY_SERVER);
}

static void start(struct plait__spawned *spawned, int *sent, unsigned count)
{
    if (atomic_load(&board->is_stopping)) return refuse(spawned, PLAIT__STEP_BEGIN, ECANCELED);
    if (count != spawned->service.sent) return refuse(spawned, PLAIT__STEP_FDS, EMFILE);      /* our limit took some away */
    pid_t pid = plait__make_child(NULL, spawned);
    if (pid == 0) plait__serve_one(spawned, sent, count);
    if (pid < 0) refuse(spawned, PLAIT__STEP_FORK, errno);
}

/* Who has asked for it waits until he knows whether we end now. */
static void stop(void)
{
    atomic_store(&board->is_stopping, 1);
    atomic_store(&board->stock, 0);
    plait__empty_seats(board);
    plait__bury_those_who_told();                          /* who asks may know already that they have ended */
    if (!plait__has_running_children()) return;
    ssize_t sent = send(requests, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
}

/* False: there are no more now. */
static bool answer_one(void)
{
    struct plait__message message;
    int sent[PLAIT__SENT_MAX];
    unsigned count;
    ssize_t got = receive(&message, sent, &count);
    if (got == 0) is_closed = true, stop();
    if (got != sizeof message) return false;
    if (message.kind == PLAIT__HELLO) add_user(message.pid);
    if (message.kind == PLAIT__START && plait_is_shared(message.spawned)) start(message.spawned, sent, count);
    if (message.kind == PLAIT__STOP) stop();
    for (unsigned i = 0; i < count; i++) close(sent[i]);
    return true;
}

/* What they asked for before they died is read before their children are looked for. */
static void look_after_users(void)
{
    if (!note_who_has_gone()) return;
    if (users[0].has_gone) {
        plait__children_of(0);
        _exit(0);                                          /* and those that still sit end with us */
    }
    while (!is_closed && answer_one()) {}
    forget_the_gone();
}

/* ---- the life of a server ---- */

static int run_preload(void)
{
    plait__code preload;
    if (!board->preload_size) return 0;
    int error = plait__function_find(&board->preload_function, board->preload_size, &preload);
    if (error) return error;
    int result = ((int (*)(void))preload)();
    plait__flush_streams(true);                            /* else each child would write it once more */
    take_signals(true);
    return result ? plait__fail(-ECANCELED, "preload returned %d", result) : 0;
}

static int set_up(void)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &mask_before);
    take_signals(false);
    ends = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (ends < 0) return plait__fail(-errno, "signalfd: %s", plait_strerror(-errno));
    add_user(getppid());
    if (!user_count) return plait__fail(-ENOMEM, "no private memory for a server");
    return run_preload();
}

/* One byte through the socket: whoever waits for it learns of our death, too. */
static void tell_ready(int error)
{
    board->error = error;
    snprintf(board->detail, sizeof board->detail, "%s", error ? plait_error_detail() : "");
    ssize_t sent = send(requests, "", 1, MSG_NOSIGNAL);
    (void)sent;
}

#define LOOK_EVERY (PLAIT__SECOND / 5)

static void wait_for_news(void)
{
    struct pollfd fds[2 + 64] = { { .fd = requests, .events = POLLIN }, { .fd = ends, .events = POLLIN } };
    unsigned count = 2;
    bool all_watched = user_count <= 64;
    if (is_closed) fds[0].fd = -1;
    for (unsigned i = 0; i < user_count && count < 2 + 64; i++) {
        all_watched = all_watched && users[i].pidfd >= 0;
        fds[count++] = (struct pollfd){ .fd = users[i].pidfd, .events = POLLIN };
    }
    int64_t patience = plait__has_late_children() ? 2 * PLAIT__MILLISECOND : all_watched ? INT64_MAX / 4 : LOOK_EVERY;
    plait__wait_fds(fds, count, (plait_deadline){ plait__now() + patience });
    struct signalfd_siginfo info;
    while (read(ends, &info, sizeof info) > 0) {}
}

/* One new child for the stock at a time, and requests in between. */
static void work(void)
{
    while (!is_closed && answer_one()) {}
    plait__bury_children();
    plait__empty_seats(board);
    while (plait__fill_a_seat(board))
        if (!is_closed && answer_one()) plait__bury_children();
}

int plait__serve(void *argument)
{
    const struct plait__server_start *begin = argument;
    board = begin->board;
    requests = begin->socket;
    int error = plait__member();                           /* who waits for us, or for our children, has to notice our death */
    atomic_store(&board->owner, plait__self.owner);
    if (!error) error = set_up();
    while (!error && plait__fill_a_seat(board)) {}
    tell_ready(error);
    if (error) return 1;
    while (!atomic_load(&board->is_stopping) || plait__has_children()) {
        wait_for_news();
        look_after_users();
        work();
    }
    return 0;
}
