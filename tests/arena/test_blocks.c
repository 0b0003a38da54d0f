/* What plait_alloc promises of a block, and that a pointer to nothing is told from one to a block. */
#include "harness.h"
#include "others.h"

#include <plait/init.h>
#include <plait/arena.h>
#include <plait/error.h>

#include "arena/heap.h"
#include "arena/spans.h"

static bool is_all(const void *memory, unsigned char byte, size_t size)
{
    const unsigned char *bytes = memory;
    return size == 0 || (bytes[0] == byte && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static size_t promised_alignment(size_t size)
{
    return size > 32768 ? 65536 : size % 64 == 0 ? 64 : 16;
}

/* Look at one fresh block, and leave dirt in all of it. */
static void check_block(unsigned char *block, size_t size)
{
    if (!block) fail_msg("no block of %zu bytes: %s", size, plait_error_detail());
    if ((uintptr_t)block % promised_alignment(size)) fail_msg("the block of %zu bytes is not aligned: %p", size, (void *)block);
    if (!is_all(block, 0, size)) fail_msg("the block of %zu bytes is not zero", size);
    if (plait_block_size(block) < size) fail_msg("the block of %zu bytes has %zu", size, plait_block_size(block));
    assert_true(plait_is_shared(block));
    assert_true(plait_is_shared(block + size - 1));
    memset(block, 0xee, plait_block_size(block));
}

/* Two at a time, so that the second cannot be the first one's memory; and twice, so that dirt of the first round is met. */
static void check_size(size_t size)
{
    unsigned char *first = plait_alloc(size);
    check_block(first, size);
    unsigned char *second = plait_alloc(size);
    check_block(second, size);
    assert_true(is_all(first, 0xee, size));
    assert_true(first + size <= second || second + size <= first);
    assert_int_equal(plait_free(first), 0);
    unsigned char *again = plait_alloc(size);
    check_block(again, size);
    assert_int_equal(plait_free(again), 0);
    assert_int_equal(plait_free(second), 0);
}

static void blocks_of_every_small_size_keep_the_promises(void **state)
{
    for (size_t size = 1; size <= 2100; size++) check_size(size);
    assert_int_equal(plait__heap_count(0), 0);
}

static void blocks_of_many_sizes_keep_the_promises(void **state)
{
    for (size_t size = 2101; size <= 70000; size += 61) check_size(size);
    assert_int_equal(plait__heap_count(0), 0);
}

static void blocks_around_the_borders_of_classes_keep_the_promises(void **state)
{
    static const size_t borders[] = { 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192,
                                      12288, 16384, 24576, 32768, 65536, 131072, 1 << 20, 5 << 20 };
    for (unsigned i = 0; i < sizeof borders / sizeof borders[0]; i++)
        for (size_t size = borders[i] - 2; size <= borders[i] + 2; size++) check_size(size);
    assert_int_equal(plait__heap_count(0), 0);
}

static void multiples_of_64_lie_in_cache_lines_of_their_own(void **state)
{
    for (size_t size = 64; size <= 32768; size += 64) {
        void *block = plait_alloc(size);
        assert_int_equal((uintptr_t)block % 64, 0);
        assert_int_equal(plait_free(block), 0);
    }
}

static void a_large_block_is_zero_from_end_to_end(void **state)
{
    const size_t size = (100 << 20) + 1;
    for (int round = 0; round < 2; round++) {
        unsigned char *block = plait_alloc(size);
        assert_non_null(block);
        for (size_t at = 0; at < size; at += 4096) assert_int_equal(block[at], 0);
        assert_int_equal(block[size - 1], 0);
        for (size_t at = 0; at < size; at += 1 << 20) block[at] = 1;
        block[size - 1] = 1;
        assert_int_equal(plait_free(block), 0);
    }
}

static void blocks_do_not_overlap(void **state)
{
    enum { MANY = 3000 };
    static unsigned char *blocks[MANY];
    static size_t sizes[MANY];
    uint64_t random = test_seed();
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < MANY; i++) {
            if (blocks[i] && test_random(&random) % 2) continue;
            if (blocks[i]) assert_int_equal(plait_free(blocks[i]), 0);
            sizes[i] = 1 + test_random(&random) % (i % 50 ? 700 : 90000);
            assert_non_null(blocks[i] = i % 2 ? plait_alloc(sizes[i]) : plait_message_alloc(sizes[i]));
            memset(blocks[i], i & 0xff, sizes[i]);
        }
        for (int i = 0; i < MANY; i++) assert_true(is_all(blocks[i], i & 0xff, sizes[i]));
        assert_int_equal(plait__heap_count(0), MANY);
    }
    for (int i = 0; i < MANY; i++) assert_int_equal(plait_free(blocks[i]), 0);
    assert_int_equal(plait__heap_count(0), 0);
}

static void nobody_gets_a_block_of_nothing(void **state)
{
    errno = 0;
    assert_null(plait_alloc(0));
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(plait_error_detail(), "0 bytes"));
    errno = 0;
    assert_null(plait_message_alloc(0));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(plait__heap_count(0), 0);
}

static void nobody_gets_more_than_there_is(void **state)
{
    static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 65535, SIZE_MAX - 65536, PTRDIFF_MAX, (size_t)1 << 40 };
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        errno = 0;
        assert_null(plait_alloc(sizes[i]));
        assert_int_equal(errno, ENOMEM);
        assert_non_null(strstr(plait_error_detail(), "no room"));
        errno = 0;
        assert_null(plait_message_alloc(sizes[i]));
        assert_int_equal(errno, ENOMEM);
    }
    check_size(100);
    assert_int_equal(plait__heap_count(0), 0);
}

/* --- pointers to nothing --- */

static void freeing_nothing_is_fine(void **state)
{
    assert_int_equal(plait_free(NULL), 0);
    assert_int_equal(plait_block_size(NULL), 0);
    assert_false(plait_is_shared(NULL));
}

static void a_block_is_freed_once(void **state)
{
    for (size_t size = 1; size <= 32768; size = size * 3 + 1) {
        void *kept = plait_alloc(size), *block = plait_alloc(size);
        assert_int_equal(plait_free(block), 0);
        assert_int_equal(plait_free(block), PLAIT_EFREED);
        assert_int_equal(plait_block_size(block), 0);
        assert_int_equal(plait_block_share(block), PLAIT_EFREED);
        assert_int_equal(plait__heap_count(0), 1);
        void *other = plait_alloc(size), *another = plait_alloc(size);
        assert_ptr_not_equal(other, another);           /* it is not twice among the free ones */
        assert_int_equal(plait_free(other), 0);
        assert_int_equal(plait_free(another), 0);
        assert_int_equal(plait_free(kept), 0);
    }
}

/* Its memory may be nobody's by then, so that it can't always be told that there was a block. */
static void a_large_block_is_freed_once(void **state)
{
    for (size_t size = 32769; size <= 4 << 20; size *= 2) {
        void *block = plait_alloc(size);
        assert_int_equal(plait_free(block), 0);
        const int error = plait_free(block);
        assert_true(error == PLAIT_EFREED || error == PLAIT_ENOTOURS);
        assert_int_equal(plait_block_size(block), 0);
        assert_int_equal(plait__heap_count(0), 0);
    }
}

static void check_is_no_block(void *pointer)
{
    const size_t live = plait__heap_count(0);
    assert_int_equal(plait_free(pointer), PLAIT_ENOTOURS);
    assert_true(strlen(plait_error_detail()) > 0);
    assert_int_equal(plait_block_share(pointer), PLAIT_ENOTOURS);
    assert_int_equal(plait_block_size(pointer), 0);
    assert_int_equal(plait__heap_count(0), live);
}

static void pointers_outside_are_not_ours(void **state)
{
    static int global;
    int local = 0;
    void *heap = malloc(10);
    assert_int_equal(plait_init(NULL, NULL), 0);
    check_is_no_block(&global);
    check_is_no_block(&local);
    check_is_no_block(heap);
    check_is_no_block((void *)(uintptr_t)check_is_no_block);
    check_is_no_block((void *)1);
    check_is_no_block((void *)UINTPTR_MAX);
    check_is_no_block(plait__arena);
    check_is_no_block(plait__roster);
    check_is_no_block(plait__arena->table);
    check_is_no_block(plait__arena->memory);            /* the span that is never used */
    check_is_no_block(plait__arena->memory - 1);
    check_is_no_block((char *)plait__arena + plait__arena->size);
    check_is_no_block(plait__span_memory(plait__arena->spans));
    check_is_no_block(plait__span_memory(plait__arena->spans - 1));
    assert_false(plait_is_shared(&local));
    assert_false(plait_is_shared(heap));
    assert_true(plait_is_shared(plait__arena));
    assert_false(plait_is_shared((char *)plait__arena - 1));
    assert_true(plait_is_shared((char *)plait__arena + plait__arena->size - 1));
    assert_false(plait_is_shared((char *)plait__arena + plait__arena->size));
    free(heap);
}

static void pointers_into_a_block_are_not_its_start(void **state)
{
    static const size_t sizes[] = { 16, 48, 100, 4096, 32768, 40000, 300000 };
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *block = plait_alloc(sizes[i]);
        memset(block, 'b', sizes[i]);
        for (size_t inside = 1; inside < sizes[i]; inside = inside * 2 + 1) check_is_no_block(block + inside);
        for (size_t inside = 65536; inside < sizes[i]; inside += 65536) check_is_no_block(block + inside);
        assert_true(is_all(block, 'b', sizes[i]));
        assert_true(plait_block_size(block) >= sizes[i]);
        assert_int_equal(plait_free(block), 0);
    }
}

static void the_end_of_a_span_that_holds_no_block_is_nobodys(void **state)
{
    char *block = plait_alloc(48);                      /* 1365 of them in a span, and 16 bytes */
    const uintptr_t span = (uintptr_t)block / 65536 * 65536;
    check_is_no_block((void *)(span + (uintptr_t)1365 * 48));
    assert_int_equal(plait_free(block), 0);
}

static void nothing_is_shared_before_there_is_a_family(void **state)
{
    int local = 0;
    assert_false(plait_is_shared(&local));
    assert_false(plait_is_shared((void *)0x6a0000000000));
    assert_int_equal(plait_block_size(&local), 0);
    assert_int_equal(plait_free(NULL), 0);
    assert_null(plait__arena);
}

static void sharing_a_block_twice_is_fine(void **state)
{
    for (size_t size = 10; size < 1 << 20; size *= 10) {
        void *block = plait_message_alloc(size);
        assert_int_equal(plait__heap_count(plait__self.slot), 1);
        assert_int_equal(plait_block_share(block), 0);
        assert_int_equal(plait_block_share(block), 0);
        assert_int_equal(plait__heap_count(plait__self.slot), 0);
        assert_int_equal(plait_free(block), 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(blocks_of_every_small_size_keep_the_promises),
    cmocka_unit_test(blocks_of_many_sizes_keep_the_promises),
    cmocka_unit_test(blocks_around_the_borders_of_classes_keep_the_promises),
    cmocka_unit_test(multiples_of_64_lie_in_cache_lines_of_their_own),
    cmocka_unit_test(a_large_block_is_zero_from_end_to_end),
    cmocka_unit_test(blocks_do_not_overlap),
    cmocka_unit_test(nobody_gets_a_block_of_nothing),
    cmocka_unit_test(nobody_gets_more_than_there_is),
    cmocka_unit_test(freeing_nothing_is_fine),
    cmocka_unit_test(a_block_is_freed_once),
    cmocka_unit_test(a_large_block_is_freed_once),
    cmocka_unit_test(pointers_outside_are_not_ours),
    cmocka_unit_test(pointers_into_a_block_are_not_its_start),
    cmocka_unit_test(the_end_of_a_span_that_holds_no_block_is_nobodys),
    cmocka_unit_test(nothing_is_shared_before_there_is_a_family),
    cmocka_unit_test(sharing_a_block_twice_is_fine),
};
TEST_MAIN(tests)
