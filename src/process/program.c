/* process/program.c - other programs, and talking with a child through its standard streams. */
#include <plait/program.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "family/wait.h"
#include "process/process_internal.h"
#include "process/stream.h"

/* ---- starting ---- */

plait_process *plait_program_new(char *const argv[], const plait_process_options *options)
{
    static const plait_process_options defaults;
    plait_process_options of_program = options ? *options : defaults;
    if (!of_program.class_name || !*of_program.class_name) of_program.class_name = "Program";
    of_program.kind = PLAIT_PROCESSES;
    of_program.method = 0;
    int error = plait__plan_check(&of_program);
    if (!error && (!argv || !argv[0])) error = plait__fail(-EINVAL, "argv is empty");
    if (error) return plait__null(error);
    struct plait__plan *plan = plait__plan_new(NULL, NULL, 0, argv, &of_program);
    return plan ? plait__process_new(plan, &of_program) : NULL;
}

plait_process *plait_start_program(char *const argv[], const plait_process_options *options)
{
    return plait__start_or_free(plait_program_new(argv, options));
}

/* ---- its streams ---- */

static int check_stream(const plait_process *process, int number)
{
    if (!process) return plait__fail(-EINVAL, "the process is NULL");
    if (!process->plan) return plait__fail(-EINVAL, "%s was not made by plait_process_new", process->name);
    if (number < 0 || number > 2) return plait__fail(-EINVAL, "there is no standard stream %d", number);
    if (process->streams[number] >= 0) return 0;
    return plait__fail(-EINVAL, "standard stream %d of %s is no pipe, or was closed", number, process->name);
}

int plait_process_stream(const plait_process *process, int number)
{
    int error = check_stream(process, number);
    return error ? error : process->streams[number];
}

int plait_process_close_stream(plait_process *process, int number)
{
    int error = check_stream(process, number);
    if (!error) plait__stream_close(process, number);
    return error;
}

/* ---- communicate ---- */

struct text {
    char *bytes;
    size_t size, room;
};

/* What there is so far; kept in the object when a deadline comes. */
struct plait__capture {
    struct text texts[2];                                  /* standard output, standard error */
    size_t written;                                        /* of the input */
};

void plait__capture_free(struct plait__capture *capture)
{
    if (!capture) return;
    free(capture->texts[0].bytes);
    free(capture->texts[1].bytes);
    free(capture);
}

void plait_captured_free(plait_captured *captured)
{
    if (!captured) return;
    free(captured->output);
    free(captured->errors);
    *captured = (plait_captured){ 0 };
}

/* Room for more, and for the 0 at the end. */
static int grow(struct text *text, size_t more)
{
    if (text->room - text->size > more) return 0;
    size_t room = text->room * 2 > text->size + more + 1 ? text->room * 2 : text->size + more + 1;
    char *bytes = realloc(text->bytes, room);
    if (!bytes) return plait__fail(-ENOMEM, "no private memory for %zu bytes of output", room);
    text->bytes = bytes;
    text->room = room;
    return 0;
}

/* Its end of the pipe is ours alone, so reading what poll has told of does not block. */
static int read_some(plait_process *process, int number)
{
    struct text *text = &process->capture->texts[number - 1];
    int error = grow(text, 65536);
    if (error) return error;
    ssize_t got = read(process->streams[number], text->bytes + text->size, 65536);
    if (got > 0) text->size += (size_t)got;
    else if (got == 0 || (errno != EINTR && errno != EAGAIN)) plait__stream_close(process, number);
    text->bytes[text->size] = 0;
    return 0;
}

/* A child that wants no more is no error: as SIGPIPE would be one, it is kept from this thread, and taken away if it was not there
 * before. */
static ssize_t write_quietly(int fd, const void *data, size_t size)
{
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    sigpending(&pending);
    ssize_t written = write(fd, data, size);
    int error = errno;
    if (written < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) sigtimedwait(&pipe_only, NULL, &(struct timespec){ 0 });
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return written;
}

static void write_some(plait_process *process, const char *input, size_t size)
{
    struct plait__capture *capture = process->capture;
    ssize_t written = write_quietly(process->streams[0], input + capture->written, size - capture->written);
    if (written > 0) capture->written += (size_t)written;
    bool over = written < 0 && errno != EAGAIN && errno != EINTR;
    if (over || capture->written == size) plait__stream_close(process, 0);
}

/* Once for all pipes. */
static int exchange(plait_process *process, const char *input, size_t size, plait_deadline deadline)
{
    struct pollfd fds[3];
    for (int i = 0; i < 3; i++) fds[i] = (struct pollfd){ .fd = process->streams[i], .events = i == 0 ? POLLOUT : POLLIN };
    int count = plait__wait_fds(fds, 3, deadline);
    if (count < 0) return count == -ETIMEDOUT ? count : plait__fail(count, "poll: %s", plait_strerror(count));
    int error = 0;
    if (fds[0].revents) write_some(process, input, size);
    for (int i = 1; i < 3 && !error; i++)
        if (fds[i].revents) error = read_some(process, i);
    return error;
}

/* Its input must not block us; and without any there is nothing to wait for. */
static int begin_input(plait_process *process, size_t size)
{
    int fd = process->streams[0];
    if (fd < 0) return size ? plait__fail(-EINVAL, "%s has no pipe for its input", process->name) : 0;
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) return plait__fail(-errno, "fcntl: %s", plait_strerror(-errno));
    if (!size) plait__stream_close(process, 0);
    return 0;
}

static int begin_output(plait_process *process, int number)
{
    struct text *text = &process->capture->texts[number - 1];
    int error = process->streams[number] >= 0 ? grow(text, 65536) : 0;
    if (text->bytes) text->bytes[0] = 0;
    return error;
}

static int begin(plait_process *process, size_t size)
{
    if (process->capture && size < process->capture->written)
        return plait__fail(-EINVAL, "%s has got %zu bytes of its input, now there are %zu", process->name,
                           process->capture->written, size);
    if (process->capture) return 0;
    process->capture = calloc(1, sizeof *process->capture);
    if (!process->capture) return plait__fail(-ENOMEM, "no private memory for what is read");
    int error = begin_output(process, 1);
    if (!error) error = begin_output(process, 2);
    if (!error) error = begin_input(process, size);
    if (!error) return 0;
    plait__capture_free(process->capture);
    process->capture = NULL;
    return error;
}

static void finish(plait_process *process, plait_captured *captured)
{
    struct plait__capture *capture = process->capture;
    *captured = (plait_captured){
        .output = capture->texts[0].bytes, .output_size = capture->texts[0].size,
        .errors = capture->texts[1].bytes, .errors_size = capture->texts[1].size,
    };
    free(capture);
    process->capture = NULL;
}

static bool is_talking(const plait_process *process)
{
    return process->streams[0] >= 0 || process->streams[1] >= 0 || process->streams[2] >= 0;
}

int plait_process_communicate(plait_process *process, const void *input, size_t size, plait_captured *captured,
                              plait_deadline deadline)
{
    if (!captured || (!input && size)) return plait__fail(-EINVAL, "%s is NULL", captured ? "input" : "captured");
    *captured = (plait_captured){ 0 };
    int error = plait__check_started(process);
    if (!error && !process->plan) error = plait__fail(-EINVAL, "%s was not made by plait_process_new", process->name);
    if (!error) error = begin(process, size);
    while (!error && is_talking(process)) error = exchange(process, input, size, deadline);
    if (!error) error = plait_process_join(process, deadline);
    if (error == -ETIMEDOUT) return plait__fail(error, "%s (pid %d) is still running", process->name, (int)process->pid);
    if (!error) finish(process, captured);
    return error;
}
