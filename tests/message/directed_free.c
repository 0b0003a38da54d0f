/* A queue is freed whose last user died in the middle of an operation, while somebody is about to repair that death, and is held
 * there: when the repair goes on, it leaves alone what the memory of the queue, its messages and segments is used for by then. */
#include "hold.h"
#include "numbers.h"

#include <signal.h>

#include "arena/heap.h"
#include "family/repair.h"

enum { LARGE = 3000, SMALL_BLOCKS = 40, SEGMENTS = 4, CAPACITY = 1024 };

static plait_queue *queue;
static size_t blocks;                                      /* before the queue was made */

static void begin(const plait_queue_options *options)
{
    hold_forget();
    blocks = plait__heap_count(0);
    MUST(queue = plait_queue_new(options));
}

static void put_sized(size_t size)
{
    static char message[LARGE];
    CHECK(plait_queue_put(queue, message, size, PLAIT_NOW) == 0);
}

static void get_any(void)
{
    static char message[LARGE];
    CHECK(plait_queue_get(queue, message, sizeof message, PLAIT_NOW) >= 0);
}

/* ---- the operations ---- */

static void ring(void)
{
    begin(&(plait_queue_options){ .capacity = CAPACITY });
    put_sized(LARGE);
}

static void put_large(void) { put_sized(LARGE); }

static void segment_with_room_for(uint64_t units)
{
    begin(&(plait_queue_options){ .unbounded = 1 });
    while (plait__position_in(queue->tail.word) < PLAIT__SEGMENT_UNITS - units) {
        put_sized(8);
        get_any();
    }
}

static void full_segment(void) { segment_with_room_for(0); }

static void block_in_two_segments(void)
{
    segment_with_room_for(1);
    void *block = plait_message_alloc(LARGE);
    MUST(block && plait_queue_give(queue, block, LARGE, PLAIT_NOW) == 0);
}

static void put_small(void) { put_sized(8); }

static void stack(void) { begin(&(plait_queue_options){ .order = PLAIT_LIFO }); }

static void stack_of_one(void)
{
    stack();
    put_sized(LARGE);
}

struct operation {
    const char *name;
    void (*set_up)(void);
    struct step_operation steps;
};

static const struct operation operations[] = {
    { "put", ring, { .run = put_large } },
    { "get", ring, { .run = get_any } },
    { "put into a new segment", full_segment, { .run = put_small } },
    { "get from the next segment", block_in_two_segments, { .run = get_any } },
    { "put on an empty stack", stack, { .run = put_large } },
    { "get from a stack of one", stack_of_one, { .run = get_any } },
};

static const struct step_region *regions(void)
{
    static struct step_region all[14];
    const struct step_region *family = step_family_regions();
    int n = 0;
    all[n++] = (struct step_region){ queue, sizeof *queue };
    for (; family->size; family++) all[n++] = *family;
    all[n] = (struct step_region){ 0 };
    return all;
}

/* ---- held before it repairs ---- */

static int repair_held(void)
{
    hold_at(PLAIT__POINT_REPAIR, 1);
    plait__reap_all();
    return 0;
}

/* Everything that was the queue's is ours now. */
static int use_free_memory(char **used)
{
    int n = 0;
    for (; n < SMALL_BLOCKS; n++) memset(used[n] = plait_message_alloc(LARGE), 0x55, LARGE);
    for (; n < SMALL_BLOCKS + SEGMENTS; n++) memset(used[n] = plait_message_alloc(32768), 0x55, 32768);
    return n;
}

static bool free_after(const struct operation *operation, long k)
{
    char *used[SMALL_BLOCKS + SEGMENTS];
    operation->set_up();
    struct stepped dead = step_to_change(&operation->steps, regions(), k);
    step_kill(&dead);
    struct member repairer = member_start(repair_held);
    hold_until_there();
    MUST(plait_queue_free(queue) == 0);
    int n = use_free_memory(used);
    hold_let_go();
    MUST(member_wait(&repairer, "the repairer") == 0);
    for (int i = 0; i < n; i++) MUST(plait__heap_tag(used[i]) == plait__self.slot && plait_free(used[i]) == 0);
    member_all_leave();
    MUST(plait__heap_count(0) == blocks);
    return !dead.finished;
}

static void a_late_repair_frees_nothing_of_a_freed_queue(void **state)
{
    test_family();
    for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        long k = 0;
        do test_where[0] = i, test_where[1] = k;
        while (free_after(&operations[i], k++));
        printf("%s: held %ld times\n", operations[i].name, k);
    }
}

/* ---- held while it looks at the queue ---- */

static void die_here(enum plait__point point)
{
    if (point == PLAIT__POINT_QUEUE_OWNED) raise(SIGKILL);
}

static int put_and_die(void)
{
    plait__point_hook = die_here;
    put_sized(8);
    return 0;
}

static uint32_t die_in_a_put(void)
{
    begin(&(plait_queue_options){ .capacity = CAPACITY });
    struct member dead = member_start(put_and_die);
    MUST(member_wait(&dead, "the putter") == -SIGKILL);
    return dead.slot;
}

static void reap(void) { plait__reap_all(); }
static const struct step_operation repair = { .run = reap };

/* After so many instructions of the repair this changes, for the first time. */
static long changes_after(const _Atomic uint32_t *word)
{
    const struct step_region region[] = { { (const void *)((uintptr_t)word & ~UINT64_C(7)), 8 }, { 0 } };
    uint64_t before = *(const volatile uint64_t *)region[0].start;
    for (long k = 1;; k++) {
        die_in_a_put();
        struct stepped repairer = step_to_change(&repair, region, k);
        bool changed = *(const volatile uint64_t *)region[0].start != before;
        MUST(!repairer.finished);
        step_continue(&repairer, "the repairer");
        step_leave(&repairer);
        MUST(plait_queue_free(queue) == 0);
        if (changed) return repairer.instructions;
    }
}

/* The user's own data look like words that the dead one owns. */
static void free_beside_repair(long instructions)
{
    uint32_t slot = die_in_a_put();
    struct stepped repairer = step_to(&repair, instructions);
    const size_t count = plait_block_size(queue) / sizeof(uint64_t);
    MUST(plait_queue_free(queue) == 0);
    uint64_t *words = plait_alloc(count * sizeof *words);
    MUST((void *)words == queue);
    for (size_t i = 0; i < count; i++) words[i] = (uint64_t)i << 32 | slot;
    step_continue(&repairer, "the repairer");
    step_leave(&repairer);
    for (size_t i = 0; i < count; i++) MUST(words[i] == ((uint64_t)i << 32 | slot));
    MUST(plait_free(words) == 0 && plait__heap_count(0) == blocks);
}

static void a_repair_under_way_leaves_the_memory_of_a_freed_queue_alone(void **state)
{
    test_family();
    uint32_t slot = die_in_a_put();
    MUST(plait__reap_all() == 1 && plait_queue_free(queue) == 0);
    long first = changes_after(&plait__slot(slot)->life), last = changes_after(&plait__roster->endings);
    MUST(first < last);
    printf("instructions %ld to %ld\n", first, last);
    for (long k = first; k <= last; k++) {
        test_where[0] = k;
        free_beside_repair(k);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_repair_under_way_leaves_the_memory_of_a_freed_queue_alone),
    cmocka_unit_test(a_late_repair_frees_nothing_of_a_freed_queue),
};

TEST_MAIN(tests)
