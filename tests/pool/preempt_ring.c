/* Somebody who rings for the workers of a pool is held after every instruction while another hangs up a job and rings: as many
 * workers wake as the two jobs need. */
#include "preempt.h"

#include <limits.h>

#include <plait.h>

#include "family/wait.h"
#include "pool/board.h"

enum { WORKERS = 3 };

static struct plait__board *board;
static struct plait__job *jobs[2];
static struct member workers[WORKERS];
static int number;                                         /* of the worker that is started next */
static _Atomic int *there;                                 /* workers that are in a task */

static bool all_are_there(void *unused)
{
    return *there == WORKERS;
}

/* Each of the tasks needs a worker of its own. */
static int meet(const void *in, void *out, void *context)
{
    ++*there;
    test_until(all_are_there, NULL);
    return 0;
}

static int be_worker(void)
{
    struct plait__worker_start start = { .board = board, .number = number };
    return plait__worker(&start);
}

static struct plait__job *make_job(size_t chunks)
{
    static struct plait__function function;                /* the workers are forked later */
    struct plait__job *job = plait_alloc(sizeof *job + 64 * chunks);
    MUST(job);
    job->task_reference.function = &function;
    job->task_reference.size = (size_t)plait__function_describe((plait__code)meet, &function);
    job->chunk = 1;
    job->n = job->chunks = chunks;
    job->unfinished = (int64_t)chunks;
    return job;
}

static void set_up(void)
{
    if (!there) there = test_shared(sizeof *there);
    *there = 0;
    MUST(board = plait_alloc(sizeof *board + WORKERS * sizeof board->cells[0]));
    for (int i = 0; i < 2; i++) jobs[i] = make_job((size_t)i + 1);
    for (number = 0; number < WORKERS; number++) {
        workers[number] = member_start(be_worker);
        member_until_sleeps(&workers[number]);
    }
}

static void hang_up(int place)
{
    board->jobs[place] = jobs[place];
    plait__ring_workers(board, (int)jobs[place]->chunks);
}

static void first_rings(void) { hang_up(0); }
static void second_rings(void) { hang_up(1); }

static void workers_meet_and_end(void)
{
    test_soon(all_are_there, NULL, "a worker, beside a task that is waited for");
    board->closing = 1;
    board->bell += 2;
    plait__wake(&board->bell, INT_MAX);
    for (int i = 0; i < WORKERS; i++) MUST(member_wait(&workers[i], "a worker of a pool that ends") == 0);
}

static void check(void)
{
    for (int i = 0; i < 2; i++) MUST(jobs[i]->unfinished == 0 && jobs[i]->news > 0);
}

static void tear_down(void)
{
    for (int i = 0; i < 2; i++) MUST(plait_free(jobs[i]) == 0);
    MUST(plait_free(board) == 0);
}

static const struct preempt_case ring_ring = {
    .first = { .run = first_rings }, .second = second_rings,
    .set_up = set_up, .both_done = workers_meet_and_end, .check = check, .tear_down = tear_down,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(ring_ring),
};

TEST_MAIN(tests)
