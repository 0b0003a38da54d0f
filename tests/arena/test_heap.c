/* The heap from inside: every address of a span is told from the starts of its blocks, in every class. */
#include "harness.h"

#include <string.h>

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/family.h>
#include <plait/init.h>

#include "arena/heap.h"
#include "arena/spans.h"

/* One size for each class. */
static const unsigned sizes[PLAIT__CLASSES] = { 16,   32,   48,   64,   96,   128,  192,  256,   384,   512,   768,
                                                1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768 };

static void the_classes_are_as_they_are(void **state)
{
    for (unsigned i = 0; i < PLAIT__CLASSES; i++) {
        void *block = plait_alloc(sizes[i]);
        assert_int_equal(plait_block_size(block), sizes[i]);
        assert_int_equal(plait__blocks_in_span(i), PLAIT__SPAN_SIZE / sizes[i]);
        assert_int_equal(plait_free(block), 0);
        if (i == PLAIT__CLASSES - 1) break;
        assert_non_null(block = plait_alloc(sizes[i] + 1));
        assert_int_equal(plait_block_size(block), sizes[i + 1]);
        assert_int_equal(plait_free(block), 0);
    }
}

/* Fill a span as far as the heap fills it: then exactly the starts of those blocks have a size. */
static void check_every_address(unsigned class)
{
    static bool is_start[PLAIT__SPAN_SIZE];
    char *blocks[PLAIT__SPAN_BLOCKS], *start = NULL;
    const unsigned size = sizes[class], count = plait__blocks_in_span(class);
    memset(is_start, 0, sizeof is_start);
    for (unsigned i = 0; i < count; i++) {
        assert_non_null(blocks[i] = plait_alloc(size));
        if (i == 0) start = blocks[0] - (uintptr_t)blocks[0] % PLAIT__SPAN_SIZE;
        if ((uintptr_t)(blocks[i] - start) < PLAIT__SPAN_SIZE) is_start[blocks[i] - start] = true;
    }
    unsigned starts = 0;
    for (unsigned at = 0; at < PLAIT__SPAN_SIZE; at++) {
        starts += is_start[at];
        if (plait_block_size(start + at) != (is_start[at] ? size : 0)) fail_msg("class of %u bytes, offset %u", size, at);
    }
    assert_true(starts > count / 2);
    for (unsigned i = 0; i < count; i++) assert_int_equal(plait_free(blocks[i]), 0);
}

static void every_address_of_a_span_is_found_out(void **state)
{
    for (unsigned class = 0; class < PLAIT__CLASSES; class++) check_every_address(class);
    assert_int_equal(plait__heap_count(0), 0);
}

static void each_block_has_its_own_tag(void **state)
{
    for (unsigned class = 0; class < PLAIT__CLASSES; class++) {
        void *blocks[PLAIT__SPAN_BLOCKS];
        const unsigned count = plait__blocks_in_span(class);
        for (unsigned i = 0; i < count; i++) assert_non_null(blocks[i] = plait_alloc(sizes[class]));
        for (unsigned i = 0; i < count; i += 2) assert_int_equal(plait_free(blocks[i]), 0);
        for (unsigned i = 0; i < count; i++) assert_int_equal(plait_block_size(blocks[i]), i % 2 ? sizes[class] : 0);
        assert_int_equal(plait__heap_count(0), count / 2);
        for (unsigned i = 1; i < count; i += 2) assert_int_equal(plait_free(blocks[i]), 0);
    }
}

static void spans_are_used_from_below(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    char *first = plait_alloc(100000), *second = plait_alloc(65536), *third = plait_alloc(300000);
    assert_true(first < second && second < third);
    assert_int_equal(plait_free(second), 0);
    assert_int_equal(plait_free(first), 0);
    assert_ptr_equal(plait_alloc(100000), first);       /* it was kept */
    assert_int_equal(plait_free(first), 0);
    assert_int_equal(plait_arena_trim(), 0);
    char *again = plait_alloc(196608);                  /* as large as those two together */
    assert_ptr_equal(again, first);
    assert_int_equal(plait_free(again), 0);
    assert_int_equal(plait_free(third), 0);
    assert_int_equal(plait__heap_count(0), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_classes_are_as_they_are),
    cmocka_unit_test(every_address_of_a_span_is_found_out),
    cmocka_unit_test(each_block_has_its_own_tag),
    cmocka_unit_test(spans_are_used_from_below),
};
TEST_MAIN(tests)
