/* Members that make, hand over and free blocks are killed at random.  No block changes under its owner's hands, and at the end none
 * is left: private ones went with their makers, and the family's are all in the table, or in a journal of one of the dead. */
#include "storm.h"

#include <inttypes.h>
#include <string.h>

#include <plait.h>

#include "arena/heap.h"
#include "arena/spans.h"

enum { WORKERS = 5, TABLE = 64, JOURNALS = 1 << 16 };

/* What a block begins with; behind it stands `id` again and again. */
struct block {
    uint64_t id, size;
};

static struct shared {
    _Atomic uint64_t rounds, next_id, spoilt, refused;
    _Atomic(struct block *) table[TABLE];
    _Atomic(struct block *) in_hand[WORKERS];              /* the family's block that this worker has, in no table */
    struct block *left[JOURNALS];                          /* what dead workers had in hand */
    _Atomic uint32_t lefts;
} *shared;

/* ---- blocks ---- */

static size_t random_size(uint64_t random)
{
    if (random % 32 == 0) return 70000 + random / 32 % 130000;           /* large: of spans */
    return sizeof(struct block) + 8 * (random / 32 % (random % 4 ? 60 : 1000));
}

/* Large ones only at some places, for speed. */
static size_t step_of(size_t size)
{
    return size > 10000 ? 512 : 8;
}

static void fill(struct block *block, size_t size)
{
    block->id = atomic_fetch_add(&shared->next_id, 1) + 1;
    block->size = size;
    for (size_t at = sizeof *block; at + 8 <= size; at += step_of(size)) memcpy((char *)block + at, &block->id, 8);
}

static void must_be_whole(const struct block *block)
{
    bool whole = block->size <= plait_block_size(block);
    for (size_t at = sizeof *block; whole && at + 8 <= block->size; at += step_of(block->size))
        whole = memcmp((const char *)block + at, &block->id, 8) == 0;
    if (!whole) shared->spoilt++;
}

/* ---- workers ---- */

/* Make a block, and put it into the table if its place is free.  It is private until then, so that it goes if we do. */
static void make_one(int place, _Atomic(struct block *) *cell, uint64_t random)
{
    const size_t size = random_size(random);
    struct block *block = plait_message_alloc(size), *nothing = NULL;
    if (!block) {
        shared->refused++;
        return;
    }
    fill(block, size);
    shared->in_hand[place] = block;
    CHECK(plait_block_share(block) == 0);
    if (!atomic_compare_exchange_strong(cell, &nothing, block)) {
        must_be_whole(block);
        CHECK(plait_free(block) == 0);
    }
    shared->in_hand[place] = NULL;
}

static void free_one(int place, _Atomic(struct block *) *cell, struct block *block)
{
    shared->in_hand[place] = block;
    if (atomic_compare_exchange_strong(cell, &block, NULL)) {
        must_be_whole(block);
        CHECK(plait_free(block) == 0);
    }
    shared->in_hand[place] = NULL;
}

enum { OWN = 8 };

/* Some blocks of one's own, which nobody sees. */
static void change_own(struct block **own, uint64_t random)
{
    struct block **one = &own[random % OWN];
    if (*one) {
        must_be_whole(*one);
        CHECK(plait_free(*one) == 0);
        *one = NULL;
        return;
    }
    const size_t size = random_size(random / OWN);
    *one = plait_message_alloc(size);
    if (*one) fill(*one, size);
    else shared->refused++;
}

static void work(int place, uint64_t state)
{
    struct block *own[OWN] = { NULL };
    while (!storm_is_over()) {
        const uint64_t random = test_random(&state);
        _Atomic(struct block *) *cell = &shared->table[random % TABLE];
        struct block *there = *cell;
        if (random / TABLE % 2) change_own(own, random / 1024);
        else if (there) free_one(place, cell, there);
        else make_one(place, cell, random / 1024);
        shared->rounds++;
    }
}

/* ---- the tester ---- */

static void keep_what_it_had(int place)
{
    struct block *block = shared->in_hand[place];
    if (block && shared->lefts < JOURNALS) shared->left[shared->lefts++] = block;
    shared->in_hand[place] = NULL;
}

/* The dead had it in hand: now it is nobody's, or in the table, or was freed (and the place may have been used again). */
static void free_what_was_left(void)
{
    for (uint32_t i = 0; i < shared->lefts; i++) {
        bool in_table = false;
        for (int j = 0; j < TABLE; j++) in_table |= shared->table[j] == shared->left[i];
        if (!in_table && plait_block_size(shared->left[i])) assert_int_equal(plait_free(shared->left[i]), 0);
    }
}

static void free_the_table(void)
{
    for (int i = 0; i < TABLE; i++) {
        struct block *block = shared->table[i];
        if (block) must_be_whole(block);
        assert_int_equal(plait_free(block), 0);
    }
}

static void must_be_in_order(size_t blocks)
{
    plait_arena_figures figures;
    assert_int_equal(plait__heap_count(0), blocks);
    assert_int_equal(plait_arena_stats(&figures), 0);
    assert_int_equal(figures.leaked, 0);
    assert_true(figures.used <= (uint32_t)atomic_load(&plait__arena->used) * (uint64_t)PLAIT__SPAN_SIZE);
    for (uint32_t span = 1; span < atomic_load(&plait__arena->top); span++) {
        const uint64_t state = plait__arena->table[span].state;
        const bool owned = plait__span_kind(state) == PLAIT__SMALL && plait__span_owner(state) > 1;       /* 1 is the tester */
        assert_false(owned || plait__span_kind(state) == PLAIT__CLAIM || plait__span_kind(state) == PLAIT__LARGE);
    }
}

static void blocks(void **state)
{
    storm_family();
    shared = test_shared(sizeof *shared);
    const size_t before = plait__heap_count(0);
    struct storm storm = { .workers = WORKERS, .body = work, .killed = keep_what_it_had, .progress = &shared->rounds };
    storm_rage(&storm);
    storm_end(&storm);
    printf("%ld kills, %ld stops, %" PRIu64 " rounds, %" PRIu64 " blocks; spoilt %" PRIu64 ", refused %" PRIu64
           ", %u in dead hands; longest stall %.1f ms\n",
           storm.kills, storm.stops, shared->rounds, shared->next_id, shared->spoilt, shared->refused, shared->lefts,
           storm.longest_stall * 1e3);
    free_what_was_left();
    free_the_table();
    assert_int_equal(shared->spoilt + shared->refused, 0);
    must_be_in_order(before);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(blocks) };

TEST_MAIN(tests)
