/* base/atomics.h - what the other rooms say about memory order, in one place.
 *
 * Two kinds of observer exist.  A living one needs the usual acquire and release.  One that looks after our death needs less:
 * the kernel marks the pulse after all our stores, so it is enough that the compiler keeps their order (plait__in_order).
 */
#ifndef PLAIT_BASE_ATOMICS_H
#define PLAIT_BASE_ATOMICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PLAIT__LIKELY(x) __builtin_expect(!!(x), 1)
#define PLAIT__UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The stores before stand in memory before the stores after, for whoever looks after the death of this thread. */
#define plait__in_order() atomic_signal_fence(memory_order_seq_cst)

/* One turn of a spinning loop. */
static inline void plait__relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("isb");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* A user's program under ThreadSanitizer sees what our words order, although this library is not instrumented.
 * Both are NULL everywhere else. */
extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

static inline void plait__tsan_acquire(void *word)
{
    if (PLAIT__UNLIKELY(__tsan_acquire != 0)) __tsan_acquire(word);
}

static inline void plait__tsan_release(void *word)
{
    if (PLAIT__UNLIKELY(__tsan_release != 0)) __tsan_release(word);
}

#endif
