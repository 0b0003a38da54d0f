/* Whatever listeners and clients ask the system for may be refused: they say so, and leave nothing. */
#include "fail.h"

#include "peers.h"

static plait_listener *listener;
static plait_connection *client, *connection;

static int result_of(const void *made)
{
    return made ? 0 : -errno;
}

static void free_listener(void)
{
    CHECK(plait_listener_free(listener) == 0);
}

/* ---- to listen ---- */

static int call_listen_at_a_path(void) { return result_of(listener = plait_listener_new(NULL, &with_key)); }
static int call_listen_at_a_port(void) { return result_of(listener = plait_listener_new("127.0.0.1:0", NULL)); }

static void without_stdin(void)
{
    close(STDIN_FILENO);
}

static const struct fail_operation listen_at_a_path = { .run = call_listen_at_a_path, .finish = free_listener };
static const struct fail_operation listen_at_a_port = { .run = call_listen_at_a_port, .finish = free_listener };
static const struct fail_operation listen_without_stdin = {
    .set_up = without_stdin, .run = call_listen_at_a_path, .finish = free_listener,
};

/* ---- to connect, and to accept ---- */

static void listen_without_a_key(void)
{
    CHECK((listener = plait_listener_new("@", NULL)));
}

static int call_meet(void)
{
    int error = result_of(client = plait_client(plait_listener_address(listener), NULL, PLAIT_FOREVER));
    if (!error) error = result_of(connection = plait_listener_accept(listener, PLAIT_NOW));
    if (error) {
        CHECK(plait_connection_free(client) == 0);
        client = NULL;
    }
    return error;
}

static void part(void)
{
    CHECK(plait_connection_free(client) == 0 && plait_connection_free(connection) == 0);
    free_listener();
}

static const struct fail_operation meeting = { .prepare = listen_without_a_key, .run = call_meet, .finish = part };

/* ---- to let in somebody who has to prove something ---- */

static int guest = -1;

static void listen_with_a_key(void)
{
    CHECK((listener = plait_listener_new("@", &with_key)));
    guest = bare_client(listener);
}

static int call_let_in(void)
{
    int error = PLAIT_EAUTH;                               /* of guests that were closed below */
    while (error == PLAIT_EAUTH) {
        CHECK(!plait_listener_accept(listener, PLAIT_NOW));
        error = -errno;
    }
    if (error == -ETIMEDOUT) return 0;
    close(guest);
    guest = bare_client(listener);
    return error;
}

static void send_away(void)
{
    close(guest);
    free_listener();
}

static const struct fail_operation let_in = { .prepare = listen_with_a_key, .run = call_let_in, .finish = send_away };

static const struct CMUnitTest tests[] = {
    FAIL_TESTS(listen_at_a_path),
    FAIL_TESTS(listen_at_a_port),
    FAIL_TESTS(listen_without_stdin),
    FAIL_TESTS(meeting),
    FAIL_TESTS(let_in),
};
TEST_MAIN(tests)
