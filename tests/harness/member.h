/* member.h - other members of the family, for tests in which somebody dies: who they are, when they sleep, how they end.
 *
 * The tester is a member itself (its slot is made by test_family), so that the children find the arena.
 */
#ifndef PLAIT_TEST_MEMBER_H
#define PLAIT_TEST_MEMBER_H

#include "harness.h"

#include <plait/queue.h>

struct member {
    pid_t pid;
    uint32_t slot;
};

/* Make the family, small, on one CPU, where single steps are much faster, and without spins. */
void test_family(void);

/* Fork a process that joins the family and runs body().  Returns when it has joined.
 * After body() it stays a member until it is told to leave: whoever leaves wakes those who watch its pulse, and that would help
 * a test over a wake-up that was lost. */
struct member member_start(int (*body)(void));

/* Wait until its body has returned, at most 10 s: the result; or, if it has killed itself, minus the signal.  After 10 s the test
 * fails; `what` says who is stuck. */
int member_wait(const struct member *member, const char *what);

/* Let it leave, and wait for its end. */
void member_leave(const struct member *member);

/* The same for all that were started and are still there. */
void member_all_leave(void);

/* Start, wait, leave: body() must return 0. */
void member_run(int (*body)(void), const char *what);

/* Wait until it sleeps in plait, and in the long sleep that watches the others if the kernel has that. */
void member_until_sleeps(const struct member *member);

/* Does it sleep there now? */
bool member_sleeps(const struct member *member);

/* Stop it as a debugger or job control would.  Returns when it has stopped. */
void member_stop(const struct member *member);
void member_continue(const struct member *member);

/* Kill it, and return when it is gone; its slot is not yet repaired. */
void member_kill(const struct member *member);

/* A member that waits for a message on a queue of its own, for ever: it shares nothing with the test but the family. */
struct member member_bystander(void);

/* Sleep in plait for 2 ms, as a member who has nothing else to do would: so it repairs. */
void member_sleep(void);

/* Sleep in plait until the slot has been repaired and is free, as a member who has nothing else to do would. */
void member_until_repaired(uint32_t slot);

/* Poll until the condition holds, at most 10 s.  Then the test fails. */
void test_soon(bool (*condition)(void *argument), void *argument, const char *what);

/* As an assertion, but it tells where the test was: test_where says that, e.g. the number of the instruction. */
extern long test_where[2];
#define MUST(condition)                                                                               \
    do {                                                                                              \
        if (!(condition)) test_must_failed(__FILE__, __LINE__, #condition);                           \
    } while (0)
__attribute__((noreturn)) void test_must_failed(const char *file, int line, const char *condition);

#endif
