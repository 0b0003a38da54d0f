/* join/join.c - going through another's door. */
#include <plait/join.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <plait/process.h>

#include "base/error.h"
#include "base/fault.h"
#include "base/fd.h"
#include "family/wait.h"
#include "join/address.h"
#include "join/path.h"

/* Whoever sees to a door makes room in far less. */
#define ROOM_WITHIN (plait__test_room_within ? plait__test_room_within : 10000 * PLAIT__MILLISECOND)

/* ---- knocking ---- */

static int cannot_connect(int error)
{
    if (error == EPROTOTYPE) return plait__fail(-EPROTO, "a socket of another kind is there");
    return plait__fail(-error, error == ECONNREFUSED ? "nobody listens there" : "no way to get there");
}

/* So many have knocked that there is no room for us: the kernel has nothing to wait on for that, nor does
 * it say whose door it is.  So this wait alone can't see that whoever it waits for has ended: it has an end of its own. */
static int knock(int fd, const struct plait__address *address, plait_deadline deadline)
{
    deadline = (plait_deadline){ plait__earlier(deadline, plait__now() + ROOM_WITHIN) };
    while (connect(fd, (const struct sockaddr *)&address->socket, address->length) < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return cannot_connect(errno);
        if (plait__expired(deadline)) return plait__fail(-ETIMEDOUT, "nobody sees to the door, and many wait there");
        plait__wait_fds(NULL, 0, (plait_deadline){ plait__earlier(deadline, plait__now() + 2 * PLAIT__MILLISECOND) });
    }
    return 0;
}

/* ---- the answer ---- */

struct answer {
    struct plait__invitation invitation;
    int fd;                                                /* -1: none came */
};

/* One descriptor of those that came; we want no others. */
static int take_descriptor(struct msghdr *header)
{
    int kept = -1, fd;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(header); each; each = CMSG_NXTHDR(header, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
        for (size_t at = 0; CMSG_LEN(at + sizeof fd) <= each->cmsg_len; at += sizeof fd) {
            memcpy(&fd, CMSG_DATA(each) + at, sizeof fd);
            if (kept < 0) kept = fd;
            else close(fd);
        }
    }
    return kept;
}

/* -EAGAIN: it has not come. */
static int receive(int fd, struct answer *answer)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec data = { &answer->invitation, sizeof answer->invitation };
    struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return -EAGAIN;
    if (got < 0) return plait__fail(-errno, "at the door: %s", plait_strerror(errno));
    answer->fd = plait__above_stdio(take_descriptor(&header));
    bool is_one = got == (ssize_t)sizeof answer->invitation && !(header.msg_flags & MSG_TRUNC) &&
                  answer->invitation.magic == PLAIT__INVITATION_MAGIC;
    if (got == 0) return plait__fail(-ECONNRESET, "the door was left without an answer");
    if (!is_one) return plait__fail(-EPROTO, "what listens there is no door of plait");
    if (answer->invitation.error) return plait__fail(answer->invitation.error, "the family does not let this program in");
    bool is_short_of_them = answer->fd < -1 || (answer->fd < 0 && (header.msg_flags & MSG_CTRUNC));
    if (is_short_of_them) return plait__fail(-EMFILE, "no descriptor is free for the family's memory");
    return answer->fd < 0 ? plait__fail(-EPROTO, "the answer brings no memory") : 0;
}

static int wait_for_answer(int fd, int maker, struct answer *answer, plait_deadline deadline)
{
    struct pollfd both[2] = { { .fd = fd, .events = POLLIN }, { .fd = maker, .events = POLLIN } };
    for (;;) {
        bool has_ended = both[1].revents != 0;
        int error = receive(fd, answer);
        if (error != -EAGAIN) return error;
        if (has_ended) return plait__fail(-ECONNRESET, "the program that had opened the door has ended");
        error = plait__wait_fds(both, 2, deadline);
        if (error == -ETIMEDOUT) return plait__fail(-ETIMEDOUT, "nobody sees to the door: plait_door_admit");
        if (error < 0 && error != -EINTR) return plait__fail(error, "waiting at the door: %s", plait_strerror(error));
    }
}

static bool is_short(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

static int ask_whom(int fd, int maker, struct answer *answer, plait_deadline deadline)
{
    if (!plait__maker_has_ended(maker)) return wait_for_answer(fd, maker, answer, deadline);
    int error = receive(fd, answer);
    return error == -EAGAIN ? plait__fail(-ECONNREFUSED, "the program that had opened the door has ended") : error;
}

/* The path of a door that was left behind goes: else those who come fill up the backlog, which nobody empties. */
static int ask(int fd, const struct plait__address *address, struct answer *answer, plait_deadline deadline)
{
    struct ucred maker;
    int pin = plait__pin_path(address), watched = -1;
    int error = knock(fd, address, deadline);
    if (!error) error = plait__check_peer(fd, &maker);
    if (!error) {
        watched = plait__watch_maker(fd, maker.pid);
        error = is_short(watched) ? plait__fail(watched, "no descriptor is free to watch whose door it is")
                                  : ask_whom(fd, watched, answer, deadline);
        if (error && plait__maker_has_ended(watched)) plait__remove_left_behind(address, pin);
    }
    if (watched >= 0) close(watched);
    if (pin >= 0) close(pin);
    return error;
}

/* ---- going in ---- */

/* "Joined-N" tells it from all those that are a MainProcess. */
static void take_name(void)
{
    char name[32];
    uint32_t number = atomic_fetch_add(&plait__roster->joined, 1) + 1;
    if (strcmp(plait__process_name(), "MainProcess") != 0) return;
    snprintf(name, sizeof name, "Joined-%u", number);
    plait_process_set_name(plait_current_process(), name); /* or it stays a MainProcess */
}

/* The descriptor is the family's afterwards, or closed. */
static int enter(int fd)
{
    int result = plait__has_doors() ? plait__fail(-EALREADY, "this process has a door of its own family") : 0;
    if (!result) result = plait__family_change(fd);
    if (result) close(fd);
    if (result) return result < 0 ? result : plait__member();
    result = plait__member();
    if (result) plait__family_forget();
    else take_name();
    return result;
}

int plait_family_join(const char *path, plait_deadline deadline)
{
    struct plait__address address;
    struct answer answer = { .fd = -1 };
    int error = plait__address_of(path, &address);
    int fd = error ? error : plait__door_socket();
    if (fd < 0) return fd;
    error = ask(fd, &address, &answer, deadline);
    close(fd);
    if (error && answer.fd >= 0) close(answer.fd);
    if (!error) error = enter(answer.fd);
    if (error) plait__add_detail("joining the family at %s", path);
    return error;
}
