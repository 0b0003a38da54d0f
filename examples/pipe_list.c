/* pipe_list - a child sends a list through a pipe; its parent receives it and prints it. */
#include <errno.h>
#include <stdio.h>

#include <plait.h>

static int complain(const char *what, int error)
{
    fprintf(stderr, "pipe_list: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int f(void *argument)
{
    plait_connection *child_end = *(plait_connection **)argument;
    plait_value *list = plait_list(3, plait_int(42), plait_none(), plait_string("hello"));
    const int error = plait_connection_send(child_end, list, PLAIT_FOREVER);        /* it is given away */
    plait_connection_close(child_end);
    return error ? complain("send", error) : 0;
}

static int print_what_comes(plait_connection *parent_end)
{
    plait_value *value = plait_connection_recv(parent_end, PLAIT_FOREVER);
    if (!value) return complain("recv", errno);
    puts(plait_repr(value));
    plait_value_free(value);
    return 0;
}

static int run(plait_connection *parent_end, plait_connection *child_end)
{
    const int fd = plait_connection_fileno(child_end);     /* for those start methods that pass only what they are told to */
    plait_process *process = plait_start(f, &child_end, sizeof child_end, &(plait_process_options){ .fds = &fd, .fd_count = 1 });
    if (!process) return complain("no process", errno);
    plait_connection_close(child_end);                     /* now it is the child's alone: recv is told if the child dies */
    const int failed = print_what_comes(parent_end);
    plait_process_join(process, PLAIT_FOREVER);
    const int exitcode = plait_process_exitcode(process);
    plait_process_free(process);
    return failed || exitcode != 0;
}

int main(int argc, char **argv)
{
    plait_connection *ends[2];
    int error = plait_init(&argc, &argv);
    if (!error) error = plait_pipe(1, ends);
    if (error) return complain("no pipe", error);
    const int failed = run(ends[0], ends[1]);
    for (int i = 0; i < 2; i++) plait_connection_free(ends[i]);
    return failed;
}
