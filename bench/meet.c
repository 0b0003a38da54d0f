/* Two processes that wait for each other: by a condition, at a barrier. */
#include "bench.h"

#include <pthread.h>

#include <plait.h>

#define TRIPS 100000L
#define MEETINGS 300000L

/* ---- a turn that goes there and back ---- */

struct plait_turn {
    plait_condition changed;
    long turn;
};

static void plait_play(void *argument, int i)
{
    struct plait_turn *court = argument;
    for (long n = 0; n < TRIPS; n++) {
        NEED(plait_condition_acquire(&court->changed, PLAIT_FOREVER) == 0);
        while (court->turn % 2 != i) NEED(plait_condition_wait(&court->changed, PLAIT_FOREVER) == 0);
        court->turn++;
        plait_condition_notify(&court->changed, 1);
        plait_condition_release(&court->changed);
    }
}

static double plait_pingpong(void)
{
    return together(2, plait_play, plait_alloc(sizeof(struct plait_turn))) / TRIPS * 1e6;
}

struct pthread_turn {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    long turn;
};

static void pthread_play(void *argument, int i)
{
    struct pthread_turn *court = argument;
    for (long n = 0; n < TRIPS; n++) {
        pthread_mutex_lock(&court->mutex);
        while (court->turn % 2 != i) pthread_cond_wait(&court->changed, &court->mutex);
        court->turn++;
        pthread_cond_signal(&court->changed);
        pthread_mutex_unlock(&court->mutex);
    }
}

static double pthread_pingpong(void)
{
    struct pthread_turn *court = shared(sizeof *court);
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&court->mutex, &mutex);
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&court->changed, &condition);
    return together(2, pthread_play, court) / TRIPS * 1e6;
}

/* ---- meetings ---- */

static void plait_meet(void *barrier, int i)
{
    (void)i;
    for (long n = 0; n < MEETINGS; n++) NEED(plait_barrier_wait(barrier, PLAIT_FOREVER) >= 0);
}

static double plait_barrier_2(void)
{
    return together(2, plait_meet, plait_barrier_new(2, NULL)) / MEETINGS * 1e6;
}

static void pthread_meet(void *barrier, int i)
{
    (void)i;
    for (long n = 0; n < MEETINGS; n++) pthread_barrier_wait(barrier);
}

static double pthread_barrier_2(void)
{
    pthread_barrier_t *barrier = shared(sizeof *barrier);
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(barrier, &attributes, 2);
    return together(2, pthread_meet, barrier) / MEETINGS * 1e6;
}

static const struct bench benches[] = {
    { "condition-pingpong-two-cores", "plait", "us", plait_pingpong },
    { "condition-pingpong-two-cores", "pthread", "us", pthread_pingpong },
    { "barrier-2", "plait", "us", plait_barrier_2 },
    { "barrier-2", "pthread", "us", pthread_barrier_2 },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
