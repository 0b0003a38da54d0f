/* The examples value_array, shared_memory_with_python, queue_with_lock and queue_without_lock: what they print, to the letter. */
#include "names.h"
#include "program.h"
#include "python.h"

/* Run it, which has to work and to print just that. */
static void must_print(const char *name, const char *argument, const char *expected)
{
    struct program program = { 0 };
    program_run(&program, name, argument, NULL);
    assert_string_equal(program.err, "");
    assert_string_equal(program.out, expected);
    assert_int_equal(program.status, 0);
    program_free(&program);
}

static void value_array(void **state)
{
    must_print("value_array", NULL, "3.1415927\n[0, -1, -2, -3, -4, -5, -6, -7, -8, -9]\n");
}

#define INSERTED "Aku insert1 akan menginsert 1 ke queue\nAku insert2 akan menginsert 2 ke queue\n"

/* Whatever the scheduler does: nothing in it is left to a sleep that is long enough. */
static void queue_with_lock(void **state)
{
    for (int i = 0; i < 3; i++)
        must_print("queue_with_lock", NULL, INSERTED
                   "aku consumer 1 harusnya mendapatkan angka 1 dari queue : 1\n"
                   "aku consumer 2 harusnya mendapatkan angka 2 dari queue : 2\n");
}

static void queue_without_lock(void **state)
{
    for (int i = 0; i < 20; i++)
        must_print("queue_without_lock", NULL, INSERTED
                   "aku consumer 2 harusnya mendapatkan angka 2 dari queue : 1\n"
                   "aku consumer 1 harusnya mendapatkan angka 1 dari queue : 2\n");
}

static void shared_memory_with_python(void **state)
{
    struct python all[PYTHONS];
    const int count = pythons(all);
    if (!count) skip();
    for (int i = 0; i < count; i++) {
        if (all[i].version < 309) continue;                /* it has another layout of lists */
        must_print("shared_memory_with_python", all[i].path,
                   "Python finds [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
                   "Python finds [1, 'two', 3.0]\n"
                   "C finds from Python\n"
                   "C finds [0, -1, -2, -3, -4, -5, -6, -7, -8, -9]\n"
                   "C finds zwei at index 1, and None at index 2\n");
    }
}

static void shared_memory_without_python(void **state)
{
    struct program program = { 0 };
    program_run(&program, "shared_memory_with_python", "no-such-python", NULL);
    assert_int_equal(program.status, 1);
    assert_string_equal(program.out, "");
    assert_non_null(strstr(program.err, "no-such-python: No such file or directory"));
    program_free(&program);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(value_array),
    cmocka_unit_test(queue_with_lock),
    cmocka_unit_test(queue_without_lock),
    cmocka_unit_test(shared_memory_with_python),
    cmocka_unit_test(shared_memory_without_python),
};
TEST_MAIN(tests)
