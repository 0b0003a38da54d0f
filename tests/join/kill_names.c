#include "harness.h"
static void x(void **state) {}
static const struct CMUnitTest tests[] = { cmocka_unit_test(x) };
TEST_MAIN(tests)
