/* One end, several processes: how a new process gets it, who has it still open, and what the others see when one is killed. */
#include "host.h"
#include "others.h"

#include <sys/socket.h>

#include <plait.h>

#define SOON plait_after(10)

enum { LARGE = 4 << 20 };
static char large[LARGE];

static plait_connection *ends[2];

static void make(int duplex)
{
    CHECK(plait_pipe(duplex, ends) == 0);
}

static void unmake(void)
{
    for (int i = 0; i < 2; i++) CHECK(plait_connection_free(ends[i]) == 0);
}

static void must_get(plait_connection *end, const char *what)
{
    char text[64];
    CHECK(plait_connection_recv_bytes(end, text, sizeof text, SOON) == (ssize_t)strlen(what));
    CHECK(memcmp(text, what, strlen(what)) == 0);
}

static void must_send(plait_connection *end, const char *what)
{
    CHECK(plait_connection_send_bytes(end, what, strlen(what), SOON) == 0);
}

/* ---- started by plait ---- */

/* Its end, and the other one, which a forked child has too. */
static int answers(void *argument)
{
    plait_connection **pair = argument;
    int other = plait_connection_close(pair[0]);
    CHECK(other == 0 || other == -EBADF);
    must_get(pair[1], "question");
    must_send(pair[1], "answer");
    return other == 0 ? 7 : 8;
}

static int asks_for_what_it_has_not(void *argument)
{
    plait_connection **pair = argument;
    CHECK(plait_connection_closed(pair[1]) == 1 && plait_connection_fileno(pair[1]) == -EBADF);
    CHECK(plait_connection_send_bytes(pair[1], "x", 1, PLAIT_FOREVER) == -EBADF);
    CHECK(strstr(plait_error_detail(), "was started without it (.fds of its options)"));
    CHECK(plait_connection_recv_bytes(pair[1], NULL, 0, PLAIT_FOREVER) == -EBADF);
    return 9;
}

static int exitcode_of(plait_process *process)
{
    CHECK(process && plait_process_join(process, SOON) == 0);
    int exitcode = plait_process_exitcode(process);
    CHECK(plait_process_free(process) == 0);
    return exitcode;
}

static void talk_with(int method, int duplex_exitcode)
{
    make(1);
    int fd = plait_connection_fileno(ends[1]);
    plait_process *process = plait_start(answers, ends, sizeof ends, &(plait_process_options){
        .method = method, .fds = &fd, .fd_count = 1 });
    CHECK(process && plait_connection_close(ends[1]) == 0);
    must_send(ends[0], "question");
    must_get(ends[0], "answer");
    char text[8];
    CHECK(plait_connection_recv_bytes(ends[0], text, sizeof text, PLAIT_FOREVER) == PLAIT_ECLOSED);
    CHECK(plait_connection_send_bytes(ends[0], "x", 1, PLAIT_FOREVER) == -EPIPE);
    CHECK(exitcode_of(process) == duplex_exitcode);
    unmake();
}

static int start_in_every_way(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    talk_with(PLAIT_FORK, 7);
    talk_with(PLAIT_SPAWN, 8);
    talk_with(PLAIT_FORKSERVER, 8);
    make(1);
    for (int i = 0; i < 2; i++)
        CHECK(exitcode_of(plait_start(asks_for_what_it_has_not, ends, sizeof ends, &(plait_process_options){
            .method = i ? PLAIT_FORKSERVER : PLAIT_SPAWN })) == 9);
    unmake();
    return 0;
}

static void a_child_of_every_start_method(void **state)
{
    host_run(start_in_every_way, NULL);
}

/* ---- forks ---- */

static int closes_and_opens_something_else(void *unused)
{
    int fd = plait_connection_fileno(ends[0]);
    CHECK(plait_connection_close(ends[0]) == 0 && dup2(STDIN_FILENO, fd) == fd);
    CHECK(plait_connection_send_bytes(ends[0], "x", 1, PLAIT_FOREVER) == -EBADF);
    must_send(ends[1], "from the child");
    plait_leave();
    return 0;
}

static void each_process_closes_for_itself(void **state)
{
    make(1);
    assert_int_equal(test_wait_exit(test_fork(closes_and_opens_something_else, NULL)), 0);
    must_get(ends[0], "from the child");
    must_send(ends[0], "here it is open");
    must_get(ends[1], "here it is open");
    unmake();
}

enum { SENDERS = 3, RECEIVERS = 3, EACH = 300 };

struct scene {
    _Atomic int received, sum;
};
static struct scene *scene;

/* Sizes from a few bytes to several buffers of a socket. */
static size_t size_of(int number)
{
    return number % 60 == 0 ? 300000 : sizeof(int) + (size_t)number * 7 % 3000;
}

static int sends_many(void *argument)
{
    for (int i = 0; i < EACH; i++) {
        int number = (int)(intptr_t)argument * EACH + i;
        memset(large, number, size_of(number));
        memcpy(large, &number, sizeof number);
        CHECK(plait_connection_send_bytes(ends[0], large, size_of(number), PLAIT_FOREVER) == 0);
    }
    plait_leave();
    return 0;
}

static int receives_many(void *forever)
{
    int number;
    ssize_t size;
    CHECK(plait_connection_close(ends[0]) == 0);
    while ((size = plait_connection_recv_bytes(ends[1], large, sizeof large, forever ? PLAIT_FOREVER : SOON)) >= 0) {
        memcpy(&number, large, sizeof number);
        CHECK(size == (ssize_t)size_of(number));
        for (size_t i = sizeof number; i < (size_t)size; i++) CHECK(large[i] == (char)number);
        scene->received++;
        scene->sum += number;
    }
    CHECK(size == PLAIT_ECLOSED);
    plait_leave();
    return 0;
}

static void many_processes_on_both_ends(void **state)
{
    pid_t senders[SENDERS], receivers[RECEIVERS];
    scene = test_shared(sizeof *scene);
    make(0);
    plait_connection *swap = ends[0];                      /* here ends[0] sends */
    ends[0] = ends[1];
    ends[1] = swap;
    for (int i = 0; i < RECEIVERS; i++) receivers[i] = test_fork(receives_many, i ? &ends : NULL);
    for (int i = 0; i < SENDERS; i++) senders[i] = test_fork(sends_many, (void *)(intptr_t)i);
    CHECK(plait_connection_close(ends[0]) == 0);
    for (int i = 0; i < SENDERS; i++) assert_int_equal(test_wait_exit(senders[i]), 0);
    for (int i = 0; i < RECEIVERS; i++) assert_int_equal(test_wait_exit(receivers[i]), 0);
    assert_int_equal(scene->received, SENDERS * EACH);
    assert_int_equal(scene->sum, SENDERS * EACH * (SENDERS * EACH - 1) / 2);
    unmake();
}

/* ---- killed ---- */

static int sends_large(void *unused)
{
    (void)!plait_connection_send_bytes(ends[0], large, LARGE, PLAIT_FOREVER);
    return 1;
}

static void kill_and_wait(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(test_wait_exit(pid), -SIGKILL);
}

static void until_sleeps_in_the_middle(pid_t pid, int fd)
{
    char byte;
    while (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) sched_yield();
    test_until_sleeps(pid);
}

/* This process holds the sender's end open, so there is no end of file: but who sent is dead. */
static void the_sender_is_killed_in_the_middle(void **state)
{
    for (int forever = 0; forever < 2; forever++) {
        make(1);
        must_send(ends[0], "before");
        pid_t sender = test_fork(sends_large, NULL);
        until_sleeps_in_the_middle(sender, plait_connection_fileno(ends[1]));
        must_get(ends[1], "before");
        kill_and_wait(sender);
        for (int i = 0; i < 2; i++)
            assert_int_equal(plait_connection_recv_bytes(ends[1], large, LARGE, forever ? PLAIT_FOREVER : SOON), PLAIT_EBROKEN);
        assert_string_equal(plait_error_detail(), "who was sending the message died, or gave up");
        assert_int_equal(plait_connection_poll(ends[1], PLAIT_FOREVER), 1);
        assert_int_equal(plait_connection_send_bytes(ends[0], "x", 1, PLAIT_FOREVER), PLAIT_EBROKEN);
        assert_non_null(strstr(plait_error_detail(), "a message was cut off when its sender died or gave up: "));
        assert_int_equal(plait_connection_recv_bytes(ends[1], large, LARGE, PLAIT_FOREVER), PLAIT_EBROKEN);
        must_send(ends[1], "the other way");
        must_get(ends[0], "the other way");
        unmake();
    }
}

/* Who sleeps already, in the middle of the message, is woken. */
static int receives_large(void *unused)
{
    ssize_t got = plait_connection_recv_bytes(ends[1], large, LARGE, PLAIT_FOREVER);
    plait_leave();
    return got == PLAIT_EBROKEN ? 77 : got == LARGE ? 1 : 2;
}

static void the_sender_is_killed_while_others_wait_for_the_rest(void **state)
{
    make(1);
    pid_t sender = test_fork(sends_large, NULL);
    until_sleeps_in_the_middle(sender, plait_connection_fileno(ends[1]));
    assert_int_equal(kill(sender, SIGSTOP), 0);
    pid_t receiver = test_fork(receives_large, NULL);
    char byte;
    while (recv(plait_connection_fileno(ends[1]), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) sched_yield();
    test_until_sleeps(receiver);
    kill_and_wait(sender);
    assert_int_equal(test_wait_exit(receiver), 77);
    unmake();
}

static void stop(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
}

static void the_sender_is_killed_after_another_took_the_begin(void **state)
{
    make(1);
    pid_t receiver = test_fork(receives_large, NULL);
    test_until_sleeps(receiver);
    stop(receiver);
    pid_t sender = test_fork(sends_large, NULL);
    until_sleeps_in_the_middle(sender, plait_connection_fileno(ends[1]));
    stop(sender);
    assert_int_equal(plait_connection_recv_bytes(ends[1], large, LARGE, plait_after(0.001)), -ETIMEDOUT);
    kill_and_wait(sender);
    assert_int_equal(kill(receiver, SIGCONT), 0);
    assert_int_equal(test_wait_exit(receiver), 77);
    unmake();
}

static int waits_for_any(void *unused)
{
    plait_waitable thing = { PLAIT_WAIT_CONNECTION, .object = ends[1] };
    return plait_wait(&thing, 1, SOON) == 1 && plait_connection_recv_bytes(ends[1], NULL, 0, PLAIT_NOW) == 0 ? 0 : 1;
}

static int waits_in_poll(void *unused)
{
    return plait_connection_poll(ends[1], SOON) == 1 && plait_connection_recv_bytes(ends[1], NULL, 0, PLAIT_NOW) == 0 ? 0 : 1;
}

static int receives_nothing(void *unused)
{
    return plait_connection_recv_bytes(ends[1], NULL, 0, SOON) == 0 ? 0 : 1;
}

/* A message of no bytes: all of it is in shared memory when its size is known. */
static void what_another_leaves_is_seen(void **state)
{
    int (*const waits[])(void *) = { receives_nothing, waits_in_poll, waits_for_any };
    for (int i = 0; i < 3; i++) {
        make(1);
        pid_t receiver = test_fork(waits[i], NULL);
        test_until_sleeps(receiver);
        stop(receiver);
        assert_int_equal(plait_connection_send_bytes(ends[0], NULL, 0, SOON), 0);
        assert_int_equal(plait_connection_next_size(ends[1], SOON), 0);
        assert_int_equal(kill(receiver, SIGCONT), 0);
        assert_int_equal(test_wait_exit(receiver), 0);
        unmake();
    }
}

/* The rest of its message is skipped, whoever sends it. */
static void the_receiver_is_killed_in_the_middle(void **state)
{
    make(1);
    int fd = plait_connection_fileno(ends[0]);
    pid_t receiver = test_fork(receives_large, NULL);
    assert_int_equal(send(fd, "\0\0\3\xe8", 4, 0), 4);
    assert_int_equal(send(fd, large, 600, 0), 600);
    char byte;
    while (recv(plait_connection_fileno(ends[1]), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) sched_yield();
    test_until_sleeps(receiver);
    kill_and_wait(receiver);
    assert_int_equal(plait_connection_recv_bytes(ends[1], large, LARGE, plait_after(0.01)), -ETIMEDOUT);
    assert_int_equal(send(fd, large, 400, 0), 400);
    must_send(ends[0], "next");
    must_get(ends[1], "next");
    unmake();
}

/* What a deadline has left behind is there for the next, who may be another; also when the first is dead. */
static int receives_the_begin(void *unused)
{
    CHECK(plait_connection_recv_bytes(ends[1], large, LARGE, plait_after(0.01)) == -ETIMEDOUT);
    raise(SIGKILL);
    return 1;
}

static void another_goes_on_with_a_half_message(void **state)
{
    make(1);
    int fd = plait_connection_fileno(ends[0]);
    assert_int_equal(send(fd, "\0\0\3\xe8", 4, 0), 4);
    for (int i = 0; i < 5; i++) {
        memset(large, 'a' + i, 200);
        assert_int_equal(send(fd, large, 200, 0), 200);
        if (i < 4) assert_int_equal(test_wait_exit(test_fork(receives_the_begin, NULL)), -SIGKILL);
    }
    assert_int_equal(plait_connection_recv_bytes(ends[1], large, LARGE, SOON), 1000);
    for (int i = 0; i < 1000; i++) assert_int_equal(large[i], 'a' + i / 200);
    unmake();
}

/* ---- descriptors that nobody has asked for ---- */

static void send_stdin(void)
{
    assert_int_equal(plait_connection_send_fd(ends[0], STDIN_FILENO, SOON), 0);
}

static int meets_a_descriptor(void *unused)
{
    char text[8];
    CHECK(plait_connection_recv_bytes(ends[1], text, sizeof text, SOON) == -EPROTO);
    return 0;
}

static void *thread_meets_a_descriptor(void *unused)
{
    meets_a_descriptor(NULL);
    return unused;
}

static void another_thread_has_it(void **state)
{
    pthread_t thread;
    make(1);
    send_stdin();
    assert_int_equal(pthread_create(&thread, NULL, thread_meets_a_descriptor, NULL), 0);
    pthread_join(thread, NULL);
    int fd = plait_connection_recv_fd(ends[1], SOON);
    assert_true(fd >= 0);
    close(fd);
    unmake();
}

static int meets_a_descriptor_and_is_killed(void *unused)
{
    meets_a_descriptor(NULL);
    raise(SIGKILL);
    return 0;
}

static void *joins(void *barrier)
{
    CHECK(plait_queue_free(plait_queue_new(NULL)) == 0);
    pthread_barrier_wait(barrier);
    pthread_barrier_wait(barrier);
    return NULL;
}

/* Numbers that a killed process had are our own, its place in the family is one of our threads'. */
static void what_a_killed_one_held_is_not_ours(void **state)
{
    enum { THREADS = 4, OURS = 16 };
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    int ours[OURS];
    make(1);
    send_stdin();
    assert_int_equal(test_wait_exit(test_fork(meets_a_descriptor_and_is_killed, NULL)), -SIGKILL);
    for (int i = 0; i < OURS; i++) ours[i] = dup(STDIN_FILENO);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, joins, &barrier), 0);
    pthread_barrier_wait(&barrier);
    assert_int_equal(plait_connection_close(ends[1]), 0);
    for (int i = 0; i < OURS; i++) assert_int_equal(close(ours[i]), 0);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    unmake();
}

static void a_process_that_has_ended_holds_nothing(void **state)
{
    make(1);
    send_stdin();
    pid_t child = test_fork(meets_a_descriptor, NULL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(plait_connection_recv_fd(ends[1], PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(test_wait_exit(child), 0);
    must_send(ends[0], "next");
    must_get(ends[1], "next");
    unmake();
}

/* ---- who waits for whom ---- */

static int waits_for_a_message(void *unused)
{
    char text[8];
    (void)!plait_connection_recv_bytes(ends[1], text, sizeof text, PLAIT_FOREVER);
    return 0;
}

static void the_report_tells_of_who_waits(void **state)
{
    char text[1000], expected[100];
    make(1);
    pid_t receiver = test_fork(waits_for_a_message, NULL);
    snprintf(expected, sizeof expected, "waits for the other end of the connection at %p", (void *)ends[1]);
    for (text[0] = 0; !strstr(text, expected);) {
        FILE *file = fmemopen(text, sizeof text, "w");
        assert_int_equal(plait_deadlock_report(file), 0);
        fclose(file);
    }
    kill_and_wait(receiver);
    unmake();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_child_of_every_start_method),
    cmocka_unit_test(each_process_closes_for_itself),
    cmocka_unit_test(many_processes_on_both_ends),
    cmocka_unit_test(the_sender_is_killed_in_the_middle),
    cmocka_unit_test(the_sender_is_killed_while_others_wait_for_the_rest),
    cmocka_unit_test(the_sender_is_killed_after_another_took_the_begin),
    cmocka_unit_test(what_another_leaves_is_seen),
    cmocka_unit_test(the_receiver_is_killed_in_the_middle),
    cmocka_unit_test(another_goes_on_with_a_half_message),
    cmocka_unit_test(another_thread_has_it),
    cmocka_unit_test(what_a_killed_one_held_is_not_ours),
    cmocka_unit_test(a_process_that_has_ended_holds_nothing),
    cmocka_unit_test(the_report_tells_of_who_waits),
};

TEST_MAIN(tests)
