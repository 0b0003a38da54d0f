/* Two processes wake each other by events, on one core or on two: each sets the other's, waits for its own and clears it. */
#include "bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <plait.h>

enum { TRIPS = 20000 };

struct court {
    void (*set)(void *event);
    void (*wait_and_clear)(void *event);
    void *events[2];
    bool one_core;
};

static void play(void *argument, int i)
{
    const struct court *court = argument;
    if (court->one_core) pin(0);
    for (int n = 0; n < TRIPS; n++) {
        if (i == 0) court->set(court->events[0]);
        court->wait_and_clear(court->events[!i]);
        if (i == 1) court->set(court->events[1]);
    }
}

/* Microseconds of one trip there and back. */
static double round_trip(struct court *court, bool one_core)
{
    court->one_core = one_core;
    return together(2, play, court) / TRIPS * 1e6;
}

/* ---- plait ---- */

static void plait_set_event(void *event)
{
    NEED(plait_event_set(event) == 0);
}

static void plait_wait_and_clear(void *event)
{
    NEED(plait_event_wait(event, PLAIT_FOREVER) == 0);
    NEED(plait_event_clear(event) == 0);
}

static double by_plait(bool one_core)
{
    struct court court = { plait_set_event, plait_wait_and_clear, { plait_event_new(), plait_event_new() }, false };
    return round_trip(&court, one_core);
}

/* ---- a bare futex: what a program writes by hand ---- */

static void futex_set(void *word)
{
    atomic_store((_Atomic uint32_t *)word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void futex_wait_and_clear(void *word)
{
    while (!atomic_load((_Atomic uint32_t *)word)) syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
    atomic_store((_Atomic uint32_t *)word, 0);
}

static double by_futex(bool one_core)
{
    struct court court = { futex_set, futex_wait_and_clear, { shared(64), shared(64) }, false };
    return round_trip(&court, one_core);
}

/* ---- a flag with a mutex and a condition ---- */

struct flag {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool set;
};

static struct flag *new_flag(void)
{
    struct flag *flag = shared(sizeof *flag);
    pthread_mutexattr_t mutex;
    pthread_condattr_t cond;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&flag->mutex, &mutex);
    pthread_condattr_init(&cond);
    pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&flag->cond, &cond);
    return flag;
}

static void pthread_set(void *argument)
{
    struct flag *flag = argument;
    pthread_mutex_lock(&flag->mutex);
    flag->set = true;
    pthread_cond_broadcast(&flag->cond);
    pthread_mutex_unlock(&flag->mutex);
}

static void pthread_wait_and_clear(void *argument)
{
    struct flag *flag = argument;
    pthread_mutex_lock(&flag->mutex);
    while (!flag->set) pthread_cond_wait(&flag->cond, &flag->mutex);
    flag->set = false;
    pthread_mutex_unlock(&flag->mutex);
}

static double by_pthread(bool one_core)
{
    struct court court = { pthread_set, pthread_wait_and_clear, { new_flag(), new_flag() }, false };
    return round_trip(&court, one_core);
}

#define BOTH(name)                                         \
    static double name##_one(void) { return by_##name(true); } \
    static double name##_two(void) { return by_##name(false); }
BOTH(plait)
BOTH(futex)
BOTH(pthread)

static const struct bench benches[] = {
    { "event-pingpong-one-core", "plait", "us", plait_one },
    { "event-pingpong-one-core", "futex", "us", futex_one },
    { "event-pingpong-one-core", "pthread", "us", pthread_one },
    { "event-pingpong-two-cores", "plait", "us", plait_two },
    { "event-pingpong-two-cores", "futex", "us", futex_two },
    { "event-pingpong-two-cores", "pthread", "us", pthread_two },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
