/* The other side says nothing, half of what it should, garbage, enormous lengths, or goes in the middle: at each byte of the
 * handshake, in both roles.  Nothing of it hangs, crashes, or lets anybody in. */
#include "peers.h"

#include "net/handshake.h"

/* ---- a wire with somebody on it who changes what is said ---- */

/* [0] is looked at, [1] is on the other side; what each sends comes to a socket here, to be passed on. */
static struct wire {
    struct plait__handshake sides[2];
    int results[2];
    int here[2];                                           /* the other ends of the sides' sockets */
    size_t passed;                                         /* bytes from [1] to [0] */
} wire;

static void begin(bool accepts)
{
    for (int i = 0; i < 2; i++) {
        int pair[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        wire.here[i] = pair[0];
        const enum plait__auth_role role = (i == 0) == accepts ? PLAIT__DELIVERS_FIRST : PLAIT__ANSWERS_FIRST;
        CHECK(plait__handshake_begin(&wire.sides[i], pair[1], role, "secret", 6) == 0);
        wire.results[i] = 0;
    }
    wire.passed = 0;
}

static void end(void)
{
    for (int i = 0; i < 2; i++) {
        close(wire.sides[i].fd);
        if (wire.here[i] >= 0) close(wire.here[i]);
    }
}

/* Who changes it: byte number `at` from [1] becomes another one, or is the first that does not come any more. */
struct trouble {
    size_t at, cut;
    unsigned char flip;
};
static const size_t never = (size_t)-1;

/* What [from] has said goes to the other one.  How many bytes. */
static size_t pass(int from, const struct trouble *trouble)
{
    unsigned char bytes[600];
    const ssize_t got = recv(wire.here[from], bytes, sizeof bytes, MSG_DONTWAIT);
    if (got <= 0) return 0;
    size_t size = (size_t)got;
    if (from == 1) {
        if (trouble->at >= wire.passed && trouble->at < wire.passed + size) bytes[trouble->at - wire.passed] ^= trouble->flip;
        if (trouble->cut < wire.passed + size) size = trouble->cut > wire.passed ? trouble->cut - wire.passed : 0;
        wire.passed += size;
    }
    if (size) CHECK(send(wire.here[!from], bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size || errno == EPIPE);
    return size;
}

/* Until nothing moves. */
static void run(const struct trouble *trouble)
{
    for (size_t moved = 1; moved;) {
        moved = 0;
        for (int i = 0; i < 2; i++) {
            if (wire.results[i] == 0) wire.results[i] = plait__handshake_go(&wire.sides[i]);
            moved += pass(i, trouble);
        }
    }
}

/* Then the other side goes away; the result of [0]. */
static int run_to_the_end(const struct trouble *trouble)
{
    run(trouble);
    close(wire.here[0]);
    wire.here[0] = -1;
    if (wire.results[0] == 0) wire.results[0] = plait__handshake_go(&wire.sides[0]);
    return wire.results[0];
}

static size_t length_of_all(bool accepts)
{
    begin(accepts);
    run(&(struct trouble){ never, never, 0 });
    assert_true(wire.results[0] == 1 && wire.results[1] == 1);
    const size_t length = wire.passed;
    end();
    return length;
}

static void cut_at_each_byte(bool accepts)
{
    const size_t length = length_of_all(accepts);
    assert_int_equal(length, accepts ? 4 + 40 + 4 + 59 + 4 + 9 : 4 + 59 + 4 + 9 + 4 + 40);
    for (size_t cut = 0; cut < length; cut++) {
        begin(accepts);
        run(&(struct trouble){ never, cut, 0 });
        assert_int_equal(wire.results[0], 0);
        assert_int_equal(run_to_the_end(&(struct trouble){ never, 0, 0 }), PLAIT_EAUTH);
        assert_detail("has gone in the middle of the handshake: there was no ");
        end();
    }
}

static void it_goes_at_each_byte_to_who_accepts(void **state)
{
    cut_at_each_byte(true);
}

static void it_goes_at_each_byte_to_who_connects(void **state)
{
    cut_at_each_byte(false);
}

static void change_each_byte(bool accepts)
{
    const size_t length = length_of_all(accepts);
    for (size_t at = 0; at < length; at++)
        for (unsigned bit = 0; bit < 9; bit++) {
            begin(accepts);
            const unsigned char flip = bit < 8 ? (unsigned char)(1u << bit) : 0xff;
            assert_int_equal(run_to_the_end(&(struct trouble){ at, never, flip }), PLAIT_EAUTH);
            assert_string_not_equal(plait_error_detail(), "");
            end();
        }
}

static void each_byte_is_another_to_who_accepts(void **state)
{
    change_each_byte(true);
}

static void each_byte_is_another_to_who_connects(void **state)
{
    change_each_byte(false);
}

/* The long form of a length is understood for short messages, too, as by Python. */
static void long_heads(void **state)
{
    begin(false);
    static const char challenge[] = "\xff\xff\xff\xff\0\0\0\0\0\0\0\x1f#CHALLENGE#01234567890123456789";
    say_bytes(wire.here[0], challenge, sizeof challenge - 1);
    assert_int_equal(plait__handshake_go(&wire.sides[0]), 0);
    hear(wire.here[0], "", 16);
    end();
}

static void refuse_bytes(const void *bytes, size_t size, const char *detail)
{
    for (int accepts = 0; accepts < 2; accepts++) {
        begin(accepts);
        say_bytes(wire.here[0], bytes, size);
        assert_int_equal(plait__handshake_go(&wire.sides[0]), PLAIT_EAUTH);
        assert_detail(detail);
        end();
    }
}

static void lengths_that_are_none(void **state)
{
    refuse_bytes("\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, "9223372036854775808 bytes came");
    refuse_bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, "18446744073709551615 bytes came");
    refuse_bytes("\xff\xff\xff\xfb", 4, "bytes came, which is none of a handshake");
    refuse_bytes("\x7f\xff\xff\xff", 4, "bytes came, which is none of a handshake");
    refuse_bytes("\0\0\x01\x01", 4, "257 bytes came");
    refuse_bytes("GET / HTTP/1.1\r\n\r\n", 18, "probably no authkey, or is no multiprocessing at all");
    refuse_bytes("\0\0\0\0", 4, "probably no authkey");
}

/* What comes behind the last message of the handshake is left for the connection. */
static void not_a_byte_too_many(void **state)
{
    char text[6] = "";
    begin(true);
    run(&(struct trouble){ never, 4 + 40 + 4 + 59, 0 });
    say_bytes(wire.here[0], "\0\0\0\x09#WELCOME#rest", 17);
    assert_int_equal(plait__handshake_go(&wire.sides[0]), 1);
    assert_int_equal(recv(wire.sides[0].fd, text, sizeof text, MSG_DONTWAIT), 4);
    assert_string_equal(text, "rest");
    end();
}

/* Who does not read gets no more than fits. */
static void the_other_side_does_not_read(void **state)
{
    begin(true);
    static const char full[1 << 16];
    int gone = 0, size = 4096;
    CHECK(setsockopt(wire.sides[0].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
    while (send(wire.sides[0].fd, full, sizeof full, MSG_DONTWAIT) > 0) gone++;
    assert_true(gone > 0);
    assert_int_equal(plait__handshake_go(&wire.sides[0]), 0);
    assert_int_equal(plait__handshake_waits_for(&wire.sides[0]), POLLOUT);
    assert_int_equal(plait__handshake_finish(&wire.sides[0], PLAIT_NOW), -ETIMEDOUT);
    end();
}

/* ---- the same at a listener ---- */

static plait_listener *listen_for(double seconds)
{
    return listen_at("@", &(plait_listener_options){ KEY, .handshake_timeout = seconds });
}

static void refused(plait_listener *listener, plait_deadline deadline, const char *detail)
{
    assert_fails(plait_listener_accept(listener, deadline), PLAIT_EAUTH);
    assert_detail(detail);
}

static void good_one_comes_in(plait_listener *listener)
{
    const pid_t child = start_client(listener, &client_with_key);
    meet_client(plait_listener_accept(listener, PLAIT_FOREVER));
    assert_int_equal(test_wait_exit(child), MET);
}

static void silent_ones_keep_nobody(void **state)
{
    plait_listener *listener = listen_for(0);
    int silent[20];
    for (int i = 0; i < 20; i++) {
        silent[i] = bare_client(listener);
        if (i % 2) say_bytes(silent[i], "\0\0", 2);
    }
    good_one_comes_in(listener);
    good_one_comes_in(listener);
    for (int i = 0; i < 20; i++) {
        close(silent[i]);
        refused(listener, PLAIT_FOREVER, "has gone in the middle");
    }
    assert_int_equal(plait_listener_free(listener), 0);
}

static void silent_ones_are_refused_in_time(void **state)
{
    plait_listener *listener = listen_for(0.03);
    int silent[3];
    for (int i = 0; i < 3; i++) silent[i] = bare_client(listener);
    for (int i = 0; i < 3; i++) {
        refused(listener, PLAIT_FOREVER, "the handshake has lasted for 0.03 s: there was no answer to the challenge");
        hear(silent[i], "#CHALLENGE#{sha256}", 59);
        assert_true(hears_the_end(silent[i]));
        close(silent[i]);
    }
    assert_fails(plait_listener_accept(listener, PLAIT_NOW), ETIMEDOUT);
    good_one_comes_in(listener);
    assert_int_equal(plait_listener_free(listener), 0);
}

/* Whose time is up makes the listener readable. */
static void the_time_that_is_up_can_be_polled(void **state)
{
    plait_listener *listener = listen_for(0.02);
    const int silent = bare_client(listener);
    assert_fails(plait_listener_accept(listener, PLAIT_NOW), ETIMEDOUT);
    for (;;) {
        struct pollfd ready = { .fd = plait_listener_fileno(listener), .events = POLLIN };
        assert_int_equal(poll(&ready, 1, -1), 1);
        assert_null(plait_listener_accept(listener, PLAIT_NOW));
        if (errno == -PLAIT_EAUTH) break;
        assert_int_equal(errno, ETIMEDOUT);
    }
    assert_detail("the handshake has lasted for 0.02 s");
    close(silent);
    assert_int_equal(plait_listener_free(listener), 0);
}

static bool has_news(int fd)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    return poll(&ready, 1, 0) == 1;
}

/* 64 may be in the middle of it; the next ones wait outside. */
static void a_house_full_of_silent_ones(void **state)
{
    plait_listener *listener = listen_for(0);
    int silent[64];
    for (int i = 0; i < 64; i++) {
        silent[i] = bare_client(listener);
        while (!has_news(silent[i])) assert_fails(plait_listener_accept(listener, plait_after(0.011)), ETIMEDOUT);
        hear(silent[i], "#CHALLENGE#{sha256}", 59);
    }
    const int last = bare_client(listener);
    assert_fails(plait_listener_accept(listener, plait_after(0.02)), ETIMEDOUT);
    assert_false(has_news(last) || has_news(plait_listener_fileno(listener)));
    close(silent[40]);
    assert_true(has_news(plait_listener_fileno(listener)));
    refused(listener, PLAIT_NOW, "has gone in the middle");
    while (!has_news(last)) assert_fails(plait_listener_accept(listener, plait_after(0.011)), ETIMEDOUT);
    hear(last, "#CHALLENGE#{sha256}", 59);
    for (int i = 0; i < 64; i++)
        if (i != 40) close(silent[i]);
    close(last);
    assert_int_equal(plait_listener_free(listener), 0);
}

static void garbage(void **state)
{
    plait_listener *listener = listen_at("127.0.0.1:0", &with_key);
    static const struct { const char *bytes; size_t size; } says[] = {
        { "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 36 }, { "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12 }, { "\x80\0\0\0", 4 },
        { "\0\0\0\x04\x80\x04N.", 8 }, { "\0\0\0\0", 4 }, { "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 11 },
    };
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        const int fd = bare_client(listener);
        say_bytes(fd, says[i].bytes, says[i].size);
        refused(listener, PLAIT_FOREVER, "probably no authkey");
        assert_memory_equal(last_of(listener), "127.0.0.1:", 10);
        close(fd);
        good_one_comes_in(listener);
    }
    assert_int_equal(plait_listener_free(listener), 0);
}

/* ---- noise ---- */

/* What the other side might say, and then some of it changed, left out, doubled, or something else. */
static size_t some_noise(unsigned char *bytes, uint64_t *random)
{
    static const struct { const char *text; size_t size; } parts[] = {
        { "\0\0\0\x3b#CHALLENGE#{sha256}0123456789012345678901234567890123456789", 63 }, { "\0\0\0\x09#WELCOME#", 13 },
        { "\0\0\0\x1f#CHALLENGE#01234567890123456789", 35 }, { "\0\0\0\x10""0123456789012345", 20 }, { "\0\0\0\x09#FAILURE#", 13 },
        { "\0\0\0\x28{sha256}01234567890123456789012345678901", 44 }, { "\xff\xff\xff\xff\0\0\0\0\0\0\0\x09#WELCOME#", 21 },
        { "\0\0\x01\0{sha3_384}", 14 },
    };
    size_t size = 0;
    for (uint64_t i = test_random(random) % 5; i; i--) {
        const size_t part = test_random(random) % (sizeof parts / sizeof *parts);
        memcpy(bytes + size, parts[part].text, parts[part].size);
        size += parts[part].size;
    }
    for (uint64_t i = test_random(random) % 4; i && size; i--)
        bytes[test_random(random) % size] = (unsigned char)test_random(random);
    return test_random(random) % 4 ? size : test_random(random) % (size + 1);
}

/* In pieces of any size; then the end.  Nobody comes in, nothing hangs, and no byte of memory is touched that should not be. */
static void noise(void **state)
{
    uint64_t random = test_seed();
    for (int round = 0; round < 5000; round++) {
        unsigned char bytes[5 * 64];
        const size_t size = some_noise(bytes, &random);
        int result = 0;
        begin(round & 1);
        for (size_t gone = 0; gone < size && !result;) {
            size_t piece = 1 + test_random(&random) % (size - gone);
            say_bytes(wire.here[0], bytes + gone, piece);
            gone += piece;
            result = plait__handshake_go(&wire.sides[0]);
        }
        shutdown(wire.here[0], SHUT_WR);
        if (!result) result = plait__handshake_go(&wire.sides[0]);
        assert_int_equal(result, PLAIT_EAUTH);
        end();
    }
}

/* It knows the digest and then says something else instead of its own challenge. */
static void the_mirror_half_counts(void **state)
{
    begin(true);
    run(&(struct trouble){ never, 4 + 40, 0 });
    say(wire.here[0], "hello");
    assert_int_equal(plait__handshake_go(&wire.sides[0]), PLAIT_EAUTH);
    assert_detail("no challenge");
    end();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_goes_at_each_byte_to_who_accepts),
    cmocka_unit_test(it_goes_at_each_byte_to_who_connects),
    cmocka_unit_test(each_byte_is_another_to_who_accepts),
    cmocka_unit_test(each_byte_is_another_to_who_connects),
    cmocka_unit_test(long_heads),
    cmocka_unit_test(lengths_that_are_none),
    cmocka_unit_test(not_a_byte_too_many),
    cmocka_unit_test(the_other_side_does_not_read),
    cmocka_unit_test(silent_ones_keep_nobody),
    cmocka_unit_test(silent_ones_are_refused_in_time),
    cmocka_unit_test(the_time_that_is_up_can_be_polled),
    cmocka_unit_test(a_house_full_of_silent_ones),
    cmocka_unit_test(garbage),
    cmocka_unit_test(noise),
    cmocka_unit_test(the_mirror_half_counts),
};
TEST_MAIN(tests)
