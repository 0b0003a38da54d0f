/* Who uses an end of a pipe is killed after every instruction.  A message is sent wholly or not at all, and received or still
 * there; the others go on, on the same end and on the other one. */
#include "kill.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <plait.h>

#include "message/connection_internal.h"

#define SOON plait_after(10)

enum { SMALL = 40, LARGE = 1000, FRAME = 4 };

static plait_connection *ends[2];
static char buffer[4096];
static size_t size;                                        /* of the messages of this case */

/* ---- messages: a number, many times ---- */

static int send_number(int end, char number, size_t length)
{
    memset(buffer, number, length);
    return plait_connection_send_bytes(ends[end], buffer, length, SOON);
}

static void must_get(int end, char number, size_t length)
{
    memset(buffer, 0, sizeof buffer);
    MUST(plait_connection_recv_bytes(ends[end], buffer, sizeof buffer, SOON) == (ssize_t)length);
    for (size_t i = 0; i < length; i++) MUST(buffer[i] == number);
}

static void must_be_empty(int end)
{
    MUST(plait_connection_recv_bytes(ends[end], buffer, sizeof buffer, PLAIT_NOW) == -ETIMEDOUT);
}

/* What nobody has read yet, as the kernel counts. */
static int unread(void)
{
    int bytes = -1;
    MUST(ioctl(ends[1]->fd, FIONREAD, &bytes) == 0);
    return bytes;
}

/* Both directions work, for both users of each end, and nothing is between. */
static void must_go_on(void)
{
    MUST(send_number(0, 4, SMALL) == 0);
    must_get(1, 4, SMALL);
    must_be_empty(1);
    MUST(send_number(1, 5, SMALL) == 0);
    must_get(0, 5, SMALL);
    must_be_empty(0);
}

static void make(size_t length)
{
    size = length;
    MUST(plait_pipe(1, ends) == 0);
}

static void tear_down(void)
{
    for (int i = 0; i < 2; i++) MUST(plait_connection_free(ends[i]) == 0);
}

static const struct step_region *ends_and_family(void)
{
    return step_object_and_roster(ends[0], 2 * sizeof *ends[0]);
}

/* ---- send ---- */

static void set_up_sent_small(void)
{
    make(SMALL);
    MUST(send_number(0, 1, size) == 0);
}

static void set_up_sent_large(void)
{
    make(LARGE);
    MUST(send_number(0, 1, size) == 0);
}

static void send_2(void)
{
    CHECK(send_number(0, 2, size) == 0);
}

static bool was_sent(const struct stepped *victim)
{
    return unread() == 2 * (int)(FRAME + size);
}

static void check_send(const struct stepped *victim, bool done)
{
    MUST(send_number(0, 3, size) == 0);
    must_get(1, 1, size);
    if (done) must_get(1, 2, size);
    must_get(1, 3, size);
    must_go_on();
}

static const struct kill_case send_small = {
    .operation = { .run = send_2 },
    .set_up = set_up_sent_small,
    .look = was_sent,
    .check = check_send,
    .tear_down = tear_down,
    .regions = ends_and_family,
};

static const struct kill_case send_large = {
    .operation = { .run = send_2 },
    .set_up = set_up_sent_large,
    .look = was_sent,
    .check = check_send,
    .tear_down = tear_down,
    .regions = ends_and_family,
    .long_one = true,
};

/* ---- send to who sleeps ---- */

static struct member other;

static int get_one(void)
{
    CHECK(plait_connection_recv_bytes(ends[1], buffer, sizeof buffer, plait_after(20)) == (ssize_t)size);
    return buffer[0];
}

static void set_up_sleeper(void)
{
    make(SMALL);
    other = member_start(get_one);
    test_until_sleeps(other.pid);
}

static bool has_come(const struct stepped *victim)
{
    return atomic_load(&ends[0]->out.turn) != 0 && plait__is_whole(plait__progress_of(&ends[0]->out));
}

static void check_sleeper(const struct stepped *victim, bool done)
{
    if (!done) MUST(send_number(0, 3, size) == 0);
    MUST(member_wait(&other, "who waits for a message") == (done ? 2 : 3));
    must_go_on();
}

static const struct kill_case send_to_a_sleeper = {
    .operation = { .run = send_2 },
    .set_up = set_up_sleeper,
    .look = has_come,
    .check = check_sleeper,
    .tear_down = tear_down,
    .regions = ends_and_family,
    .long_one = true,
};

/* ---- receive ---- */

static void set_up_two_small(void)
{
    set_up_sent_small();
    MUST(send_number(0, 2, size) == 0);
}

static void set_up_two_large(void)
{
    set_up_sent_large();
    MUST(send_number(0, 2, size) == 0);
}

static void get_1(void)
{
    CHECK(plait_connection_recv_bytes(ends[1], buffer, sizeof buffer, PLAIT_FOREVER) == (ssize_t)size && buffer[0] == 1);
}

/* A small one is taken when it is no longer in shared memory; a large one, when it is no longer in the kernel's. */
static bool was_received(const struct stepped *victim)
{
    if (unread() != (int)(FRAME + size)) return false;
    const struct plait__progress *record = plait__progress_of(&ends[1]->in);
    return record->stage == PLAIT__IN_PRIVATE || (record->stage == PLAIT__IN_HEADER && plait__done(record) == 0);
}

static void check_recv(const struct stepped *victim, bool done)
{
    if (!done) must_get(1, 1, size);
    must_get(1, 2, size);
    must_go_on();
}

static const struct kill_case recv_small = {
    .operation = { .run = get_1 },
    .set_up = set_up_two_small,
    .look = was_received,
    .check = check_recv,
    .tear_down = tear_down,
    .regions = ends_and_family,
};

static const struct kill_case recv_large = {
    .operation = { .run = get_1 },
    .set_up = set_up_two_large,
    .look = was_received,
    .check = check_recv,
    .tear_down = tear_down,
    .regions = ends_and_family,
    .long_one = true,
};

/* ---- look without taking ---- */

static void look_at_size(void)
{
    CHECK(plait_connection_next_size(ends[1], PLAIT_FOREVER) == (ssize_t)size);
    CHECK(plait_connection_recv_bytes(ends[1], buffer, size - 1, PLAIT_FOREVER) == -EMSGSIZE);
    CHECK(plait_connection_poll(ends[1], PLAIT_FOREVER) == 1);
}

static bool nothing_to_see(const struct stepped *victim)
{
    return true;
}

static void check_nothing_taken(const struct stepped *victim, bool done)
{
    check_recv(victim, false);
}

static const struct kill_case next_size = {
    .operation = { .run = look_at_size },
    .set_up = set_up_two_large,
    .look = nothing_to_see,
    .check = check_nothing_taken,
    .tear_down = tear_down,
    .regions = ends_and_family,
    .long_one = true,
};

/* ---- half a message, which another goes on with ---- */

static void set_up_half(void)
{
    make(LARGE);
    memset(buffer, 1, LARGE);
    MUST(send(ends[0]->fd, "\0\0\3\xe8", FRAME, 0) == FRAME && send(ends[0]->fd, buffer, 600, 0) == 600);
}

static void get_half(void)
{
    CHECK(plait_connection_recv_bytes(ends[1], buffer, sizeof buffer, PLAIT_NOW) == -ETIMEDOUT);
}

static void check_half(const struct stepped *victim, bool done)
{
    memset(buffer, 1, LARGE);
    MUST(send(ends[0]->fd, buffer, 400, 0) == 400);
    must_get(1, 1, LARGE);
    must_go_on();
}

static const struct kill_case recv_half = {
    .operation = { .run = get_half },
    .set_up = set_up_half,
    .look = nothing_to_see,
    .check = check_half,
    .tear_down = tear_down,
    .regions = ends_and_family,
    .by_calls = true,
};

/* ---- descriptors ---- */

static void set_up_nothing(void)
{
    make(SMALL);
}

static void send_stdin(void)
{
    CHECK(plait_connection_send_fd(ends[0], STDIN_FILENO, PLAIT_FOREVER) == 0);
}

static bool fd_was_sent(const struct stepped *victim)
{
    return unread() == 1;
}

static void must_get_fd(void)
{
    int fd = plait_connection_recv_fd(ends[1], SOON);
    MUST(fd >= 0 && close(fd) == 0);
}

static void check_send_fd(const struct stepped *victim, bool done)
{
    MUST(plait_connection_send_fd(ends[0], STDIN_FILENO, SOON) == 0);
    if (done) must_get_fd();
    must_get_fd();
    must_go_on();
}

static const struct kill_case send_fd = {
    .operation = { .run = send_stdin },
    .set_up = set_up_nothing,
    .look = fd_was_sent,
    .check = check_send_fd,
    .tear_down = tear_down,
    .regions = ends_and_family,
    .long_one = true,
};

static void set_up_fd(void)
{
    make(SMALL);
    send_stdin();
    MUST(send_number(0, 2, size) == 0);
}

static void get_fd(void)
{
    CHECK(plait_connection_recv_fd(ends[1], PLAIT_FOREVER) >= 0);
}

static bool fd_was_received(const struct stepped *victim)
{
    return unread() == (int)(FRAME + size);
}

static void check_recv_fd(const struct stepped *victim, bool done)
{
    if (!done) must_get_fd();
    must_get(1, 2, size);
    must_go_on();
}

static const struct kill_case recv_fd = {
    .operation = { .run = get_fd },
    .set_up = set_up_fd,
    .look = fd_was_received,
    .check = check_recv_fd,
    .tear_down = tear_down,
    .regions = ends_and_family,
    .long_one = true,
};

/* It takes the descriptor with it. */
static void get_fd_instead(void)
{
    CHECK(plait_connection_recv_bytes(ends[1], buffer, sizeof buffer, PLAIT_FOREVER) == -EPROTO);
}

static const struct kill_case recv_fd_instead = {
    .operation = { .run = get_fd_instead },
    .set_up = set_up_fd,
    .look = fd_was_received,
    .check = check_recv_fd,
    .tear_down = tear_down,
    .regions = ends_and_family,
    .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(send_small), KILL_TESTS(send_large), KILL_TESTS(send_to_a_sleeper), KILL_TESTS(recv_small), KILL_TESTS(recv_large),
    KILL_TESTS(next_size), KILL_TESTS(recv_half), KILL_TESTS(send_fd), KILL_TESTS(recv_fd), KILL_TESTS(recv_fd_instead),
};

TEST_MAIN_WITHIN(tests, 60)
