#include "harness.h"
static void nothing(void **state) {}
static const struct CMUnitTest tests[] = { cmocka_unit_test(nothing) };
TEST_MAIN(tests)
