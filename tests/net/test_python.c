/* Listeners and clients of every stock Python of the machine on the other end, with keys and without, in both roles. */
#include "peers.h"
#include "python.h"

static struct python all[PYTHONS];
static int count;

/* Every Python of the machine; without any, the test is skipped. */
static void with_each(void (*test)(const struct python *python))
{
    if (!count) count = pythons(all);
    if (!count) skip();
    for (int i = 0; i < count; i++) {
        printf("%s is %d\n", all[i].path, all[i].version);
        test(&all[i]);
    }
}

/* ---- a script that runs beside the test ---- */

static FILE *python_start(const struct python *python, const char *script, const char *argument)
{
    char command[8192];
    const int length = snprintf(command, sizeof command, "exec %s -c '%s' '%s' 2>&1 </dev/null", python->path, script, argument);
    CHECK((size_t)length < sizeof command);
    FILE *stream = popen(command, "re");
    CHECK(stream);
    return stream;
}

static const char *next_line(FILE *stream)
{
    static char line[1000];
    if (!fgets(line, sizeof line, stream)) return "(end)";
    line[strcspn(line, "\n")] = 0;
    return line;
}

/* The rest of what it prints is this, and it ends well. */
static void python_ends(FILE *stream, const char *expected)
{
    char output[10000];
    const size_t got = fread(output, 1, sizeof output - 1, stream);
    output[got] = 0;
    const int status = pclose(stream);
    if (status != 0 || strcmp(output, expected) != 0)
        fail_msg("status %d, it printed:\n%sinstead of:\n%s", status, output, expected);
}

#define ECHO                                                                                          \
    "import os, sys\n"                                                                                \
    "from multiprocessing.connection import Client, Listener\n"                                       \
    "def echo(connection):\n"                                                                         \
    "    try:\n"                                                                                      \
    "        while True: connection.send_bytes(connection.recv_bytes())\n"                            \
    "    except EOFError: print(\"end\", flush=True)\n"                                               \
    "def ask(connection):\n"                                                                          \
    "    for message in b\"\", b\"hello\", bytes(range(256)) * 1000:\n"                               \
    "        connection.send_bytes(message)\n"                                                        \
    "        assert connection.recv_bytes() == message\n"

/* ---- C's part ---- */

static unsigned char sent[256000], got[256000];

static void ask(plait_connection *connection)
{
    static const size_t sizes[] = { 0, 5, 16384, 16385, sizeof sent };
    if (!connection) fail_msg("%s (%s)", plait_strerrorname(errno), plait_error_detail());
    for (size_t i = 0; i < sizeof sent; i++) sent[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(plait_connection_send_bytes(connection, sent, sizes[i], PLAIT_FOREVER), 0);
        assert_int_equal(plait_connection_recv_bytes(connection, got, sizeof got, PLAIT_FOREVER), sizes[i]);
        assert_memory_equal(sent, got, sizes[i]);
    }
    assert_int_equal(plait_connection_free(connection), 0);
}

static void echo(plait_connection *connection)
{
    ssize_t size;
    if (!connection) fail_msg("%s (%s)", plait_strerrorname(errno), plait_error_detail());
    while ((size = plait_connection_recv_bytes(connection, got, sizeof got, PLAIT_FOREVER)) >= 0)
        assert_int_equal(plait_connection_send_bytes(connection, got, (size_t)size, PLAIT_FOREVER), 0);
    assert_int_equal(size, PLAIT_ECLOSED);
    assert_int_equal(plait_connection_free(connection), 0);
}

/* ---- the matrix ---- */

/* It tells where it listens: with "@" for the 0 of an abstract name. */
static void client_of_python(const struct python *python)
{
    FILE *stream = python_start(python, ECHO
        "for address in None, chr(0) + \"plait-test-\" + str(os.getpid()), (\"127.0.0.1\", 0):\n"
        "    for key in None, b\"secret\":\n"
        "        with Listener(address, authkey=key) as listener:\n"
        "            where = listener.address\n"
        "            if isinstance(where, tuple): where = \"%s:%d\" % where\n"
        "            if isinstance(where, bytes): where = where.decode()\n"
        "            print(where.replace(chr(0), \"@\"), flush=True)\n"
        "            with listener.accept() as connection: echo(connection)\n", "");
    for (int i = 0; i < 6; i++) {
        ask(plait_client(next_line(stream), i % 2 ? &client_with_key : NULL, PLAIT_FOREVER));
        assert_string_equal(next_line(stream), "end");
    }
    python_ends(stream, "");
}

static void python_listens(void **state)
{
    with_each(client_of_python);
}

/* Its argument: an address and then a key, or nothing, for each of six meetings. */
static void listener_for_python(const struct python *python)
{
    static const char *const addresses[] = { NULL, "@", "127.0.0.1:0" };
    plait_listener *listeners[6];
    char argument[1000] = "";
    for (int i = 0; i < 6; i++) {
        listeners[i] = listen_at(addresses[i / 2], i % 2 ? &with_key : NULL);
        const size_t length = strlen(argument);
        snprintf(argument + length, sizeof argument - length, "%s%s %s", i ? "," : "", plait_listener_address(listeners[i]),
                 i % 2 ? "secret" : "");
    }
    FILE *stream = python_start(python, ECHO
        "for meeting in sys.argv[1].split(\",\"):\n"
        "    where, key = meeting.split(\" \")\n"
        "    where = where.replace(\"@\", chr(0))\n"
        "    if \":\" in where: where = (where.split(\":\")[0], int(where.split(\":\")[1]))\n"
        "    with Client(where, authkey=key.encode() or None) as connection: ask(connection)\n"
        "print(\"done\")\n", argument);
    for (int i = 0; i < 6; i++) {
        echo(plait_listener_accept(listeners[i], PLAIT_FOREVER));
        assert_int_equal(plait_listener_free(listeners[i]), 0);
    }
    python_ends(stream, "done\n");
}

static void python_connects(void **state)
{
    with_each(listener_for_python);
}

/* ---- values ---- */

/* What connection.send sends is a pickle; what it gets is its length and itself. */
static void values_of(const struct python *python)
{
    void *pickle;
    size_t size;
    plait_listener *listener = listen_at(NULL, &with_key);
    FILE *stream = python_start(python,
        "import sys\n"
        "from multiprocessing.connection import Client\n"
        "with Client(sys.argv[1], authkey=b\"secret\") as connection:\n"
        "    connection.send([42, None, \"hello\", (1.5, True), {\"a\": b\"x\"}, 1 << 100])\n"
        "    print(connection.recv())\n", plait_listener_address(listener));
    plait_connection *connection = plait_listener_accept(listener, PLAIT_FOREVER);
    if (!connection) fail_msg("%s (%s)", plait_strerrorname(errno), plait_error_detail());
    const ssize_t length = plait_connection_recv_alloc(connection, &pickle, 1000, PLAIT_FOREVER);
    assert_true(length > 0);
    plait_value *value = plait_pickle_loads(pickle, (size_t)length, NULL);
    free(pickle);
    assert_string_equal(plait_repr(value), "[42, None, 'hello', (1.5, True), {'a': b'x'}, 1267650600228229401496703205376]");
    plait_value *answer = plait_tuple(2, plait_int(plait_value_len(value)), value);
    assert_non_null(pickle = plait_pickle_dumps(answer, NULL, &size));
    assert_int_equal(plait_connection_send_bytes(connection, pickle, size, PLAIT_FOREVER), 0);
    python_ends(stream, "(6, [42, None, 'hello', (1.5, True), {'a': b'x'}, 1267650600228229401496703205376])\n");
    free(pickle);
    plait_value_free(answer);
    assert_int_equal(plait_connection_free(connection), 0);
    assert_int_equal(plait_listener_free(listener), 0);
}

static void values(void **state)
{
    with_each(values_of);
}

/* ---- keys that differ ---- */

#define TRY                                                                                           \
    "import os, sys\n"                                                                                \
    "from multiprocessing import AuthenticationError\n"                                               \
    "from multiprocessing.connection import Client, Listener, answer_challenge, deliver_challenge\n"  \
    "def attempt(what):\n"                                                                            \
    "    try: what()\n"                                                                               \
    "    except AuthenticationError as error: print(error, flush=True)\n"                             \
    "    else: print(\"welcome\", flush=True)\n"

static void python_listens_with_another_key(const struct python *python)
{
    FILE *stream = python_start(python, TRY
        "with Listener(chr(0) + \"plait-test-\" + str(os.getpid()), authkey=b\"Secret\") as listener:\n"
        "    print(\"@plait-test-\" + str(os.getpid()), flush=True)\n"
        "    attempt(listener.accept)\n", "");
    assert_fails(plait_client(next_line(stream), &client_with_key, PLAIT_FOREVER), PLAIT_EAUTH);
    assert_detail("digest sent was rejected: the other side has another authkey");
    python_ends(stream, "digest received was wrong\n");
}

static void python_connects_with_another_key(const struct python *python)
{
    plait_listener *listener = listen_at(NULL, &with_key);
    FILE *stream = python_start(python, TRY "attempt(lambda: Client(sys.argv[1], authkey=b\"Secret\"))\n",
                                plait_listener_address(listener));
    assert_fails(plait_listener_accept(listener, PLAIT_FOREVER), PLAIT_EAUTH);
    assert_detail("digest received was wrong: the other side has another authkey");
    python_ends(stream, "digest sent was rejected\n");
    assert_int_equal(plait_listener_free(listener), 0);
}

static void another_key(void **state)
{
    with_each(python_listens_with_another_key);
    with_each(python_connects_with_another_key);
}

/* ---- keys on one side only: python/cpython#123736 ---- */

/* It listens without one, and says something. */
static void python_has_no_key(const struct python *python)
{
    FILE *stream = python_start(python, TRY
        "with Listener(chr(0) + \"plait-test-\" + str(os.getpid())) as listener:\n"
        "    print(\"@plait-test-\" + str(os.getpid()), flush=True)\n"
        "    listener.accept().send([1, 2, 3])\n", "");
    assert_fails(plait_client(next_line(stream), &client_with_key, PLAIT_FOREVER), PLAIT_EAUTH);
    assert_detail("what came is no challenge (22 bytes), so the other side has probably no authkey");
    python_ends(stream, "");
}

static void python_connects_without_a_key(const struct python *python)
{
    plait_listener *listener = listen_at(NULL, &with_key);
    FILE *stream = python_start(python, TRY
        "connection = Client(sys.argv[1])\n"
        "connection.send(None)\n"
        "print(connection.recv_bytes()[:11], connection.recv_bytes())\n"
        "try: connection.recv()\n"
        "except EOFError: print(\"end\")\n", plait_listener_address(listener));
    assert_fails(plait_listener_accept(listener, PLAIT_FOREVER), PLAIT_EAUTH);
    assert_detail("probably no authkey");
    python_ends(stream, "b'#CHALLENGE#' b'#FAILURE#'\nend\n");
    assert_int_equal(plait_listener_free(listener), 0);
}

static void a_key_on_one_side(void **state)
{
    with_each(python_has_no_key);
    with_each(python_connects_without_a_key);
}

/* ---- halves ---- */

static void halves_with(const struct python *python)
{
    plait_listener *listener = listen_at(NULL, NULL);
    FILE *stream = python_start(python, TRY
        "connection = Client(sys.argv[1])\n"
        "answer_challenge(connection, b\"secret\")\n"
        "deliver_challenge(connection, b\"secret\")\n"
        "attempt(lambda: answer_challenge(connection, b\"Secret\"))\n"
        "attempt(lambda: deliver_challenge(connection, b\"Secret\"))\n"
        "connection.send_bytes(b\"still here\")\n", plait_listener_address(listener));
    plait_connection *connection = plait_listener_accept(listener, PLAIT_FOREVER);
    assert_int_equal(plait_deliver_challenge(connection, "secret", 6, PLAIT_FOREVER), 0);
    assert_int_equal(plait_answer_challenge(connection, "secret", 6, PLAIT_FOREVER), 0);
    assert_int_equal(plait_deliver_challenge(connection, "secret", 6, PLAIT_FOREVER), PLAIT_EAUTH);
    assert_int_equal(plait_answer_challenge(connection, "secret", 6, PLAIT_FOREVER), PLAIT_EAUTH);
    assert_int_equal(plait_connection_recv_bytes(connection, got, sizeof got, PLAIT_FOREVER), 10);
    python_ends(stream, "digest sent was rejected\ndigest received was wrong\n");
    assert_int_equal(plait_connection_free(connection), 0);
    assert_int_equal(plait_listener_free(listener), 0);
}

static void halves(void **state)
{
    with_each(halves_with);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(python_listens),
    cmocka_unit_test(python_connects),
    cmocka_unit_test(values),
    cmocka_unit_test(another_key),
    cmocka_unit_test(a_key_on_one_side),
    cmocka_unit_test(halves),
};
TEST_MAIN(tests)
