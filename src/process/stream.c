#include "process/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "process/sentinel.h"

/* A function reads nothing unless it was asked for: its parent may be reading there.  What is closed stays so. */
static int source_of(int stream, int number, bool is_program)
{
    if (stream == PLAIT_STREAM_DEFAULT) return number == 0 && !is_program && fcntl(0, F_GETFD) >= 0 ? -1 : -2;
    if (stream == PLAIT_STREAM_NULL) return -1;
    if (stream >= PLAIT_STREAM_FD(0)) return stream - PLAIT_STREAM_FD(0);
    return -2;                                             /* INHERIT, OUTPUT; a PIPE is made later */
}

static int make_pipe(plait_process *process, struct plait__streams *streams, int number)
{
    int ends[2];
    int error = plait__make_pipe(ends);
    if (error) return plait__fail(error, "a pipe for standard stream %d: %s", number, plait_strerror(error));
    int theirs = number == 0 ? 0 : 1;
    streams->sources[number] = streams->pipes[number] = ends[theirs];
    process->streams[number] = ends[!theirs];
    process->stream_files[number] = plait__file_of(ends[!theirs]);
    return 0;
}

int plait__streams_make(plait_process *process, struct plait__streams *streams)
{
    const struct plait__plan *plan = process->plan;
    int error = plait__plan_check_descriptors(plan);
    for (int i = 0; i < 3; i++) {
        streams->sources[i] = source_of(plan->streams[i], i, plan->argv != NULL);
        streams->pipes[i] = -1;
    }
    for (int i = 0; i < 3 && !error; i++)
        if (plan->streams[i] == PLAIT_STREAM_PIPE) error = make_pipe(process, streams, i);
    if (error) plait__streams_drop(process, streams);
    return error;
}

void plait__streams_given(struct plait__streams *streams)
{
    for (int i = 0; i < 3; i++)
        if (streams->pipes[i] >= 0) close(streams->pipes[i]);
}

void plait__streams_drop(plait_process *process, struct plait__streams *streams)
{
    plait__streams_given(streams);
    for (int i = 0; i < 3; i++) plait__stream_close(process, i);
}

void plait__stream_close(plait_process *process, int number)
{
    int fd = process->streams[number];
    process->streams[number] = -1;                         /* first: a fork in this moment must not take it for ours */
    if (fd >= 0) close(fd);
}
