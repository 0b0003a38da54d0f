/* contract_pickle.h - the rows of test_contract for pickles. */
#ifndef PLAIT_TEST_CONTRACT_PICKLE_H
#define PLAIT_TEST_CONTRACT_PICKLE_H

#include "harness.h"

#include <stdlib.h>

#include <plait.h>

static void dump_and_load(void)
{
    size_t size;
    plait_value *value = plait_tuple(2, plait_int(1), plait_object("module.Class", plait_dict(0)));
    void *bytes = plait_pickle_dumps(value, NULL, &size);
    plait_value *back = plait_pickle_loads(bytes, size, NULL);
    CHECK(plait_value_equal(value, back) == 1 && !plait_pickle_loads(bytes, size - 1, NULL) && errno == EBADMSG);
    free(bytes);
    plait_value_free(value);
    plait_value_free(back);
}

#define PICKLE_FUNCTIONS(X)                                                                           \
    X(plait_pickle_dumps, ANY_TIME, dump_and_load())                                                  \
    X(plait_pickle_loads, ANY_TIME, dump_and_load())

#endif
