/* contract_pool.h - the rows of test_contract for pools and their results. */
#ifndef PLAIT_TEST_CONTRACT_POOL_H
#define PLAIT_TEST_CONTRACT_POOL_H

#include "harness.h"

#include <plait.h>

static plait_pool *a_pool;
static int numbers[10];


static void make_pool(void)
{
    CHECK((a_pool = plait_pool_new(&(plait_pool_options){ .workers = 2 })));
}

static int twice(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in * 2;
    return 0;
}

static int as_block(const void *in, void *out, void *context)
{
    CHECK(plait_pool_current());
    int *copy = plait_result_alloc(out, sizeof *copy);
    CHECK(copy);
    return plait_result_set(out, in, sizeof *copy);
}

static int add(void *into, const void *from, void *context)
{
    *(int *)into += *(const int *)from;
    return 0;
}

static void map_results_in(plait_pool *pool)
{
    int some[10] = { 3 };
    plait_result results[10];
    CHECK(plait_pool_map_results(pool, as_block, some, sizeof some[0], results, 10, NULL) == 0);
    CHECK(results[0].size == sizeof some[0] && *(int *)results[0].data == 3);
    plait_results_free(results, 10);
}

static void map_and_reduce_in(plait_pool *pool)
{
    int some[10] = { 3, 4 }, sum = 0;
    CHECK(plait_pool_map_reduce(pool, twice, some, sizeof some[0], 10, add, &sum, sizeof sum, NULL) == 0 && sum == 14);
}

static void set_result(void)
{
    plait_result result = { NULL, 0 };
    CHECK(plait_result_set(&result, "text", 5) == 0 && plait_result_alloc(&result, 7) && result.size == 7);
    plait_results_free(&result, 1);
}

static void map_in(plait_pool *pool)
{
    CHECK(pool && plait_pool_map(pool, twice, numbers, sizeof numbers[0], numbers, sizeof numbers[0], 10, NULL) == 0);
}

#define POOL_FUNCTIONS(X)                                                                             \
    X(plait_pool_new, ANY_TIME, plait_pool_free(plait_pool_new(&(plait_pool_options){ .workers = 2 }))) \
    X(plait_pool_free, ANY_TIME, plait_pool_free(plait_pool_new(NULL)))                               \
    X(plait_pool_map, 0, map_in(a_pool))                                                              \
    X(plait_pool_workers, 0, CHECK(plait_pool_workers(a_pool) == 2))                                  \
    X(plait_pool_map_results, 0, map_results_in(a_pool))                                              \
    X(plait_pool_map_reduce, 0, map_and_reduce_in(a_pool))                                            \
    X(plait_pool_current, ANY_TIME, CHECK(!plait_pool_current()))                                     \
    X(plait_result_set, ANY_TIME, set_result())                                                       \
    X(plait_result_alloc, ANY_TIME, set_result())                                                     \
    X(plait_results_free, ANY_TIME, plait_results_free(NULL, 0))                                      \
    X(plait_pool_worker_pid, 0, CHECK(plait_pool_worker_pid(a_pool, 1) > 0))

#endif
