/* queue_list - a process puts a list into a queue; another one takes it and prints it. */
#include <errno.h>
#include <stdio.h>

#include <plait.h>

static int complain(const char *what, int error)
{
    fprintf(stderr, "queue_list: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int f(void *argument)
{
    plait_queue *queue = *(plait_queue **)argument;
    plait_value *list = plait_list(3, plait_int(42), plait_none(), plait_string("hello"));
    const int error = plait_queue_put_value(queue, list, PLAIT_FOREVER); /* it is given away */
    return error ? complain("put", error) : 0;
}

static int print_what_comes(plait_queue *queue, plait_process *process)
{
    int error = plait_process_join(process, PLAIT_FOREVER);              /* before the get: a put that returned is there */
    if (!error) error = plait_process_exitcode(process);
    if (error) return 1;
    plait_value *value = plait_queue_get_value(queue, PLAIT_NOW);
    if (!value) return complain("get", errno);
    puts(plait_repr(value));
    plait_value_free(value);
    return 0;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    plait_queue *queue = plait_queue_new(NULL);
    if (!queue) return complain("no queue", errno);
    plait_process *process = plait_start(f, &queue, sizeof queue, NULL);
    const int failed = process ? print_what_comes(queue, process) : complain("no process", errno);
    plait_process_free(process);
    plait_queue_free(queue);
    return failed;
}
