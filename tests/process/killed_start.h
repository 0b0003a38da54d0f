/* killed_start.h - for tests that kill somebody in the middle of a start: starts to be stepped through, and whether all is as it
 * was before. */
#ifndef PLAIT_TEST_KILLED_START_H
#define PLAIT_TEST_KILLED_START_H

#include "kill.h"

#include <plait.h>

#include "arena/heap.h"
#include "family/roster.h"
#include "host.h"
#include "program.h"

/* ---- starts ---- */

static inline int return_7(void *unused)
{
    (void)unused;
    return 7;
}

static inline void end_one(plait_process *process, int exitcode)
{
    CHECK(process && plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == exitcode && plait_process_free(process) == 0);
}

static inline void run_one(const plait_process_options *options)
{
    end_one(plait_start(return_7, NULL, 0, options), 7);
}

/* Of a member that is told to. */
static inline int start_and_join(void)
{
    run_one(NULL);
    return 0;
}

/* A forkserver with one child in its stock, which sleeps in its seat: its number. */
static inline pid_t start_server_and_sit(void)
{
    pid_t sitting;
    CHECK(plait_forkserver_start(&(plait_forkserver_options){ .stock = 1 }) == 0);
    CHECK(program_children(plait_forkserver_pid(), &sitting, 1) == 1);
    test_until_sleeps(sitting);
    return sitting;
}

/* ---- what there is ---- */

static struct {
    int members;
    uint32_t slots;
    size_t blocks;
} there_was;

static inline uint32_t slots_in_use(void)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i <= atomic_load(&plait__roster->made); i++) count += atomic_load(plait__pulse_word(i)) != 0;
    return count;
}

static inline void note_what_there_is(void)
{
    there_was.members = plait_member_count();
    there_was.slots = slots_in_use();
    there_was.blocks = plait__heap_count(0);
}

static inline bool slots_are_as_before(void *unused)
{
    (void)unused;
    if (slots_in_use() == there_was.slots) return true;
    member_sleep();
    return false;
}

/* The slots of the dead are free, and their memory; but for so many blocks that each death may leave. */
static inline void all_must_be_as_before(size_t blocks_left)
{
    test_soon(slots_are_as_before, NULL, "a slot of the dead");
    MUST(plait_member_count() == there_was.members);
    MUST(plait__heap_count(0) <= there_was.blocks + blocks_left);
}

#endif
