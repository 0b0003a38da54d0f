/* message/connection_fd.c - descriptors that come over a connection: a byte that tells how many, with them beside it, as Python's
 * reduction.send_handle sends one.
 *
 * Who asks for one has it looked at first (MSG_PEEK), which gives this process a copy: if there is no room for that, nothing is
 * taken.  (To look is of no use for anything else: the kernel goes on to the next piece that has a descriptor beside it, and tells
 * of that.)  What came beside the byte, the kernel writes into shared memory; so it is known, too, if who asked for a message, and
 * got a descriptor, is killed then.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "family/repair.h"
#include "message/connection_internal.h"
#include "sync/owner.h"

struct arrived {
    int first;
    unsigned count;
};

/* What a call of this process has brought beside its bytes.  Several are closed. */
static struct arrived find_descriptors(const struct msghdr *message)
{
    struct arrived arrived = { -1, 0 };
    struct msghdr copy = *message;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&copy); part; part = CMSG_NXTHDR(&copy, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        arrived.count = (unsigned)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (unsigned i = arrived.count; i-- > 0;) {
            memcpy(&arrived.first, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            if (arrived.count > 1) close(arrived.first);
        }
    }
    return arrived;
}

static int several(void)
{
    return plait__fail(-EPROTO, "several descriptors came at once; they are closed");
}

int plait__came_with(const struct plait__progress *record, int *fd)
{
    const struct msghdr *message = &record->call.msg_hdr;
    if (PLAIT__LIKELY(!message->msg_control || !message->msg_controllen) && !(message->msg_flags & MSG_CTRUNC)) return 0;
    struct arrived arrived = find_descriptors(message);
    *fd = arrived.first;
    if (arrived.count > 1) return several();
    if (arrived.count == 0) return (message->msg_flags & MSG_CTRUNC) ? -EMFILE : 0;
    return 1;
}

bool plait__brought_descriptor(const struct plait__progress *record)
{
    struct msghdr copy = record->call.msg_hdr;
    if (record->call.msg_len > 1) return false;            /* it came beside a message */
    if (!record->call.msg_len || !copy.msg_control || !copy.msg_controllen) return copy.msg_flags & MSG_CTRUNC;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&copy); part; part = CMSG_NXTHDR(&copy, part))
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) return true;
    return false;
}

/* ---- held ---- */

/* Which process of all that ever had this pid: called by the first of its members that held something.  A forked child goes by its
 * parent's name, but has another pid. */
static uint64_t this_process(void)
{
    static _Atomic uint64_t name;
    uint64_t seen = 0;
    return atomic_compare_exchange_strong(&name, &seen, plait__self.owner) ? plait__self.owner : seen;
}

void plait__hold_descriptor(struct plait__direction *in, int fd)
{
    in->held = (struct plait__held){ .holder = plait__self.owner, .process = this_process(), .file = plait__file_of(fd), .fd = fd,
                                     .pid = getpid(), .pid_namespace = plait__pid_namespace() };
    plait__begin(in, &(struct plait__progress){ .stage = PLAIT__HOLDS_FD });
}

static bool is_this_process(const struct plait__held *held)
{
    return held->pid == getpid() && held->pid_namespace == plait__pid_namespace() && held->process == this_process();
}

bool plait__holds_here(struct plait__direction *in)
{
    const struct plait__held *held = &in->held;
    return plait__progress_of(in)->stage == PLAIT__HOLDS_FD && is_this_process(held) && plait__is_file(held->fd, &held->file);
}

static bool has_member_of(const struct plait__held *held)
{
    uint32_t made = atomic_load(&plait__roster->made);
    for (uint32_t i = 1; i <= made; i++) {
        const struct plait__slot *slot = plait__slot(i);
        if (atomic_load(&slot->pid) == held->pid && atomic_load(&slot->pid_namespace) == held->pid_namespace &&
            !plait__pulse_stopped(i))
            return true;
    }
    return false;
}

/* A process without members may be there all the same. */
static bool is_running(const struct plait__held *held)
{
    return held->pid_namespace == plait__pid_namespace() && !plait__is_gone(held->pid, held->pid);
}

/* A thread dies only with its process; one that has left may have left that behind. */
bool plait__holds_no_more(struct plait__direction *in)
{
    const struct plait__held *held = &in->held;
    if (is_this_process(held)) return !plait__is_file(held->fd, &held->file);
    enum plait__fate fate = plait__fate(held->holder);
    if (fate == PLAIT__LIVES && plait__ask_kernel_about_unpulsed()) fate = plait__fate(held->holder);
    return fate == PLAIT__DIED || (fate == PLAIT__LEFT && !has_member_of(held) && !is_running(held));
}

void plait__drop_held(plait_connection *connection)
{
    struct plait__direction *in = &connection->in;
    if (!plait__holds_here(in) || plait__direction_own(in, connection, PLAIT_FOREVER) < 0) return;
    if (plait__holds_here(in)) {                           /* another thread may have taken it, or another process its place */
        close(in->held.fd);
        plait__begin(in, &(struct plait__progress){ 0 });
    }
    plait__direction_disown(in);
}

/* A copy of the next descriptor, wherever it stands; -1: there is none; -EMFILE. */
static int peek(const plait_connection *connection)
{
    _Alignas(struct cmsghdr) char control[sizeof connection->in.control];
    char byte;
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    if (recvmsg(connection->fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) return -1;
    struct arrived arrived = find_descriptors(&message);
    if (arrived.count == 1) return arrived.first;
    return arrived.count == 0 && (message.msg_flags & MSG_CTRUNC) ? -EMFILE : -1;
}

int plait__take_descriptor(plait_connection *connection, int *fd)
{
    int copy = peek(connection);
    if (copy == -EMFILE) return plait__fail(copy, "this process has no room for another descriptor; it stays the next");
    ssize_t got = plait__recv_first(connection, 1);
    int came = got > 0 ? plait__came_with(plait__progress_of(&connection->in), fd) : got == 0 ? -ENODATA : (int)got;
    if (came == -EMFILE && copy >= 0) {
        *fd = copy;
        return 1;
    }
    if (copy >= 0) close(copy);
    return came;
}
