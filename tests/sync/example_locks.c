/* The examples philosophers, philosophers_deadlock, ping_pong, rlock and rwlock. */
#include "program.h"

#include <fcntl.h>
#include <string.h>

/* ---- philosophers ---- */

/* Each eats and thinks in turn. */
static void check_meals(const char *text)
{
    bool eats[5] = { false };
    int number, length, lines = 0;
    char what[16];
    for (; *text; text += length, lines++) {
        assert_int_equal(sscanf(text, "phil %d is %15[a-z]%n", &number, what, &length), 2);
        assert_in_range(number, 0, 4);
        assert_int_equal(text[length++], '\n');
        const bool eating = strcmp(what, "eating") == 0;
        assert_true(eating || strcmp(what, "thinking") == 0);
        assert_int_equal(eats[number], !eating);
        eats[number] = eating;
    }
    assert_int_equal(lines, 50);
}

static void dine(const char *way)
{
    struct program program;
    char line[32];
    program_run_well(&program, "philosophers", way);
    check_meals(program.out);
    assert_int_equal(test_times_in(program.out, "is eating\n"), 25);
    assert_int_equal(test_times_in(program.out, "is thinking\n"), 25);
    for (int i = 0; i < 5; i++) {
        snprintf(line, sizeof line, "phil %d is eating\n", i);
        assert_int_equal(test_times_in(program.out, line), 5);
    }
    program_free(&program);
}

static void philosophers(void **state)
{
    dine(NULL);
    dine("processes");
    dine("threads");
    program_wrong_argument("philosophers", "nonsense", "usage: philosophers [processes | threads]\n");
}

/* ---- philosophers_deadlock ---- */

static const char *past(const char *text, const char *expected)
{
    if (strncmp(text, expected, strlen(expected)) != 0) fail_msg("expected %s\nhere: %s", expected, text);
    return text + strlen(expected);
}

/* Five lines, one for each, in any order: he waits for the fork of his right neighbour.  They tell, or have to have, these pids. */
static const char *check_waits(const char *text, const char *indent, int pids[6])
{
    int number, other, pid, holder, length, seen = 0;
    void *object;
    for (int i = 0; i < 5; i++, text += length + 1) {
        text = past(text, indent);
        assert_int_equal(sscanf(text, "Philosopher-%d (pid %d) waits for the lock at %p, which is held by "
                                "Philosopher-%d (pid %d)%n", &number, &pid, &object, &other, &holder, &length), 5);
        assert_int_equal(text[length], '\n');
        assert_in_range(number, 1, 5);
        assert_int_equal(other, number % 5 + 1);
        seen |= 1 << number;
        if (!pids[number]) pids[number] = pid;
        if (!pids[other]) pids[other] = holder;
        assert_int_equal(pids[number], pid);
        assert_int_equal(pids[other], holder);
    }
    assert_int_equal(seen, 0x3e);
    return text;
}

static void philosophers_deadlock(void **state)
{
    struct program program;
    int pids[6] = { 0 };
    program_run_well(&program, "philosophers_deadlock", NULL);
    const char *text = check_waits(program.out, "", pids);
    text = check_waits(past(text, "deadlock of 5:\n"), "  ", pids);
    text = past(text, "Philosopher-1 gives up: the lock is held by Philosopher-2 (pid ");
    for (int i = 1; i <= 5; i++) {
        char waits[64];
        snprintf(waits, sizeof waits, "Philosopher-%d (pid %d) waits for the lock at", i, pids[i]);
        assert_int_equal(test_times_in(text, waits), 1);
    }
    assert_int_equal(test_times_in(text, ": a deadlock: "), 1);
    assert_string_equal(strchr(text, '\n') + 1, "Philosopher-5 eats\nPhilosopher-4 eats\nPhilosopher-3 eats\nPhilosopher-2 eats\n");
    program_free(&program);
}

/* ---- the others ---- */

static const char turns[] = "ping 10\npong 10\nping 11\npong 11\nping 12\npong 12\nping 13\npong 13\nping 14\npong 14\n"
                            "in main process: 10\n";

static void ping_pong(void **state)
{
    struct program program;
    program_run_well(&program, "ping_pong", NULL);
    assert_string_equal(program.out, turns);
    program_free(&program);
}

/* Still in turn, as each line is flushed before the other's turn. */
static void ping_pong_through_a_pipe(void **state)
{
    int ends[2];
    char text[256];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct program program = { .out_to = ends[1] };
    program_run(&program, "ping_pong", NULL);
    close(ends[1]);
    assert_int_equal(program.status, 0);
    const ssize_t size = read(ends[0], text, sizeof text);
    assert_int_equal(size, strlen(turns));
    assert_memory_equal(text, turns, strlen(turns));
    close(ends[0]);
    program_free(&program);
}

static void rlock(void **state)
{
    struct program program;
    program_run_well(&program, "rlock", NULL);
    assert_string_equal(program.out, "giro 960000, savings 40000, <RLock(MainProcess, 2)>\n");
    program_free(&program);
}

static void rwlock(void **state)
{
    struct program program;
    program_run_well(&program, "rwlock", NULL);
    assert_string_equal(program.out, "version 50, always seen whole\n");
    program_free(&program);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(philosophers),
    cmocka_unit_test(philosophers_deadlock),
    cmocka_unit_test(ping_pong),
    cmocka_unit_test(ping_pong_through_a_pipe),
    cmocka_unit_test(rlock),
    cmocka_unit_test(rwlock),
};

TEST_MAIN(tests)
