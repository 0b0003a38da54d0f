/* Locks and allocators, alone and with company. */
#include "bench.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include <plait.h>

#define PAIRS 3000000L

/* ---- locks: acquire and release ---- */

static void plait_pairs(void *lock, int i)
{
    (void)i;
    for (long n = 0; n < PAIRS; n++) {
        NEED(plait_lock_acquire(lock, PLAIT_FOREVER) == 0);
        plait_lock_release(lock);
    }
}

static void pthread_pairs(void *mutex, int i)
{
    (void)i;
    for (long n = 0; n < PAIRS; n++) {
        pthread_mutex_lock(mutex);
        pthread_mutex_unlock(mutex);
    }
}

static void sem_pairs(void *semaphore, int i)
{
    (void)i;
    for (long n = 0; n < PAIRS; n++) {
        while (sem_wait(semaphore) < 0) {}
        sem_post(semaphore);
    }
}

static void plait_semaphore_pairs(void *semaphore, int i)
{
    (void)i;
    for (long n = 0; n < PAIRS; n++) {
        NEED(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) == 0);
        plait_semaphore_release(semaphore);
    }
}

static pthread_mutex_t *new_mutex(int robust)
{
    pthread_mutex_t *mutex = shared(sizeof *mutex);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutex_init(mutex, &attributes);
    return mutex;
}

static sem_t *new_semaphore(void)
{
    sem_t *semaphore = shared(sizeof *semaphore);
    sem_init(semaphore, 1, 1);
    return semaphore;
}

static double pairs(int count, void (*body)(void *lock, int i), void *lock)
{
    return together(count, body, lock) / (double)(count * PAIRS) * 1e9;
}

static double plait_1(void) { return pairs(1, plait_pairs, plait_lock_new()); }
static double plait_2(void) { return pairs(2, plait_pairs, plait_lock_new()); }
static double pthread_1(void) { return pairs(1, pthread_pairs, new_mutex(PTHREAD_MUTEX_STALLED)); }
static double pthread_2(void) { return pairs(2, pthread_pairs, new_mutex(PTHREAD_MUTEX_STALLED)); }
static double robust_1(void) { return pairs(1, pthread_pairs, new_mutex(PTHREAD_MUTEX_ROBUST)); }
static double robust_2(void) { return pairs(2, pthread_pairs, new_mutex(PTHREAD_MUTEX_ROBUST)); }
static double semaphore_1(void) { return pairs(1, plait_semaphore_pairs, plait_semaphore_new(1)); }
static double bounded_1(void) { return pairs(1, plait_semaphore_pairs, plait_bounded_semaphore_new(1)); }
static double owned_1(void) { return pairs(1, plait_semaphore_pairs, plait_owned_semaphore_new(4)); }
static double sem_1(void) { return pairs(1, sem_pairs, new_semaphore()); }
static double sem_2(void) { return pairs(2, sem_pairs, new_semaphore()); }

/* ---- memory: allocate and free ---- */

static void plait_blocks(void *unused, int i)
{
    (void)unused, (void)i;
    for (long n = 0; n < PAIRS; n++) plait_free(plait_alloc(64));
}

static void malloc_blocks(void *unused, int i)
{
    (void)unused, (void)i;
    for (long n = 0; n < PAIRS; n++) {
        void *block = malloc(64);
        __asm__ volatile("" : : "r"(block) : "memory");    /* or the compiler takes both away */
        free(block);
    }
}

/* A buffer, filled and freed again. */
#define BUFFERS 3000L
#define BUFFER_SIZE ((size_t)1 << 20)

static void use_buffer(char *buffer)
{
    NEED(buffer);
    for (size_t at = 0; at < BUFFER_SIZE; at += 4096) ((volatile char *)buffer)[at] = 1;
}

static void plait_buffers(void *unused, int i)
{
    (void)unused, (void)i;
    for (long n = 0; n < BUFFERS; n++) {
        char *buffer = plait_message_alloc(BUFFER_SIZE);
        use_buffer(buffer);
        plait_free(buffer);
    }
}

static void malloc_buffers(void *unused, int i)
{
    (void)unused, (void)i;
    for (long n = 0; n < BUFFERS; n++) {
        char *buffer = malloc(BUFFER_SIZE);
        use_buffer(buffer);
        free(buffer);
    }
}

static void plait_zeroed_buffers(void *unused, int i)
{
    (void)unused, (void)i;
    for (long n = 0; n < BUFFERS; n++) {
        char *buffer = plait_alloc(BUFFER_SIZE);
        use_buffer(buffer);
        plait_free(buffer);
    }
}

static void calloc_buffers(void *unused, int i)
{
    (void)unused, (void)i;
    for (long n = 0; n < BUFFERS; n++) {
        char *buffer = calloc(1, BUFFER_SIZE);
        use_buffer(buffer);
        free(buffer);
    }
}

static double plait_1MiB(void) { return together(1, plait_buffers, NULL) / BUFFERS * 1e9; }
static double malloc_1MiB(void) { return together(1, malloc_buffers, NULL) / BUFFERS * 1e9; }
static double plait_zeroed_1MiB(void) { return together(1, plait_zeroed_buffers, NULL) / BUFFERS * 1e9; }
static double calloc_1MiB(void) { return together(1, calloc_buffers, NULL) / BUFFERS * 1e9; }

static double plait_memory(void) { return together(1, plait_blocks, NULL) / PAIRS * 1e9; }
static double malloc_memory(void) { return together(1, malloc_blocks, NULL) / PAIRS * 1e9; }

static const struct bench benches[] = {
    { "lock-uncontended", "plait", "ns", plait_1 },
    { "lock-uncontended", "pthread", "ns", pthread_1 },
    { "lock-uncontended", "pthread-robust", "ns", robust_1 },
    { "lock-uncontended", "sem_t", "ns", sem_1 },
    { "lock-contended-2", "plait", "ns", plait_2 },
    { "lock-contended-2", "pthread", "ns", pthread_2 },
    { "lock-contended-2", "pthread-robust", "ns", robust_2 },
    { "lock-contended-2", "sem_t", "ns", sem_2 },
    { "semaphore-uncontended", "plait", "ns", semaphore_1 },
    { "semaphore-uncontended", "plait-bounded", "ns", bounded_1 },
    { "semaphore-uncontended", "plait-owned", "ns", owned_1 },
    { "semaphore-uncontended", "sem_t", "ns", sem_1 },
    { "alloc-free-64B", "plait", "ns", plait_memory },
    { "alloc-free-64B", "malloc", "ns", malloc_memory },
    { "alloc-touch-free-1MiB", "plait", "ns", plait_1MiB },
    { "alloc-touch-free-1MiB", "malloc", "ns", malloc_1MiB },
    { "alloc-zeroed-1MiB", "plait", "ns", plait_zeroed_1MiB },
    { "alloc-zeroed-1MiB", "calloc", "ns", calloc_1MiB },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
