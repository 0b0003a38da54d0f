/* tasks.h - what the tests of the pool share: tasks, and maps that must come out right. */
#ifndef PLAIT_TEST_TASKS_H
#define PLAIT_TEST_TASKS_H

#include "host.h"

#include <plait.h>

static inline plait_pool *new_pool(int workers)
{
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .workers = workers });
    CHECK(pool);
    return pool;
}

static inline int square(const void *in, void *out, void *context)
{
    const int x = *(const int *)in;
    *(int *)out = x * x;
    return 0;
}

static inline int do_nothing(const void *in, void *out, void *context)
{
    return 0;
}

/* A map of n squares with these options must succeed and be right. */
static inline void expect_squares_with(plait_pool *pool, int n, const plait_map_options *options)
{
    int *in = malloc((size_t)(n + 1) * sizeof *in), *out = calloc((size_t)n + 1, sizeof *out);
    CHECK(in && out);
    for (int i = 0; i < n; i++) in[i] = i;
    const int result = plait_pool_map(pool, square, in, sizeof *in, out, sizeof *out, (size_t)n, options);
    if (result) dprintf(STDERR_FILENO, "%d: %s (%s)\n", result, plait_strerror(result), plait_error_detail());
    CHECK(result == 0);
    for (int i = 0; i < n; i++) CHECK(out[i] == i * i);
    free(in);
    free(out);
}

static inline void expect_squares(plait_pool *pool, int n)
{
    expect_squares_with(pool, n, NULL);
}

#endif
