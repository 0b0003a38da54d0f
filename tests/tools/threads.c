/* A user's program with threads, for tools/check-threads: it runs under ThreadSanitizer, with the library instrumented and as it
 * is, and under valgrind.  Two producers and two consumers share a queue, a counter with a lock in it, and blocks that one thread
 * allocates and another frees; then the threaded program starts a process and a pool.  Exit status 0: all right. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <plait.h>

#define MESSAGES 1000
#define CHECK(condition) do { if (!(condition)) { fprintf(stderr, "%d: %s\n", __LINE__, #condition); return 1; } } while (0)

struct shared {
    plait_lock lock;
    long sum;                                              /* guarded by lock, and by nothing else */
    plait_queue *blocks;
};

struct block {
    long number;
    char text[100];
};

static void *produce(void *argument)
{
    struct shared *shared = argument;
    for (long i = 0; i < MESSAGES; i++) {
        struct block *block = plait_alloc(sizeof *block);
        if (!block) return "no memory";
        block->number = i;
        memset(block->text, (int)(i & 127), sizeof block->text);
        if (plait_queue_put(shared->blocks, &block, sizeof block, PLAIT_FOREVER) < 0) return "put";
    }
    return NULL;
}

static void *consume(void *argument)
{
    struct shared *shared = argument;
    struct block *block;
    while (plait_queue_get(shared->blocks, &block, sizeof block, PLAIT_FOREVER) >= 0) {
        if (block->text[0] != (block->number & 127) || block->text[99] != (block->number & 127)) return "torn";
        if (plait_lock_acquire(&shared->lock, PLAIT_FOREVER) != 0) return "acquire";
        shared->sum += block->number;
        if (plait_lock_release(&shared->lock) != 0) return "release";
        if (plait_free(block) != 0) return "free";
    }
    return NULL;
}

static int threads(void)
{
    struct shared *shared = plait_alloc(sizeof *shared);
    CHECK(shared);
    shared->blocks = plait_queue_new(&(plait_queue_options){ .capacity = 1024 });      /* short, so that both sides wait */
    CHECK(shared->blocks);
    pthread_t producers[2], consumers[2];
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&consumers[i], NULL, consume, shared) == 0);
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&producers[i], NULL, produce, shared) == 0);
    void *wrong;
    for (int i = 0; i < 2; i++) CHECK(pthread_join(producers[i], &wrong) == 0 && !wrong);
    CHECK(plait_queue_close(shared->blocks) == 0);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(consumers[i], &wrong) == 0 && !wrong);
    CHECK(shared->sum == 2 * (MESSAGES - 1L) * MESSAGES / 2);
    CHECK(plait_queue_free(shared->blocks) == 0 && plait_free(shared) == 0);
    return 0;
}

static int answer(void *argument)
{
    return *(int *)argument + 1;
}

static int processes(void)
{
    int number = 41;
    plait_process *process = plait_start(answer, &number, sizeof number, NULL);
    CHECK(process);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == 42);
    CHECK(plait_process_free(process) == 0);
    return 0;
}

static int square(const void *in, void *out, void *context)
{
    (void)context;
    *(int *)out = *(const int *)in * *(const int *)in;
    return 0;
}

static int pool(void)
{
    int in[100], out[100];
    for (int i = 0; i < 100; i++) in[i] = i;
    plait_pool *workers = plait_pool_new(&(plait_pool_options){ .workers = 2 });
    CHECK(workers);
    CHECK(plait_pool_map(workers, square, in, sizeof in[0], out, sizeof out[0], 100, NULL) == 0);
    for (int i = 0; i < 100; i++) CHECK(out[i] == i * i);
    plait_pool_free(workers);
    return 0;
}

int main(void)
{
    return threads() || processes() || pool();
}
