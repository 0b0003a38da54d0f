#include "base/futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fault.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449                               /* the same number on every architecture */
#endif
#define FUTEX_SIZE_32 2                                   /* struct futex_waitv: a 32-bit word, shared between processes */

int plait__futex_wait(plait__word *word, uint32_t expected, int64_t until)
{
    struct timespec moment = plait__timespec(until);
    long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, until ? &moment : NULL, NULL,
                          FUTEX_BITSET_MATCH_ANY);
    return result < 0 ? -errno : 0;
}

int plait__futex_wait_many(const struct plait__futex *words, unsigned count, int64_t until)
{
    if (plait__without(PLAIT__WITHOUT_WAITV)) return -ENOSYS;
    struct timespec moment = plait__timespec(until);
    long result = syscall(SYS_futex_waitv, words, count, 0, until ? &moment : NULL, CLOCK_MONOTONIC);
    if (result >= 0) return 0;
    return errno == EPERM ? -ENOSYS : -errno;              /* some sandboxes refuse what they do not know */
}

struct plait__futex plait__futex_entry(const plait__word *word, uint32_t expected)
{
    return (struct plait__futex){ .expected = expected, .address = (uintptr_t)word, .flags = FUTEX_SIZE_32 };
}

int plait__futex_wake(plait__word *word, int count)
{
    long result = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
    return result < 0 ? 0 : (int)result;
}
