/* How much memory the family may use, what it gives back, and what it says about it. */
#include "files.h"
#include "harness.h"
#include "others.h"

#include <string.h>
#include <sys/stat.h>

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/family.h>
#include <plait/init.h>

#include "arena/heap.h"
#include "arena/limit.h"
#include "arena/spans.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static plait_arena_figures figures(void)
{
    plait_arena_figures now;
    assert_int_equal(plait_arena_stats(&now), 0);
    assert_int_equal(now.leaked, 0);
    return now;
}

/* ---- the limit to begin with ---- */

static void sizes_are_understood(void **state)
{
    static const struct { const char *text; uint64_t size; } sizes[] = {
        { "1", 1 }, { "65536", 65536 }, { "3K", 3072 }, { "512M", 512 * MIB }, { "2G", 2 * GIB }, { "1T", 1024 * GIB },
        { "", 0 }, { "M", 0 }, { "-1", 0 }, { " 1", 0 }, { "1MB", 0 }, { "1.5G", 0 }, { "1m", 0 }, { "99999999T", 0 }, { "0", 0 },
    };
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (plait__parse_size(sizes[i].text) != sizes[i].size) fail_msg("%s", sizes[i].text);
}

static void the_environment_limits(void **state)
{
    assert_int_equal(setenv("PLAIT_ARENA_LIMIT", "8M", 1), 0);
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_int_equal(figures().limit, 8 * MIB);
    assert_null(plait_alloc(8 * MIB + 1));
    void *block = plait_alloc(8 * MIB);
    assert_non_null(block);
    assert_null(plait_alloc(1));
    assert_int_equal(plait_free(block), 0);
}

static void nonsense_in_the_environment_is_told(void **state)
{
    assert_int_equal(setenv("PLAIT_ARENA_LIMIT", "much", 1), 0);
    assert_int_equal(plait_init(NULL, NULL), PLAIT_ENOARENA);
    assert_non_null(strstr(plait_error_detail(), "PLAIT_ARENA_LIMIT=much"));
    assert_int_equal(setenv("PLAIT_ARENA_LIMIT", "64M", 1), 0);
    assert_int_equal(plait_init(NULL, NULL), 0);
}

static uint64_t limit_of(const char *root, const char *groups)
{
    char name[512];
    write_file(root, "proc", groups);
    snprintf(name, sizeof name, "%s/proc", root);
    return plait__cgroup_limit(name, root);
}

static void control_groups_limit(void **state)
{
    const char *folder = getenv("TMPDIR");
    char root[256];
    snprintf(root, sizeof root, "%s/plait-groups-XXXXXX", folder ? folder : "/tmp");
    assert_non_null(mkdtemp(root));
    assert_true(plait__cgroup_limit("/nowhere", "/nowhere") == UINT64_MAX);
    assert_true(limit_of(root, "0::/a/b\n") == UINT64_MAX);
    write_file(root, "a/b/memory.max", "max\n");
    assert_true(limit_of(root, "0::/a/b\n") == UINT64_MAX);
    write_file(root, "a/memory.max", "1000000\n");
    assert_int_equal(limit_of(root, "0::/a/b\n"), 1000000);
    write_file(root, "a/b/memory.max", "2000000\n");
    assert_int_equal(limit_of(root, "0::/a/b\n"), 1000000);
    assert_true(limit_of(root, "0::/c\n") == UINT64_MAX);
    write_file(root, "memory.max", "500\n");               /* the group as it is seen from inside a container */
    assert_int_equal(limit_of(root, "0::/\n"), 500);
    write_file(root, "memory/old/memory.limit_in_bytes", "400\n");
    assert_int_equal(limit_of(root, "3:cpu:/x\n2:memory:/old\n0::/\n"), 400);
    assert_int_equal(limit_of(root, "nothing\n\n0:\n0::\n"), 500);
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    assert_int_equal(system(command), 0);
}

/* ---- the limit as it is set ---- */

static void the_limit_is_raised_and_lowered(void **state)
{
    assert_int_equal(plait_arena_set_limit(4 * MIB), 0);
    void *block = plait_alloc(3 * MIB);
    assert_non_null(block);
    assert_null(plait_alloc(2 * MIB));
    assert_int_equal(plait_arena_set_limit(8 * MIB), 0);
    void *other = plait_alloc(2 * MIB);
    assert_non_null(other);
    assert_int_equal(plait_arena_set_limit(1 * MIB), 0);   /* below what is in use: both stay, no other comes */
    assert_null(plait_alloc(40000));
    assert_null(plait_message_alloc(16));
    assert_int_equal(figures().used, 5 * MIB);
    assert_int_equal(plait_free(block), 0);
    assert_null(plait_alloc(40000));
    assert_int_equal(plait_free(other), 0);
    assert_non_null(block = plait_alloc(1 * MIB));
    assert_int_equal(plait_free(block), 0);
}

static void impossible_limits_are_refused(void **state)
{
    const uint64_t mapped = figures().mapped, limit = figures().limit;
    assert_int_equal(plait_arena_set_limit(0), -EINVAL);
    assert_int_equal(plait_arena_set_limit(mapped + 1), -EINVAL);
    assert_int_equal(plait_arena_set_limit(UINT64_MAX), -EINVAL);
    assert_int_equal(figures().limit, limit);
    assert_int_equal(plait_arena_set_limit(mapped), 0);
    assert_int_equal(figures().limit, mapped);
    assert_int_equal(plait_arena_set_limit(1), 0);
    assert_int_equal(figures().limit, 65536);
}

static int takes_all_there_is(void *unused)
{
    size_t sum = 0;
    for (void *block; (block = plait_message_alloc(100000)); sum++) memset(block, 1, 100000);
    CHECK(sum > 10);
    while (plait_message_alloc(16)) {}
    raise(SIGKILL);
    return 0;
}

/* The limit is the family's, and what the dead had comes back, whatever they were counted for. */
static void the_limit_is_for_all_together(void **state)
{
    assert_int_equal(plait_arena_set_limit(4 * MIB), 0);
    for (int round = 0; round < 20; round++) {
        assert_int_equal(test_wait_exit(test_fork(takes_all_there_is, NULL)), -SIGKILL);
        void *block = plait_alloc(4 * MIB);
        assert_non_null(block);
        assert_int_equal(plait_free(block), 0);
    }
}

/* Who was killed between counting and taking leaves a number that is too high; nobody is refused for that. */
static void a_count_that_is_too_high_refuses_nobody(void **state)
{
    assert_int_equal(plait_arena_set_limit(4 * MIB), 0);
    atomic_fetch_add(&plait__arena->used, 60);
    void *block = plait_alloc(4 * MIB);
    assert_non_null(block);
    assert_null(plait_alloc(1));
    assert_int_equal(plait_free(block), 0);
    assert_int_equal((uint32_t)atomic_load(&plait__arena->used), figures().used / 65536);
}

/* ---- huge blocks ---- */

static void a_huge_block_is_made_of_what_is_touched(void **state)
{
    const plait_arena_figures before = figures();
    assert_int_equal(plait_arena_set_limit(before.mapped), 0);
    const uint64_t size = before.mapped / 8 * 7;
    for (int round = 0; round < 2; round++) {
        char *block = plait_alloc(size);
        assert_non_null(block);
        assert_true(plait_block_size(block) >= size);
        for (uint64_t at = 0; at < size; at += size / 100) {
            assert_int_equal(block[at], 0);
            block[at] = 1;
        }
        assert_int_equal(block[size - 1], 0);
        assert_null(plait_alloc(size));
        assert_int_equal(figures().shared, plait_block_size(block));
        assert_true(figures().resident - before.resident < 64 * MIB);
        assert_int_equal(plait_free(block), 0);
        assert_int_equal(plait_free(block), PLAIT_ENOTOURS);
    }
    assert_int_equal(figures().used, before.used);
}

/* ---- giving back ---- */

static void freed_memory_goes_back_to_the_system(void **state)
{
    void *large = plait_alloc(100 * MIB);
    memset(large, 1, 100 * MIB);
    const uint64_t with = figures().resident;
    assert_int_equal(plait_free(large), 0);
    assert_true(figures().resident <= with - 100 * MIB);

    enum { SMALL = 100000 };
    static void *blocks[SMALL];
    for (int i = 0; i < SMALL; i++) memset(blocks[i] = plait_alloc(512), 1, 512);
    const uint64_t small = figures().resident;
    for (int i = 0; i < SMALL; i++) assert_int_equal(plait_free(blocks[i]), 0);
    assert_int_equal(plait_arena_trim(), 0);
    assert_true(figures().resident <= small - SMALL * 512);
    assert_int_equal(figures().used, 0);
}

static void a_buffer_that_comes_and_goes_keeps_its_pages(void **state)
{
    char *buffer = plait_message_alloc(MIB);
    memset(buffer, 1, MIB);
    assert_int_equal(plait_free(buffer), 0);
    assert_int_equal(figures().kept, MIB);
    assert_ptr_equal(plait_message_alloc(MIB), buffer);
    assert_int_equal(buffer[5000], 1);
    assert_int_equal(figures().kept, 0);
    assert_int_equal(plait_free(buffer), 0);
    assert_ptr_equal(plait_alloc(MIB), buffer);
    for (size_t i = 0; i < MIB; i++) assert_int_equal(buffer[i], 0);
    assert_int_equal(plait_free(buffer), 0);
    assert_int_equal(plait_free(buffer), PLAIT_ENOTOURS);
    assert_int_equal(plait_arena_trim(), 0);
    assert_int_equal(figures().kept, 0);
}

static void little_is_kept(void **state)
{
    void *blocks[40];
    for (int i = 0; i < 40; i++) memset(blocks[i] = plait_alloc(MIB + (size_t)i * 65536), 1, MIB);
    for (int i = 0; i < 40; i++) assert_int_equal(plait_free(blocks[i]), 0);
    assert_true(figures().kept > 0 && figures().kept <= 32 * MIB);
    assert_int_equal(figures().kept, figures().used);
    assert_int_equal(plait_arena_set_limit(MIB), 0);       /* memory is short: what is kept goes */
    void *block = plait_alloc(16);
    assert_non_null(block);
    assert_int_equal(figures().kept, 0);
    assert_int_equal(plait_free(block), 0);
}

/* ---- figures ---- */

static void the_figures_add_up(void **state)
{
    assert_int_equal(plait_arena_stats(NULL), -EINVAL);
    const plait_arena_figures none = figures();
    assert_int_equal(none.shared + none.owned + none.shared_blocks + none.owned_blocks + none.kept + none.used, 0);
    assert_int_equal(none.members, 1);
    void *a = plait_alloc(100), *b = plait_alloc(MIB), *c = plait_message_alloc(1000), *d = plait_message_alloc(2 * MIB);
    const plait_arena_figures some = figures();
    assert_int_equal(some.shared, 128 + MIB);
    assert_int_equal(some.owned, 1024 + 2 * MIB);
    assert_int_equal(some.shared_blocks, 2);
    assert_int_equal(some.owned_blocks, 2);
    assert_int_equal(some.used, 3 * MIB + 2 * 65536);
    assert_true(some.resident > 0 && some.limit > some.used && some.mapped >= some.limit);
    assert_int_equal(plait_free(a) + plait_free(b) + plait_free(c) + plait_free(d), 0);
}

static int has_a_megabyte(void *ready)
{
    CHECK(plait_message_alloc(MIB) && plait_message_alloc(100));
    atomic_store((_Atomic int *)ready, 1);
    for (;;) pause();
}

static void each_member_has_its_figures(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    _Atomic int *ready = test_shared(sizeof *ready);
    const pid_t child = test_fork(has_a_megabyte, ready);
    test_until_set(ready);
    plait_arena_member members[3];
    assert_int_equal(plait_arena_members(NULL, 0), 2);
    assert_int_equal(plait_arena_members(NULL, 1), -EINVAL);
    assert_int_equal(plait_arena_members(members, 3), 2);
    assert_int_equal(members[0].pid, getpid());
    assert_string_equal(members[0].name, "MainProcess");
    assert_int_equal(members[0].owned, 0);
    assert_int_equal(members[1].pid, child);
    assert_int_equal(members[1].tid, child);
    assert_int_equal(members[1].owned, MIB + 128);
    assert_int_equal(members[1].owned_blocks, 2);
    assert_int_equal(members[1].spans, 65536);
    test_kill(child);
    assert_int_equal(plait_arena_members(members, 3), 1);
    assert_int_equal(figures().owned, 0);
}

static void what_nobody_owns_is_told(void **state)
{
    void *small = plait_alloc(100), *large = plait_alloc(MIB);
    const uint32_t nobody = plait__self.slot + 1;
    plait_arena_figures now;
    assert_int_equal(plait__heap_retag(small, nobody), 0);
    assert_int_equal(plait_arena_stats(&now), 0);
    assert_int_equal(now.leaked, 128);
    assert_int_equal(plait__heap_retag(large, nobody), 0);
    assert_int_equal(plait_arena_stats(&now), 0);
    assert_int_equal(now.leaked, 128 + MIB);
    assert_int_equal(now.shared + now.owned, 0);
    assert_int_equal(plait_block_share(small) + plait_block_share(large), 0);
    assert_int_equal(plait_free(small) + plait_free(large), 0);
    assert_int_equal(plait_arena_trim(), 0);
    assert_int_equal(figures().used, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sizes_are_understood),
    cmocka_unit_test(the_environment_limits),
    cmocka_unit_test(nonsense_in_the_environment_is_told),
    cmocka_unit_test(control_groups_limit),
    cmocka_unit_test(the_limit_is_raised_and_lowered),
    cmocka_unit_test(impossible_limits_are_refused),
    cmocka_unit_test(the_limit_is_for_all_together),
    cmocka_unit_test(a_count_that_is_too_high_refuses_nobody),
    cmocka_unit_test(a_huge_block_is_made_of_what_is_touched),
    cmocka_unit_test(freed_memory_goes_back_to_the_system),
    cmocka_unit_test(a_buffer_that_comes_and_goes_keeps_its_pages),
    cmocka_unit_test(little_is_kept),
    cmocka_unit_test(the_figures_add_up),
    cmocka_unit_test(each_member_has_its_figures),
    cmocka_unit_test(what_nobody_owns_is_told),
};
TEST_MAIN(tests)
