/* What the tests of plait.hpp share.  Include it behind the headers of C++: cmocka has a macro `fail`, which some of them mind. */
#ifndef PLAIT_TEST_CPP_H
#define PLAIT_TEST_CPP_H

#include <plait.hpp>

#include "harness.h"

/* The code of the plait::error that body() throws, 0 if it throws nothing. */
template <class Body> int code_of(Body body)
{
    try {
        body();
    } catch (const plait::error &error) {
        return error.code().value();
    }
    return 0;
}

/* Fork without plait: the child has copies of all owners, and runs body() and their destructors. */
template <class Body> int raw_fork(Body body)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(body());
    return test_wait_exit(child);
}

/* ---- no block is left: for cmocka_unit_test_setup_teardown ---- */

inline plait_arena_figures &figures_before()
{
    static plait_arena_figures figures;
    return figures;
}

static inline int note_blocks(void **)
{
    figures_before() = plait::arena::stats();
    return 0;
}

static inline int no_block_is_left(void **)
{
    const plait_arena_figures now = plait::arena::stats();
    assert_int_equal(now.leaked, 0);
    assert_int_equal(now.shared_blocks, figures_before().shared_blocks);
    assert_int_equal(now.owned_blocks, figures_before().owned_blocks);
    assert_int_equal(now.shared, figures_before().shared);
    assert_int_equal(now.owned, figures_before().owned);
    return 0;
}

#define LEAVES_NOTHING(test) cmocka_unit_test_setup_teardown(test, note_blocks, no_block_is_left)

#endif
