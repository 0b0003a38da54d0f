/* The example python_peer: what it prints with each Python of the machine, to the letter. */
#include "program.h"
#include "python.h"

static void python_peer(void **state)
{
    struct python all[PYTHONS];
    const int count = pythons(all);
    if (!count) skip();
    for (int i = 0; i < count; i++) {
        struct program program = { 0 };
        program_run(&program, "python_peer", all[i].path, NULL);
        assert_string_equal(program.err, "");
        assert_string_equal(program.out,
                            "Python asks 2 and hears 4\n"
                            "Python asks 12 and hears 144\n"
                            "Python asks 111111 and hears 12345654321\n"
                            "C asks 10 and hears 1024\n"
                            "C asks 100 and hears 1267650600228229401496703205376\n");
        assert_int_equal(program.status, 0);
        program_free(&program);
    }
}

static void without_python(void **state)
{
    struct program program = { 0 };
    program_run(&program, "python_peer", "no-such-python", NULL);
    assert_int_equal(program.status, 1);
    assert_string_equal(program.out, "");
    assert_non_null(strstr(program.err, "no-such-python: No such file or directory"));
    program_free(&program);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(python_peer),
    cmocka_unit_test(without_python),
};
TEST_MAIN(tests)
