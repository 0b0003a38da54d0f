/* base/futex.h - the kernel's wait and wake on a word of shared memory.  Only family/wait.c sleeps by it. */
#ifndef PLAIT_BASE_FUTEX_H
#define PLAIT_BASE_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* The 32-bit word that the kernel compares. */
typedef _Atomic uint32_t plait__word;

/* One of the words of plait__futex_wait_many; the kernel's struct futex_waitv, which older headers lack. */
struct plait__futex {
    uint64_t expected;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

#define PLAIT__FUTEX_MANY_MAX 128

/* Sleep while *word == expected, until somebody wakes it or the moment `until` (CLOCK_MONOTONIC; 0: for ever).
 * 0, -EAGAIN (it was not equal), -ETIMEDOUT, -EINTR. */
int plait__futex_wait(plait__word *word, uint32_t expected, int64_t until);

/* The same for up to 128 words, made by plait__futex_entry.  0 when any was woken; -ENOSYS before Linux 5.16
 * and in sandboxes that refuse it. */
int plait__futex_wait_many(const struct plait__futex *words, unsigned count, int64_t until);

struct plait__futex plait__futex_entry(const plait__word *word, uint32_t expected);

/* Wake at most `count` sleepers; returns how many. */
int plait__futex_wake(plait__word *word, int count);

/* The half of a 64-bit word that holds its low bits, for sleeping on it. */
static inline plait__word *plait__low_half(_Atomic uint64_t *word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (plait__word *)word;
#else
    return (plait__word *)word + 1;
#endif
}

#endif
