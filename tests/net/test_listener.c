/* Listeners and clients among themselves: every kind of address, keys that are the same and not, and what is left behind. */
#include "peers.h"

#include <fcntl.h>

/* ---- meetings ---- */

static void meet_at(const char *address, const char *begin, const plait_listener_options *options,
                    const plait_client_options *client)
{
    plait_listener *listener = listen_at(address, options);
    assert_memory_equal(plait_listener_address(listener), begin, strlen(begin));
    assert_string_equal(last_of(listener), "");
    for (int i = 0; i < 2; i++) {
        const pid_t child = start_client(listener, client);
        meet_client(plait_listener_accept(listener, PLAIT_FOREVER));
        assert_int_equal(test_wait_exit(child), MET);
    }
    const bool has_name = *begin != '/' && *begin != '@';
    assert_int_equal(*last_of(listener) != 0, has_name);
    if (has_name) assert_memory_equal(last_of(listener), begin, strlen(begin));
    assert_int_equal(plait_listener_free(listener), 0);
}

static void meet_everywhere(const plait_listener_options *options, const plait_client_options *client)
{
    char path[100], name[100];
    snprintf(path, sizeof path, "/tmp/plait-test-%d", getpid());
    snprintf(name, sizeof name, "@plait-test-%d", getpid());
    meet_at(path, path, options, client);
    assert_int_equal(access(path, F_OK), -1);
    meet_at(name, name, options, client);
    meet_at("@", "@", options, client);
    meet_at(NULL, "/", options, client);
    meet_at("127.0.0.1:0", "127.0.0.1:", options, client);
    meet_at("localhost:0", "", options, client);
    meet_at("[::1]:0", "[::1]:", options, client);
}

static void every_kind_of_address(void **state)
{
    meet_everywhere(NULL, NULL);
}

static void every_kind_of_address_with_a_key(void **state)
{
    meet_everywhere(&with_key, &client_with_key);
}

/* Nothing is kept of the buffer that the key was in. */
static void the_key_is_copied(void **state)
{
    char key[] = "secret";
    plait_listener *listener = listen_at("@", &(plait_listener_options){ .authkey = key, .authkey_size = 6 });
    memset(key, 0, sizeof key);
    const pid_t child = start_client(listener, &client_with_key);
    meet_client(plait_listener_accept(listener, PLAIT_FOREVER));
    assert_int_equal(test_wait_exit(child), MET);
    assert_int_equal(plait_listener_free(listener), 0);
}

static void a_key_may_be_of_any_bytes(void **state)
{
    static char key[5000];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (char)i;
    plait_listener *listener = listen_at("@", &(plait_listener_options){ .authkey = key, .authkey_size = sizeof key });
    const plait_client_options same = { .authkey = key, .authkey_size = sizeof key };
    const plait_client_options shorter = { .authkey = key, .authkey_size = sizeof key - 1 };
    const pid_t wrong = start_client(listener, &shorter);
    assert_fails(plait_listener_accept(listener, PLAIT_FOREVER), PLAIT_EAUTH);
    assert_int_equal(test_wait_exit(wrong), REFUSED);
    const pid_t child = start_client(listener, &same);
    meet_client(plait_listener_accept(listener, PLAIT_FOREVER));
    assert_int_equal(test_wait_exit(child), MET);
    assert_int_equal(plait_listener_free(listener), 0);
}

/* ---- values ---- */

static const char long_text[300000];                       /* more than the sockets take at once */

/* Answers each value with its type and itself, until the other side is gone. */
static int answer_values(void *argument)
{
    plait_connection *connection = plait_client(argument, &client_with_key, PLAIT_FOREVER);
    plait_value *value;
    while ((value = plait_connection_recv(connection, PLAIT_FOREVER))) {
        plait_value *answer = plait_tuple(2, plait_string(plait_value_type_name(value)), value);
        CHECK(plait_connection_send(connection, answer, PLAIT_FOREVER) == 0);
    }
    CHECK(errno == -PLAIT_ECLOSED);
    return plait_connection_free(connection);
}

static void comes_back(plait_connection *connection, plait_value *value, const char *type)
{
    plait_value *expected = plait_tuple(2, plait_string(type), plait_value_ref(value));
    assert_int_equal(plait_connection_send(connection, value, PLAIT_FOREVER), 0);
    plait_value *answer = plait_connection_recv(connection, PLAIT_FOREVER);
    assert_int_equal(plait_value_equal(answer, expected), 1);
    plait_value_free(answer);
    plait_value_free(expected);
}

static void values_at(const char *address)
{
    plait_listener *listener = listen_at(address, &with_key);
    const pid_t child = test_fork(answer_values, (void *)plait_listener_address(listener));
    plait_connection *connection = plait_listener_accept(listener, PLAIT_FOREVER);
    assert_non_null(connection);
    comes_back(connection, plait_list(3, plait_int(42), plait_none(), plait_string("hello")), "list");
    comes_back(connection, plait_bytes(long_text, sizeof long_text), "bytes");
    comes_back(connection, plait_dict(1, plait_string("x"), plait_int_parse("-1267650600228229401496703205376")), "dict");
    assert_int_equal(plait_connection_free(connection), 0);
    assert_int_equal(test_wait_exit(child), 0);
    assert_int_equal(plait_listener_free(listener), 0);
}

static void values_come_back(void **state)
{
    values_at("@");
    values_at("127.0.0.1:0");
}

/* ---- keys that differ ---- */

static void another_key_is_refused_on_both_sides(void **state)
{
    plait_listener *listener = listen_at("127.0.0.1:0", &with_key);
    const pid_t wrong = start_client(listener, &client_with_another), right = start_client(listener, &client_with_key);
    int met = 0, refused = 0;
    while (met + refused < 2) {
        plait_connection *connection = plait_listener_accept(listener, PLAIT_FOREVER);
        if (connection) {
            meet_client(connection);
            met++;
        } else {
            assert_int_equal(errno, -PLAIT_EAUTH);
            assert_detail("digest received was wrong");
            assert_memory_equal(plait_error_detail(), last_of(listener), strlen(last_of(listener)));
            assert_null(strstr(plait_error_detail(), "secret"));
            refused++;
        }
    }
    assert_true(met == 1 && refused == 1);
    assert_int_equal(test_wait_exit(wrong), REFUSED);
    assert_int_equal(test_wait_exit(right), MET);
    assert_int_equal(plait_listener_free(listener), 0);
}

/* Without a key nobody proves anything: what comes is a message. */
static void only_the_listener_has_a_key(void **state)
{
    char text[100];
    plait_listener *listener = listen_at("@", &with_key);
    plait_connection *client = plait_client(plait_listener_address(listener), NULL, PLAIT_FOREVER);
    assert_non_null(client);
    assert_fails(plait_listener_accept(listener, PLAIT_NOW), ETIMEDOUT);
    assert_int_equal(plait_connection_send_bytes(client, "hello", 5, PLAIT_FOREVER), 0);
    assert_fails(plait_listener_accept(listener, PLAIT_FOREVER), PLAIT_EAUTH);
    assert_detail("probably no authkey");
    assert_int_equal(plait_connection_recv_bytes(client, text, sizeof text, PLAIT_FOREVER), 11 + 8 + 40);
    assert_int_equal(plait_connection_recv_bytes(client, text, sizeof text, PLAIT_FOREVER), 9);
    assert_memory_equal(text, "#FAILURE#", 9);
    assert_int_equal(plait_connection_recv_bytes(client, text, sizeof text, PLAIT_FOREVER), PLAIT_ECLOSED);
    assert_int_equal(plait_connection_free(client), 0);
    assert_int_equal(plait_listener_free(listener), 0);
}

static void only_the_client_has_a_key(void **state)
{
    plait_listener *listener = listen_at("@", NULL);
    assert_fails(plait_client(plait_listener_address(listener), &client_with_key, plait_after(0.02)), ETIMEDOUT);
    assert_detail("probably no authkey");
    plait_connection *connection = plait_listener_accept(listener, PLAIT_FOREVER);
    assert_non_null(connection);                           /* it has gone already */
    assert_int_equal(plait_connection_free(connection), 0);

    const pid_t child = start_client(listener, &client_with_key);
    connection = plait_listener_accept(listener, PLAIT_FOREVER);
    assert_int_equal(plait_connection_send_bytes(connection, "hello", 5, PLAIT_FOREVER), 0);
    assert_int_equal(test_wait_exit(child), REFUSED);
    assert_int_equal(plait_connection_free(connection), 0);
    assert_int_equal(plait_listener_free(listener), 0);
}

/* ---- deadlines ---- */

static void nobody_comes(void **state)
{
    plait_listener *listener = listen_at("@", &with_key);
    assert_fails(plait_listener_accept(listener, PLAIT_NOW), ETIMEDOUT);
    assert_fails(plait_listener_accept(listener, plait_after(0.01)), ETIMEDOUT);
    assert_int_equal(plait_listener_free(listener), 0);
}

static void a_listener_that_does_not_accept(void **state)
{
    plait_listener *listener = listen_at("127.0.0.1:0", &with_key);
    assert_fails(plait_client(plait_listener_address(listener), &client_with_key, plait_after(0.01)), ETIMEDOUT);
    assert_detail("accepts nobody at present");
    assert_fails(plait_client(plait_listener_address(listener), &client_with_key, PLAIT_NOW), ETIMEDOUT);
    assert_int_equal(plait_listener_free(listener), 0);
}

/* The kernel has no room for more who wait: they come in when somebody was accepted. */
static void a_full_backlog(void **state)
{
    plait_listener *listener = listen_at("@", &(plait_listener_options){ .backlog = 1 });
    plait_connection *clients[2];
    for (int i = 0; i < 2; i++) assert_non_null(clients[i] = plait_client(plait_listener_address(listener), NULL, PLAIT_FOREVER));
    assert_fails(plait_client(plait_listener_address(listener), NULL, PLAIT_NOW), ETIMEDOUT);
    assert_fails(plait_client(plait_listener_address(listener), NULL, plait_after(0.01)), ETIMEDOUT);
    assert_detail("too many who wait");
    const pid_t child = start_client(listener, NULL);
    for (int i = 0; i < 2; i++) {
        plait_connection *connection = plait_listener_accept(listener, PLAIT_FOREVER);
        assert_non_null(connection);
        assert_int_equal(plait_connection_free(connection), 0);
        assert_int_equal(plait_connection_free(clients[i]), 0);
    }
    meet_client(plait_listener_accept(listener, PLAIT_FOREVER));
    assert_int_equal(test_wait_exit(child), MET);
    assert_int_equal(plait_listener_free(listener), 0);
}

/* ---- where nobody is ---- */

static void nobody_listens(void **state)
{
    char path[100], text[PLAIT__ADDRESS_TEXT];
    snprintf(path, sizeof path, "/tmp/plait-test-%d", getpid());
    assert_fails(plait_client(path, NULL, PLAIT_FOREVER), ENOENT);
    assert_detail(path);
    assert_fails(plait_client("@plait-test-nobody", NULL, PLAIT_FOREVER), ECONNREFUSED);
    plait_listener *listener = listen_at("127.0.0.1:0", NULL);
    snprintf(text, sizeof text, "%s", plait_listener_address(listener));
    assert_int_equal(plait_listener_free(listener), 0);
    assert_fails(plait_client(text, NULL, PLAIT_FOREVER), ECONNREFUSED);
    assert_detail(text);
}

static void the_address_is_taken(void **state)
{
    static const char *const addresses[] = { "127.0.0.1:0", "[::1]:0", "@", NULL };
    for (int i = 0; i < 4; i++) {
        plait_listener *listener = listen_at(addresses[i], NULL);
        assert_fails(plait_listener_new(plait_listener_address(listener), NULL), EADDRINUSE);
        assert_detail("is in use");
        assert_detail(plait_listener_address(listener));
        assert_int_equal(plait_listener_free(listener), 0);
    }
    assert_fails(plait_listener_new("192.0.2.1:0", NULL), EADDRNOTAVAIL);
    assert_fails(plait_listener_new("/tmp/plait-no-such-folder/socket", NULL), ENOENT);
}

/* A port is free again at once, though connections of before are still being forgotten by the kernel. */
static void a_port_is_free_again(void **state)
{
    char text[PLAIT__ADDRESS_TEXT];
    plait_listener *listener = listen_at("127.0.0.1:0", NULL);
    snprintf(text, sizeof text, "%s", plait_listener_address(listener));
    plait_connection *client = plait_client(text, NULL, PLAIT_FOREVER);
    plait_connection *connection = plait_listener_accept(listener, PLAIT_FOREVER);
    assert_int_equal(plait_connection_free(connection), 0);
    assert_int_equal(plait_connection_free(client), 0);
    assert_int_equal(plait_listener_free(listener), 0);
    assert_int_equal(plait_listener_free(listen_at(text, NULL)), 0);
}

/* ---- paths ---- */

static mode_t mode_of(const plait_listener *listener)
{
    struct stat status;
    assert_int_equal(stat(plait_listener_address(listener), &status), 0);
    return status.st_mode & 0777;
}

static void permissions_of_paths(void **state)
{
    umask(0);
    plait_listener *listener = listen_at(NULL, NULL);
    assert_int_equal(mode_of(listener), 0600);
    assert_int_equal(plait_listener_free(listener), 0);
    umask(077);
    listener = listen_at(NULL, &(plait_listener_options){ .permissions = 0666 });
    assert_int_equal(mode_of(listener), 0666);
    assert_int_equal(plait_listener_free(listener), 0);
    assert_fails(plait_listener_new("@", &(plait_listener_options){ .permissions = 0666 }), EINVAL);
}

static void a_path_of_its_own_goes_with_its_folder(void **state)
{
    char folder[100];
    struct stat status;
    assert_int_equal(setenv("TMPDIR", "/tmp", 1), 0);
    plait_listener *listener = listen_at(NULL, NULL);
    snprintf(folder, sizeof folder, "%s", plait_listener_address(listener));
    assert_memory_equal(folder, "/tmp/pymp-", 10);
    *strrchr(folder, '/') = 0;
    assert_int_equal(stat(folder, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(plait_listener_close(listener), 0);
    assert_int_equal(stat(folder, &status), -1);
    assert_int_equal(plait_listener_free(listener), 0);
}

/* A folder for temporary files that would make the path too long. */
static void a_long_folder_is_not_taken(void **state)
{
    char folder[200] = "/";
    memset(folder + 1, 'a', sizeof folder - 2);
    assert_int_equal(setenv("TMPDIR", folder, 1), 0);
    plait_listener *listener = listen_at(NULL, NULL);
    assert_memory_equal(plait_listener_address(listener), "/tmp/pymp-", 10);
    assert_int_equal(plait_listener_free(listener), 0);
    assert_int_equal(setenv("TMPDIR", "/plait-no-such-folder", 1), 0);
    assert_fails(plait_listener_new(NULL, NULL), ENOENT);
}

static void a_path_that_another_has_taken_stays(void **state)
{
    char path[100];
    snprintf(path, sizeof path, "/tmp/plait-test-%d", getpid());
    plait_listener *first = listen_at(path, NULL);
    assert_int_equal(unlink(path), 0);
    plait_listener *second = listen_at(path, NULL);
    assert_int_equal(plait_listener_free(first), 0);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(plait_listener_free(second), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_relative_path_is_removed_from_elsewhere(void **state)
{
    char path[100];
    snprintf(path, sizeof path, "/tmp/plait-test-%d", getpid());
    assert_int_equal(chdir("/tmp"), 0);
    plait_listener *listener = listen_at(path + strlen("/tmp/"), NULL);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(plait_listener_free(listener), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_relative_folder_is_removed_from_elsewhere(void **state)
{
    char folder[100];
    struct stat status;
    assert_int_equal(chdir("/tmp"), 0);
    assert_int_equal(setenv("TMPDIR", "../tmp", 1), 0);
    plait_listener *listener = listen_at(NULL, NULL);
    snprintf(folder, sizeof folder, "%s", plait_listener_address(listener));
    assert_memory_equal(folder, "/tmp/pymp-", 10);
    *strrchr(folder, '/') = 0;
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(plait_listener_free(listener), 0);
    assert_int_equal(stat(folder, &status), -1);
    assert_int_equal(setenv("TMPDIR", "plait-no-such-folder", 1), 0);
    assert_fails(plait_listener_new(NULL, NULL), ENOENT);
    assert_detail("$TMPDIR, plait-no-such-folder");
}

static int listen_and_die(void *path)
{
    CHECK(plait_listener_new(path, NULL) && plait_listener_new("@plait-test-dies", NULL));
    return kill(getpid(), SIGKILL);
}

static void what_a_killed_listener_leaves(void **state)
{
    char path[100];
    snprintf(path, sizeof path, "/tmp/plait-test-%d", getpid());
    assert_int_equal(test_wait_exit(test_fork(listen_and_die, path)), -SIGKILL);
    assert_fails(plait_listener_new(path, NULL), EADDRINUSE);
    assert_detail("has ended without closing it: remove it");
    assert_fails(plait_client(path, NULL, PLAIT_FOREVER), ECONNREFUSED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(plait_listener_free(listen_at(path, NULL)), 0);
    assert_int_equal(plait_listener_free(listen_at("@plait-test-dies", NULL)), 0);
}

/* Who listens there goes on, and never hears of who wanted to. */
static void the_path_of_another_is_not_disturbed(void **state)
{
    struct plait__address address;
    char path[100];
    snprintf(path, sizeof path, "/tmp/plait-test-%d", getpid());
    assert_int_equal(plait__address_of_path(path, &address), 0);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, &address.is.any, address.size), 0);
    for (int listening = 0; listening < 2; listening++) {
        if (listening) assert_int_equal(listen(fd, 8), 0);
        assert_fails(plait_listener_new(path, NULL), EADDRINUSE);
        assert_detail("is in use");
    }
    assert_int_equal(accept(fd, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
    assert_int_equal(unlink(path), 0);
}

/* Nobody is told to remove it. */
static void a_file_is_no_listener(void **state)
{
    char path[100];
    snprintf(path, sizeof path, "/tmp/plait-test-%d", getpid());
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_fails(plait_listener_new(path, NULL), EADDRINUSE);
    assert_detail("is in use");
    assert_int_equal(unlink(path), 0);
}

/* ---- misuse ---- */

static void options_that_are_none(void **state)
{
    static const plait_listener_options wrong[] = {
        { .backlog = -1 }, { .handshake_timeout = -1 }, { .permissions = 01000 }, { .authkey = "" }, { .authkey_size = 1 },
        { .reserved = { 1 } },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_fails(plait_listener_new(NULL, &wrong[i]), EINVAL);
        assert_string_not_equal(plait_error_detail(), "");
    }
    assert_fails(plait_listener_new(NULL, &(plait_listener_options){ .handshake_timeout = __builtin_nan("") }), EINVAL);
    assert_fails(plait_listener_new("", NULL), EINVAL);
    assert_fails(plait_client(NULL, NULL, PLAIT_NOW), EINVAL);
    assert_fails(plait_client("@", NULL, PLAIT_NOW), EINVAL);
    assert_fails(plait_client("@x", &(plait_client_options){ .authkey = "" }, PLAIT_NOW), EINVAL);
    assert_fails(plait_client("@x", &(plait_client_options){ .reserved = { 0, 0, 0, 1 } }, PLAIT_NOW), EINVAL);
}

static void no_listener(void **state)
{
    char text[8];
    assert_fails(plait_listener_accept(NULL, PLAIT_NOW), EINVAL);
    assert_fails(plait_listener_address(NULL), EINVAL);
    assert_int_equal(plait_listener_last_accepted(NULL, text, sizeof text), -EINVAL);
    assert_int_equal(plait_listener_fileno(NULL), -EINVAL);
    assert_int_equal(plait_listener_close(NULL), -EINVAL);
    assert_int_equal(plait_listener_free(NULL), 0);
    assert_int_equal(plait_deliver_challenge(NULL, NULL, 0, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_answer_challenge(NULL, "", 0, PLAIT_NOW), -EINVAL);
    plait_listener *listener = listen_at("@", NULL);
    assert_int_equal(plait_listener_last_accepted(listener, NULL, 1), -EINVAL);
    assert_int_equal(plait_listener_last_accepted(listener, NULL, 0), 0);
    assert_int_equal(plait_listener_free(listener), 0);
}

static void closed(void **state)
{
    plait_listener *listener = listen_at(NULL, &with_key);
    assert_int_equal(plait_listener_close(listener), 0);
    assert_int_equal(plait_listener_close(listener), 0);
    assert_fails(plait_listener_accept(listener, PLAIT_FOREVER), PLAIT_ECLOSED);
    assert_int_equal(plait_listener_fileno(listener), PLAIT_ECLOSED);
    assert_memory_equal(plait_listener_address(listener), "/", 1);
    assert_int_equal(plait_listener_free(listener), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_kind_of_address),
    cmocka_unit_test(every_kind_of_address_with_a_key),
    cmocka_unit_test(the_key_is_copied),
    cmocka_unit_test(a_key_may_be_of_any_bytes),
    cmocka_unit_test(values_come_back),
    cmocka_unit_test(another_key_is_refused_on_both_sides),
    cmocka_unit_test(only_the_listener_has_a_key),
    cmocka_unit_test(only_the_client_has_a_key),
    cmocka_unit_test(nobody_comes),
    cmocka_unit_test(a_listener_that_does_not_accept),
    cmocka_unit_test(a_full_backlog),
    cmocka_unit_test(nobody_listens),
    cmocka_unit_test(the_address_is_taken),
    cmocka_unit_test(a_port_is_free_again),
    cmocka_unit_test(permissions_of_paths),
    cmocka_unit_test(a_path_of_its_own_goes_with_its_folder),
    cmocka_unit_test(a_long_folder_is_not_taken),
    cmocka_unit_test(a_path_that_another_has_taken_stays),
    cmocka_unit_test(a_relative_path_is_removed_from_elsewhere),
    cmocka_unit_test(a_relative_folder_is_removed_from_elsewhere),
    cmocka_unit_test(what_a_killed_listener_leaves),
    cmocka_unit_test(the_path_of_another_is_not_disturbed),
    cmocka_unit_test(a_file_is_no_listener),
    cmocka_unit_test(options_that_are_none),
    cmocka_unit_test(no_listener),
    cmocka_unit_test(closed),
};
TEST_MAIN(tests)
