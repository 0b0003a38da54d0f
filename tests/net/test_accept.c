/* Several who accept at one listener: threads, forked children; who waits while it is closed; and the two halves of the proof. */
#include "peers.h"

#include <pthread.h>

/* ---- threads ---- */

enum { THREADS = 4, CLIENTS = 24 };

struct hall {
    plait_listener *listener;
    _Atomic int met, refused, closed;
};

static int serve(struct hall *hall)
{
    char text[16];
    plait_connection *connection = plait_listener_accept(hall->listener, PLAIT_FOREVER);
    if (!connection) return -errno;
    CHECK(plait_connection_recv_bytes(connection, text, sizeof text, PLAIT_FOREVER) == 5);
    CHECK(plait_connection_send_bytes(connection, "bye", 3, PLAIT_FOREVER) == 0);
    CHECK(plait_connection_free(connection) == 0);
    return 0;
}

static void *serve_until_closed(void *argument)
{
    struct hall *hall = argument;
    for (;;) {
        const int result = serve(hall);
        if (result == 0) hall->met++;
        else if (result == PLAIT_EAUTH) hall->refused++;
        else {
            CHECK(result == PLAIT_ECLOSED);
            hall->closed++;
            return NULL;
        }
    }
}

static bool all_refused(void *argument)
{
    struct hall *hall = argument;
    return hall->refused == CLIENTS / 2;
}

static void threads_accept_at_once(void **state)
{
    struct hall hall = { .listener = listen_at("127.0.0.1:0", &with_key) };
    pthread_t threads[THREADS];
    pid_t clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) clients[i] = start_client(hall.listener, i % 2 ? &client_with_key : &client_with_another);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, serve_until_closed, &hall), 0);
    for (int i = 0; i < CLIENTS; i++) assert_int_equal(test_wait_exit(clients[i]), i % 2 ? MET : REFUSED);
    test_until(all_refused, &hall);
    assert_int_equal(plait_listener_close(hall.listener), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(hall.met, CLIENTS / 2);
    assert_int_equal(hall.closed, THREADS);
    assert_int_equal(plait_listener_free(hall.listener), 0);
}

/* ---- forked children ---- */

static int serve_one(void *argument)
{
    plait_listener *const *listener = argument;
    char path[PLAIT__ADDRESS_TEXT];
    snprintf(path, sizeof path, "%s", plait_listener_address(*listener));
    plait_connection *connection = plait_listener_accept(*listener, PLAIT_FOREVER);
    CHECK(connection);
    char text[16];
    CHECK(plait_connection_recv_bytes(connection, text, sizeof text, PLAIT_FOREVER) == 5);
    CHECK(plait_connection_send_bytes(connection, "bye", 3, PLAIT_FOREVER) == 0);
    CHECK(plait_connection_free(connection) == 0 && plait_listener_free(*listener) == 0);
    CHECK(access(path, F_OK) == 0);                        /* it is the parent's to remove */
    return 0;
}

static void children_accept_too(void **state)
{
    plait_listener *listener = listen_at(NULL, &with_key);
    const int early = bare_client(listener);               /* the parent is in the middle of this handshake, and stays */
    assert_fails(plait_listener_accept(listener, PLAIT_NOW), ETIMEDOUT);
    pid_t children[3];
    for (int i = 0; i < 3; i++) children[i] = test_fork(serve_one, &listener);
    for (int i = 0; i < 3; i++) assert_int_equal(test_wait_exit(start_client(listener, &client_with_key)), MET);
    for (int i = 0; i < 3; i++) assert_int_equal(test_wait_exit(children[i]), 0);
    const pid_t client = start_client(listener, &client_with_key);
    meet_client(plait_listener_accept(listener, PLAIT_FOREVER));
    assert_int_equal(test_wait_exit(client), MET);
    hear(early, "#CHALLENGE#{sha256}", 59);
    close(early);
    assert_fails(plait_listener_accept(listener, PLAIT_FOREVER), PLAIT_EAUTH);
    assert_int_equal(plait_listener_free(listener), 0);
}

static int close_it(void *argument)
{
    plait_listener *const *listener = argument;
    CHECK(plait_listener_close(*listener) == 0 && plait_listener_free(*listener) == 0);
    return 0;
}

static void a_child_closes_only_its_part(void **state)
{
    plait_listener *listener = listen_at(NULL, &with_key);
    assert_int_equal(test_wait_exit(test_fork(close_it, &listener)), 0);
    const pid_t client = start_client(listener, &client_with_key);
    meet_client(plait_listener_accept(listener, PLAIT_FOREVER));
    assert_int_equal(test_wait_exit(client), MET);
    assert_int_equal(plait_listener_free(listener), 0);
}

/* A child that has the other's half-done handshakes open, too, does not keep those who are refused waiting. */
static int keep_everything_open(void *argument)
{
    while (pause()) {}
    return 0;
}

static void who_is_refused_hears_it_though_a_child_has_its_socket(void **state)
{
    plait_listener *listener = listen_at("@", &with_key);
    const int fd = bare_client(listener);
    assert_fails(plait_listener_accept(listener, PLAIT_NOW), ETIMEDOUT);
    hear(fd, "#CHALLENGE#{sha256}", 59);
    const pid_t child = test_fork(keep_everything_open, NULL);
    say(fd, "hello");
    assert_fails(plait_listener_accept(listener, PLAIT_FOREVER), PLAIT_EAUTH);
    hear(fd, "#FAILURE#", 9);
    assert_true(hears_the_end(fd));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(test_wait_exit(child), -SIGKILL);
    close(fd);
    assert_int_equal(plait_listener_free(listener), 0);
}

/* ---- in a poll loop ---- */

static bool is_readable(plait_listener *listener)
{
    struct pollfd ready = { .fd = plait_listener_fileno(listener), .events = POLLIN };
    return poll(&ready, 1, 0) == 1;
}

static void it_can_be_polled(void **state)
{
    plait_listener *listener = listen_at("@", &with_key);
    assert_false(is_readable(listener));
    const int fd = bare_client(listener);
    assert_true(is_readable(listener));
    assert_fails(plait_listener_accept(listener, PLAIT_NOW), ETIMEDOUT);
    assert_false(is_readable(listener));
    say(fd, "hello");
    assert_true(is_readable(listener));
    assert_fails(plait_listener_accept(listener, PLAIT_NOW), PLAIT_EAUTH);
    assert_false(is_readable(listener));
    close(fd);
    assert_int_equal(plait_listener_free(listener), 0);
}

static void connections_outlive_their_listener(void **state)
{
    plait_listener *listener = listen_at("@", NULL);
    plait_connection *client = plait_client(plait_listener_address(listener), NULL, PLAIT_FOREVER);
    plait_connection *connection = plait_listener_accept(listener, PLAIT_NOW);
    char text[16];
    assert_int_equal(plait_listener_free(listener), 0);
    assert_int_equal(plait_connection_send_bytes(connection, "hello", 5, PLAIT_FOREVER), 0);
    assert_int_equal(plait_connection_free(connection), 0);
    assert_int_equal(plait_connection_recv_bytes(client, text, sizeof text, PLAIT_FOREVER), 5);
    assert_int_equal(plait_connection_recv_bytes(client, text, sizeof text, PLAIT_FOREVER), PLAIT_ECLOSED);
    assert_int_equal(plait_connection_free(client), 0);
}

/* Who waits to be accepted, or is in the middle of the handshake, finds it closed. */
static void who_has_not_come_in_hears_of_the_end(void **state)
{
    plait_listener *listener = listen_at("@", &with_key);
    const int fd = bare_client(listener);
    assert_fails(plait_listener_accept(listener, PLAIT_NOW), ETIMEDOUT);
    const int outside = bare_client(listener);
    assert_int_equal(plait_listener_close(listener), 0);
    hear(fd, "#CHALLENGE#{sha256}", 59);
    assert_true(hears_the_end(fd) && hears_the_end(outside));
    close(fd);
    close(outside);
    assert_int_equal(plait_listener_free(listener), 0);
}

/* ---- halves ---- */

struct other_half {
    int fd;
    const char *key;
    bool delivers;
};

static int other_half(void *argument)
{
    const struct other_half *half = argument;
    plait_connection *connection = plait_connection_from_fd(half->fd, 1, 1);
    CHECK(connection);
    const size_t size = strlen(half->key);
    const int result = half->delivers ? plait_deliver_challenge(connection, half->key, size, PLAIT_FOREVER)
        : plait_answer_challenge(connection, half->key, size, PLAIT_FOREVER);
    CHECK(plait_connection_free(connection) == 0);
    return result == 0 ? MET : result == PLAIT_EAUTH ? REFUSED : OTHERWISE;
}

static void one_half(bool delivers, const char *key, int expected, int of_child)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct other_half half = { pair[1], key, !delivers };
    const pid_t child = test_fork(other_half, &half);
    plait_connection *connection = plait_connection_from_fd(pair[0], 1, 1);
    close(pair[1]);
    const int result = delivers ? plait_deliver_challenge(connection, "secret", 6, PLAIT_FOREVER)
        : plait_answer_challenge(connection, "secret", 6, PLAIT_FOREVER);
    assert_int_equal(result, expected);
    assert_int_equal(test_wait_exit(child), of_child);
    assert_int_equal(plait_connection_free(connection), 0);
}

static void halves_by_hand(void **state)
{
    one_half(true, "secret", 0, MET);
    one_half(false, "secret", 0, MET);
    one_half(true, "Secret", PLAIT_EAUTH, REFUSED);
    assert_detail("digest received was wrong");
    one_half(false, "Secret", PLAIT_EAUTH, REFUSED);
    assert_detail("digest sent was rejected");
}

static void halves_without_another(void **state)
{
    plait_connection *ends[2];
    char text[100], big[300] = "";
    assert_int_equal(plait_pipe(1, ends), 0);
    assert_int_equal(plait_deliver_challenge(ends[0], "secret", 6, PLAIT_NOW), -ETIMEDOUT);
    assert_detail("no answer to the challenge");
    assert_int_equal(plait_answer_challenge(ends[0], "secret", 6, PLAIT_NOW), -ETIMEDOUT);
    assert_detail("no challenge");
    assert_int_equal(plait_connection_send_bytes(ends[1], big, sizeof big, PLAIT_FOREVER), 0);
    assert_int_equal(plait_answer_challenge(ends[0], "secret", 6, PLAIT_FOREVER), PLAIT_EAUTH);
    assert_int_equal(plait_deliver_challenge(ends[1], "secret", 0, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_connection_recv_bytes(ends[1], text, sizeof text, PLAIT_FOREVER), 59);
    assert_int_equal(plait_connection_free(ends[0]), 0);
    assert_int_equal(plait_answer_challenge(ends[1], "secret", 6, PLAIT_FOREVER), PLAIT_ECLOSED);
    assert_int_equal(plait_deliver_challenge(ends[1], "secret", 6, PLAIT_FOREVER), -EPIPE);
    assert_int_equal(plait_connection_free(ends[1]), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(threads_accept_at_once),
    cmocka_unit_test(children_accept_too),
    cmocka_unit_test(a_child_closes_only_its_part),
    cmocka_unit_test(who_is_refused_hears_it_though_a_child_has_its_socket),
    cmocka_unit_test(it_can_be_polled),
    cmocka_unit_test(connections_outlive_their_listener),
    cmocka_unit_test(who_has_not_come_in_hears_of_the_end),
    cmocka_unit_test(halves_by_hand),
    cmocka_unit_test(halves_without_another),
};
TEST_MAIN(tests)
