/* Locks that their holder may acquire again, and locks for many readers. */
#include "bench.h"

#include <pthread.h>

#include <plait.h>

#define PAIRS 3000000L

/* ---- acquired again: twice, and released twice, as nested calls do ---- */

static void plait_nested(void *lock, int i)
{
    (void)i;
    for (long n = 0; n < PAIRS; n++) {
        NEED(plait_rlock_acquire(lock, PLAIT_FOREVER) == 0);
        NEED(plait_rlock_acquire(lock, PLAIT_FOREVER) == 0);
        plait_rlock_release(lock);
        plait_rlock_release(lock);
    }
}

static void plait_alone(void *lock, int i)
{
    (void)i;
    for (long n = 0; n < PAIRS; n++) {
        NEED(plait_rlock_acquire(lock, PLAIT_FOREVER) == 0);
        plait_rlock_release(lock);
    }
}

static void pthread_nested(void *mutex, int i)
{
    (void)i;
    for (long n = 0; n < PAIRS; n++) {
        for (int level = 0; level < 2; level++) pthread_mutex_lock(mutex);
        for (int level = 0; level < 2; level++) pthread_mutex_unlock(mutex);
    }
}

static void pthread_alone(void *mutex, int i)
{
    (void)i;
    for (long n = 0; n < PAIRS; n++) {
        pthread_mutex_lock(mutex);
        pthread_mutex_unlock(mutex);
    }
}

static pthread_mutex_t *new_mutex(void)
{
    pthread_mutex_t *mutex = shared(sizeof *mutex);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(mutex, &attributes);
    return mutex;
}

/* ---- reading ---- */

static void plait_reads(void *lock, int i)
{
    (void)i;
    for (long n = 0; n < PAIRS; n++) {
        NEED(plait_rwlock_acquire_read(lock, PLAIT_FOREVER) == 0);
        plait_rwlock_release(lock);
    }
}

static void pthread_reads(void *lock, int i)
{
    (void)i;
    for (long n = 0; n < PAIRS; n++) {
        pthread_rwlock_rdlock(lock);
        pthread_rwlock_unlock(lock);
    }
}

static pthread_rwlock_t *new_rwlock(void)
{
    pthread_rwlock_t *lock = shared(sizeof *lock);
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(lock, &attributes);
    return lock;
}

static double pairs(int count, void (*body)(void *lock, int i), void *lock)
{
    return together(count, body, lock) / (double)(count * PAIRS) * 1e9;
}

static double plait_one(void) { return pairs(1, plait_alone, plait_rlock_new()); }
static double pthread_one(void) { return pairs(1, pthread_alone, new_mutex()); }
static double plait_two_levels(void) { return pairs(1, plait_nested, plait_rlock_new()); }
static double pthread_two_levels(void) { return pairs(1, pthread_nested, new_mutex()); }
static double plait_read_1(void) { return pairs(1, plait_reads, plait_rwlock_new(NULL)); }
static double pthread_read_1(void) { return pairs(1, pthread_reads, new_rwlock()); }
static double plait_read_2(void) { return pairs(2, plait_reads, plait_rwlock_new(NULL)); }
static double pthread_read_2(void) { return pairs(2, pthread_reads, new_rwlock()); }

static const struct bench benches[] = {
    { "rlock-uncontended", "plait", "ns", plait_one },
    { "rlock-uncontended", "pthread", "ns", pthread_one },
    { "rlock-nested", "plait", "ns", plait_two_levels },
    { "rlock-nested", "pthread", "ns", pthread_two_levels },
    { "rwlock-read", "plait", "ns", plait_read_1 },
    { "rwlock-read", "pthread", "ns", pthread_read_1 },
    { "rwlock-read-2", "plait", "ns", plait_read_2 },
    { "rwlock-read-2", "pthread", "ns", pthread_read_2 },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
