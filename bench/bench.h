/* bench.h - what all benchmark programs share: a list of measurements, who runs on which CPU, clocks.
 *
 *     static double with_pipe(void) { ... return messages / seconds; }
 *     static const struct bench benches[] = { { "queue-8B-1p1c", "pipe", "msg/s", with_pipe } };
 *     int main(int argc, char **argv) { return BENCH_MAIN(benches, argc, argv); }
 *
 * `prog --list` prints "row, system, unit" for each; `prog ROW SYSTEM` measures once and prints the figure.  tools/bench runs the
 * systems of a row in turn, several times, and takes medians.
 */
#ifndef PLAIT_BENCH_H
#define PLAIT_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench {
    const char *row, *system;
    const char *unit;                                      /* "ns", "us", "ms", "s": less is better; all others are rates */
    double (*run)(void);
};

int bench_main(const struct bench *benches, size_t count, int argc, char **argv);
#define BENCH_MAIN(benches, argc, argv) bench_main(benches, sizeof(benches) / sizeof((benches)[0]), argc, argv)

/* Seconds of CLOCK_MONOTONIC. */
double now(void);

/* Stay on the nth of the CPUs that this program may use, counted round and round. */
void pin(int n);

/* Memory that children share; zeroed. */
void *shared(size_t size);

/* Have so many bytes of private memory, in use; nothing for 0. */
void grow(size_t bytes);
#define GIB ((size_t)1 << 30)

/* Leave with a message if something that a benchmark relies on failed. */
__attribute__((noreturn)) void broken(const char *what);
#define NEED(condition) ((condition) ? (void)0 : broken(#condition))

/* Run body(argument, i) in `count` processes, the ith on CPU i; all begin together.  Seconds from the first's begin to the last's
 * end. */
double together(int count, void (*body)(void *argument, int i), void *argument);

/* ---- streams: messages from producers to consumers ---- */

struct stream {
    void *(*open)(size_t size);                            /* a channel for messages of so many bytes */
    void (*produce)(void *channel, size_t size, long n);
    void (*consume)(void *channel, size_t size, long n);
    void (*close)(void *channel);
};

/* Messages per second of so many producers and consumers; the even CPUs produce.  n: messages of each producer. */
double stream_rate(const struct stream *stream, int pairs, size_t size, long n);

#ifdef __cplusplus
}
#endif
#endif
