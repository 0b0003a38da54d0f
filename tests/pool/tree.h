/* tree.h - what the tests of maps in tasks share: a pool, and trees of maps whose sum is known. */
#ifndef PLAIT_TEST_TREE_H
#define PLAIT_TEST_TREE_H

#include "tasks.h"

#include "arena/heap.h"
#include "family/repair.h"
#include "family/roster.h"
#include "pool/board.h"

/* What tests note down; each uses what it needs. */
static struct notes {
    _Atomic pid_t caller;               /* who runs the outer task */
    _Atomic uint32_t slot;              /* his */
    _Atomic pid_t told;
    _Atomic int go, inside, attempts, others, refused;
} *notes;

static plait_pool *pool;
static size_t blocks;

static inline void make_pool_of(int kind, int workers)
{
    if (!notes) notes = test_shared(sizeof *notes);
    memset(notes, 0, sizeof *notes);
    assert_int_equal(plait_init(NULL, NULL), 0);
    blocks = plait__heap_count(0);
    pool = plait_pool_new(&(plait_pool_options){ .kind = kind, .workers = workers });
    assert_non_null(pool);
}

static inline int make_pool(void **state)
{
    make_pool_of(PLAIT_PROCESSES, 2);
    return 0;
}

/* No job is left, on the board or in memory. */
static inline int end_pool(void **state)
{
    if (pool->board)
        for (unsigned place = 0; place < PLAIT__JOBS_MAX; place++) assert_null(pool->board->jobs[place]);
    notes->go = 1;
    expect_squares(pool, 100);
    plait_pool_free(pool);
    assert_int_equal(plait__heap_count(0), blocks);
    return 0;
}

struct node {
    int depth, fan;
    size_t chunk;
    long value;
    int turns;                          /* how long a leaf takes */
};

static inline void turn(int turns)
{
    for (volatile int i = 0; i < turns; i++) {}
}

/* The sum of the values of all leaves: those of a node are value * fan + 0, 1, 2, ... */
static inline int sum_up(const void *in, void *out, void *context)
{
    const struct node *node = in;
    struct node below[8];
    long sums[8], sum = 0;
    for (int i = 0; i < node->fan; i++)
        below[i] = (struct node){ node->depth - 1, node->fan, node->chunk, node->value * node->fan + i, node->turns };
    turn(node->depth ? 0 : node->turns);
    int error = 0;
    if (node->depth > 0)
        error = plait_pool_map(plait_pool_current(), sum_up, below, sizeof below[0], sums, sizeof sums[0], (size_t)node->fan,
                               &(plait_map_options){ .chunk = node->chunk });
    for (int i = 0; i < node->fan && node->depth > 0; i++) sum += sums[i];
    *(long *)out = node->depth > 0 ? sum : node->value;
    return error;
}

static inline long leaves_of(const struct node *node)
{
    long leaves = 1;
    for (int i = 0; i < node->depth; i++) leaves *= node->fan;
    return leaves;
}

static inline void expect_sum(int depth, int fan, size_t chunk)
{
    const struct node root = { .depth = depth, .fan = fan, .chunk = chunk };
    const long n = leaves_of(&root);
    long sum = -1;
    const int result = plait_pool_map(pool, sum_up, &root, sizeof root, &sum, sizeof sum, 1, NULL);
    if (result) fail_msg("%s (%s)", plait_strerrorname(result), plait_error_detail());
    assert_int_equal(sum, n * (n - 1) / 2);
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, make_pool, end_pool)

#endif
