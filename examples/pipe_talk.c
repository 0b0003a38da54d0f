/* pipe_talk - two processes and a pipe: one says who it is and waits for an OK, the other one answers.
 *
 * usage: pipe_talk
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <plait.h>

struct side {
    int number;
    plait_connection *mine, *other;
};

/* A line goes out at once, so that the lines of both processes come in the order in which they were said. */
static int say(int number, const char *what)
{
    return printf("Dari process %d: %s\n", number, what) < 0 || fflush(stdout) != 0;
}

static int first(const struct side *side)
{
    char message[16];
    ssize_t size;
    if (say(1, "Hi, aku Imam") || plait_connection_send_bytes(side->mine, "Imam", 4, PLAIT_FOREVER) < 0) return 1;
    while ((size = plait_connection_recv_bytes(side->mine, message, sizeof message, PLAIT_FOREVER)) >= 0)
        if (size == 2 && memcmp(message, "OK", 2) == 0) return say(1, "OK, bye");
    return 1;                                              /* the other one is gone, and has not said OK */
}

static int second(const struct side *side)
{
    char name[16], answer[32];
    const ssize_t size = plait_connection_recv_bytes(side->mine, name, sizeof name, PLAIT_FOREVER);
    if (size < 0) return 1;
    snprintf(answer, sizeof answer, "OK, %.*s", (int)size, name);
    return say(2, answer) || plait_connection_send_bytes(side->mine, "OK", 2, PLAIT_FOREVER) < 0;
}

/* A forked child has both ends.  Whoever keeps the other's open would never be told that nobody is there any more. */
static int talk(void *argument)
{
    const struct side *side = argument;
    plait_connection_close(side->other);
    return side->number == 1 ? first(side) : second(side);
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "pipe_talk: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int finish(plait_process *process)
{
    plait_process_join(process, PLAIT_FOREVER);
    const int exitcode = plait_process_exitcode(process);
    plait_process_free(process);
    return exitcode != 0;
}

static plait_process *start(int number, plait_connection *mine, plait_connection *other)
{
    const struct side side = { number, mine, other };
    const int fd = plait_connection_fileno(mine);          /* for those start methods that pass only what they are told to */
    return plait_start(talk, &side, sizeof side, &(plait_process_options){ .fds = &fd, .fd_count = 1 });
}

static int run(plait_connection **ends)
{
    plait_process *one = start(1, ends[0], ends[1]);
    if (!one) return complain("no process", errno);
    plait_process *two = start(2, ends[1], ends[0]);
    if (!two) complain("no second process", errno);
    for (int i = 0; i < 2; i++) plait_connection_close(ends[i]);          /* now each end is its process's alone */
    const int failed = finish(one);
    return (two ? finish(two) : 1) | failed;
}

int main(int argc, char **argv)
{
    plait_connection *ends[2];
    int error = plait_init(&argc, &argv);
    if (!error) error = plait_pipe(1, ends);
    if (error) return complain("no pipe", error);
    const int failed = run(ends);
    for (int i = 0; i < 2; i++) plait_connection_free(ends[i]);
    return failed;
}
