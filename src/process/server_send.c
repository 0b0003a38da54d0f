/* process/server_send.c - what is said to a forkserver, and what it answers by itself. */
#include "process/server_internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "family/wait.h"
#include "process/serve.h"

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

int plait__server_say(const struct plait__server *server, enum plait__message_kind kind, plait_deadline deadline)
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
    int error = plait__server_say(server, PLAIT__LOOK, PLAIT_NOW);
    return error == -ETIMEDOUT ? 0 : error;
}

ssize_t plait__server_hear(const struct plait__server *server)
{
    char byte;
    ssize_t got;
    do got = recv(server->socket, &byte, 1, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got;
}
