/* One function over an array, on two workers: plait's pool beside OpenMP's threads. */
#include "bench.h"

#include <omp.h>
#include <stdint.h>
#include <stdlib.h>

#include <plait.h>

enum { WORKERS = 2 };

static int add_one(const void *in, void *out, void *context)
{
    (void)context;
    *(long *)out = *(const long *)in + 1;
    return 0;
}

/* Work for about 50 microseconds. */
static int work_50us(const void *in, void *out, void *context)
{
    (void)context;
    double until = now() + 50e-6;
    while (now() < until) {}
    *(long *)out = *(const long *)in;
    return 0;
}

static long *numbers(size_t n)
{
    long *array = plait_alloc(n * sizeof *array);
    NEED(array);
    for (size_t i = 0; i < n; i++) array[i] = (long)i;
    return array;
}

/* Nanoseconds for each task; the pool and its workers are there already. */
static double plait_map(plait_task task, size_t n, size_t chunk)
{
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .workers = WORKERS });
    NEED(pool);
    long *in = numbers(n), *out = plait_alloc(n * sizeof *out);
    plait_map_options options = { .chunk = chunk };
    NEED(plait_pool_map(pool, task, in, sizeof *in, out, sizeof *out, 64, &options) == 0);
    double begin = now();
    NEED(plait_pool_map(pool, task, in, sizeof *in, out, sizeof *out, n, &options) == 0);
    double seconds = now() - begin;
    plait_pool_free(pool);
    return seconds / (double)n * 1e9;
}

static double openmp_map(plait_task task, size_t n, int chunk)
{
    long *in = numbers(n), *out = plait_alloc(n * sizeof *out);
    omp_set_num_threads(WORKERS);
    omp_set_schedule(chunk ? omp_sched_dynamic : omp_sched_static, chunk);
    double begin = 0;
    for (int round = 0; round < 2; round++) {              /* the first starts the threads */
        size_t count = round ? n : 64;
        begin = now();
#pragma omp parallel for schedule(runtime)
        for (size_t i = 0; i < count; i++) task(&in[i], &out[i], NULL);
    }
    return (now() - begin) / (double)n * 1e9;
}

#define TRIVIAL 2000000u
#define LONG 4000u

/* What a task costs beside its 50 us, in microseconds, on one of the workers. */
static double overhead(double ns_each)
{
    return ns_each * WORKERS / 1e3 - 50;
}

static double plait_chunk1(void) { return plait_map(add_one, TRIVIAL, 1); }
static double plait_auto(void) { return plait_map(add_one, TRIVIAL, 0); }
static double plait_50us(void) { return overhead(plait_map(work_50us, LONG, 1)); }
static double openmp_chunk1(void) { return openmp_map(add_one, TRIVIAL, 1); }
static double openmp_auto(void) { return openmp_map(add_one, TRIVIAL, 0); }
static double openmp_50us(void) { return overhead(openmp_map(work_50us, LONG, 1)); }

static const struct bench benches[] = {
    { "pool-map-trivial-chunk1", "plait", "ns", plait_chunk1 },
    { "pool-map-trivial-chunk1", "openmp", "ns", openmp_chunk1 },
    { "pool-map-trivial-auto", "plait", "ns", plait_auto },
    { "pool-map-trivial-auto", "openmp", "ns", openmp_auto },
    { "pool-map-50us", "plait", "us", plait_50us },
    { "pool-map-50us", "openmp", "us", openmp_50us },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
