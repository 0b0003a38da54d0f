/* Values of stock Pythons, at every protocol, written again here at every other one: Python finds them equal. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "corpus.h"
#include "python.h"

/* Python with the script beside this file, both its streams on one socket. */
static pid_t start(const struct python *python, const char *what, const char *count, int *stream)
{
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        CHECK(dup2(ends[1], 0) == 0 && dup2(ends[1], 1) == 1);
        execl(python->path, python->path, TEST_SOURCES "/value/pickle_peer.py", what, count, (char *)NULL);
        _exit(99);
    }
    close(ends[1]);
    *stream = ends[0];
    return child;
}

/* false: it ended. */
static bool read_all(int stream, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t got = read(stream, (char *)data + done, size - done);
        if (got <= 0) return false;
        done += (size_t)got;
    }
    return true;
}

/* The next message; NULL: it ended, or the message is empty. */
static void *receive(int stream, size_t *size)
{
    uint64_t length;
    if (!read_all(stream, &length, sizeof length) || length == 0) return NULL;
    void *data = malloc(length);
    CHECK(data && read_all(stream, data, length));
    *size = length;
    return data;
}

static void send_all(int stream, const void *data, uint64_t size)
{
    CHECK(send(stream, &size, sizeof size, MSG_NOSIGNAL) == sizeof size || errno == EPIPE);
    for (size_t done = 0; done < size;) {
        const ssize_t sent = send(stream, (const char *)data + done, size - done, MSG_NOSIGNAL);
        if (sent < 0) return;                              /* Python ended: it says why */
        done += (size_t)sent;
    }
}

static void write_again(int stream, const void *pickle, size_t size)
{
    plait_value *value = plait_pickle_loads(pickle, size, NULL);
    if (!value) fail_msg("%s", plait_error_detail());
    for (int protocol = 2; protocol <= 5; protocol++) {
        size_t length;
        void *data = plait_pickle_dumps(value, &(plait_pickle_options){ .protocol = protocol }, &length);
        if (!data) fail_msg("protocol %d: %s", protocol, plait_error_detail());
        send_all(stream, data, length);
        free(data);
    }
    plait_value_free(value);
}

static void with_each(void (*each)(const struct python *python))
{
    struct python found[PYTHONS];
    const int count = pythons(found);
    for (int i = 0; i < count; i++) each(&found[i]);
}

static void exchange(const struct python *python, const char *what)
{
    int stream;
    const char *count = getenv("PLAIT_TEST_VALUES");
    const pid_t child = start(python, what, count ? count : "12", &stream);
    size_t size;
    for (void *pickle; (pickle = receive(stream, &size)); free(pickle)) write_again(stream, pickle, size);
    close(stream);
    if (test_wait_exit(child) != 0) fail_msg("%s found a difference", python->path);
}

static void exchange_random(const struct python *python)
{
    char seed[32];
    snprintf(seed, sizeof seed, "%u", (unsigned)test_seed());
    exchange(python, seed);
}

static void random_values_stay_equal(void **state)
{
    with_each(exchange_random);
}

static void exchange_alone(const struct python *python)
{
    exchange(python, "alone");
}

static void keys_that_look_alike_stay_different(void **state)
{
    with_each(exchange_alone);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(random_values_stay_equal),
    cmocka_unit_test(keys_that_look_alike_stay_different),
};
TEST_MAIN(tests)
