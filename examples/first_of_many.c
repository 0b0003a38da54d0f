/* first_of_many - the main process waits for whatever comes first: results of three workers, lines from standard input, or the end
 * of a worker that has been given something it can't do.
 *
 * Each line that is a number is given to the workers, which square it; a worker that gets 0 dies of it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plait.h>

enum { WORKERS = 3 };

struct work {
    plait_queue *numbers, *squares;
};

static int square_all(void *argument)
{
    const struct work *work = argument;
    int number;
    while (plait_queue_get(work->numbers, &number, sizeof number, PLAIT_FOREVER) >= 0) {
        if (number == 0) return 3;
        number *= number;
        if (plait_queue_put(work->squares, &number, sizeof number, PLAIT_FOREVER) < 0) return 1;
    }
    return 0;
}

static int complain(const char *what)
{
    fprintf(stderr, "first_of_many: %s: %s\n", what, plait_error_detail());
    return 1;
}

/* The next line, as a number; at the end of the input nobody is given any more. */
static void read_number(plait_waitable *input, const struct work *work)
{
    char line[64];
    if (fgets(line, sizeof line, stdin)) {
        const int number = atoi(line);
        if (plait_queue_put(work->numbers, &number, sizeof number, PLAIT_FOREVER) < 0) complain("put");
    } else {
        plait_queue_close(work->numbers);
        input->kind = PLAIT_WAIT_NOTHING;
    }
}

static void print_square(plait_queue *squares)
{
    int square;
    if (plait_queue_get(squares, &square, sizeof square, PLAIT_NOW) == sizeof square) printf("%d\n", square);
    fflush(stdout);
}

/* Until all workers have ended, and all that they have made is printed. */
static int serve(const struct work *work, plait_process *workers[])
{
    plait_waitable things[2 + WORKERS] = {
        { PLAIT_WAIT_QUEUE, .object = work->squares },
        { PLAIT_WAIT_FD, .fd = 0, .events = POLLIN },
    };
    for (int i = 0; i < WORKERS; i++) things[2 + i] = (plait_waitable){ PLAIT_WAIT_PROCESS, .object = workers[i] };
    for (int left = WORKERS; left;) {
        if (plait_wait(things, 2 + WORKERS, PLAIT_FOREVER) < 0) return complain("wait");
        if (things[0].ready) print_square(work->squares);
        if (things[1].ready) read_number(&things[1], work);
        for (int i = 0; i < WORKERS; i++) {
            if (!things[2 + i].ready) continue;
            printf("%s has ended: %d\n", plait_process_name(workers[i]), plait_process_exitcode(workers[i]));
            things[2 + i].kind = PLAIT_WAIT_NOTHING;
            left--;
        }
    }
    while (plait_wait(things, 1, PLAIT_NOW) == 1) print_square(work->squares);
    return 0;
}

int main(int argc, char **argv)
{
    plait_init(&argc, &argv);
    setvbuf(stdin, NULL, _IONBF, 0);                       /* a line that stands in a buffer makes no descriptor readable */
    struct work work = { plait_queue_new(NULL), plait_queue_new(NULL) };
    plait_process *workers[WORKERS];
    if (!work.numbers || !work.squares) return complain("queues");
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = plait_start(square_all, &work, sizeof work, NULL);
        if (!workers[i]) return complain("start");
    }
    const int error = serve(&work, workers);
    for (int i = 0; i < WORKERS; i++) plait_process_free(workers[i]);
    plait_queue_free(work.numbers);
    plait_queue_free(work.squares);
    return error;
}
