/* The example join_family: two customers, a shop, and nothing is left. */
#include "program.h"

#include <stdlib.h>
#include <string.h>

static void run(const char *path)
{
    struct program shop = { 0 }, customers[2] = { { 0 }, { 0 } }, last = { 0 };
    char ready[6] = "";
    int pipe_of[2];
    assert_int_equal(pipe(pipe_of), 0);
    shop.out_to = pipe_of[1];
    program_start(&shop, "join_family", "keep", path, NULL);
    close(pipe_of[1]);
    assert_int_equal(read(pipe_of[0], ready, 5), 5);
    assert_string_equal(ready, "open\n");
    for (int i = 0; i < 2; i++) program_start(&customers[i], "join_family", "order", path, i ? "500" : "1000", NULL);
    for (int i = 0; i < 2; i++) {
        program_wait(&customers[i]);
        assert_string_equal(customers[i].err, "");
        assert_non_null(strstr(customers[i].out, i ? " ordered 500\n" : " ordered 1000\n"));
        assert_int_equal(customers[i].status, 0);
        program_free(&customers[i]);
    }
    program_run(&last, "join_family", "close", path, NULL);
    assert_int_equal(last.status, 0);
    program_free(&last);

    char said[200] = "";
    program_wait(&shop);
    assert_true(read(pipe_of[0], said, sizeof said - 1) > 0);
    close(pipe_of[0]);
    assert_string_equal(said, "2 customers, 1500 orders, sum 625750\n");
    assert_string_equal(shop.err, "");
    assert_int_equal(shop.status, 0);
    program_free(&shop);
}

static void at_an_abstract_name(void **state)
{
    char path[64];
    snprintf(path, sizeof path, "@plait-example-%d", (int)getpid());
    run(path);
}

static void at_a_path(void **state)
{
    char path[200];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/plait-%d", folder ? folder : "/tmp", (int)getpid());
    run(path);
    assert_int_equal(access(path, F_OK), -1);
}

static void nobody_is_there(void **state)
{
    struct program program = { 0 };
    program_run(&program, "join_family", "order", "/nowhere/at/all", "3", NULL);
    assert_string_equal(program.err,
        "join: No such file or directory: no way to get there: joining the family at /nowhere/at/all\n");
    assert_int_equal(program.status, 1);
    program_free(&program);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(at_an_abstract_name), cmocka_unit_test(at_a_path), cmocka_unit_test(nobody_is_there),
};

TEST_MAIN(tests)
