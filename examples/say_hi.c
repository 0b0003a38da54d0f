/* say_hi - two processes that say hi at the same time, each with its process id, in two ways.
 *
 *     target   a process runs a function.  What it prints is read by its parent, which knows the pid, too
 *     class    a process of a class: a function, a struct with its fields, and a class name.  It knows its pid by itself
 *
 * usage: say_hi [target | class]      default: target
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <plait.h>

static int complain(const char *what, int error)
{
    fprintf(stderr, "say_hi: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

/* ---- a function ---- */

static int say_hi(void *nothing)
{
    (void)nothing;
    return printf("Hi from pid: ") < 0;
}

/* Wait for its end, and print what it wrote. */
static int finish_target(plait_process *process)
{
    plait_captured captured;
    const int error = plait_process_communicate(process, NULL, 0, &captured, PLAIT_FOREVER);
    if (error) return complain("communicate", error);
    printf("%s%d\n", captured.output, (int)plait_process_pid(process));
    plait_captured_free(&captured);
    return plait_process_exitcode(process) != 0;
}

/* ---- a class ---- */

struct greeter {
    const char *greeting;
};

static int run(void *argument)
{
    const struct greeter *self = argument;
    return printf("%s from pid: %d\n", self->greeting, (int)plait_process_pid(plait_current_process())) < 0;
}

static int finish_class(plait_process *process)
{
    const int error = plait_process_join(process, PLAIT_FOREVER);
    return error ? complain("join", error) : plait_process_exitcode(process) != 0;
}

/* ---- both ---- */

static plait_process *start(int by_class)
{
    static const struct greeter greeter = { "Hi" };
    const plait_process_options target = { .output = PLAIT_STREAM_PIPE }, class = { .class_name = "Greeter" };
    plait_process *process = by_class ? plait_start(run, &greeter, sizeof greeter, &class) : plait_start(say_hi, NULL, 0, &target);
    if (!process) complain("no process", errno);
    return process;
}

static int finish(plait_process *process, int by_class)
{
    if (!process) return 1;
    const int failed = by_class ? finish_class(process) : finish_target(process);
    plait_process_free(process);
    return failed;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    const int by_class = argc == 2 && strcmp(argv[1], "class") == 0;
    if (argc > 2 || (argc == 2 && !by_class && strcmp(argv[1], "target") != 0)) {
        fprintf(stderr, "usage: say_hi [target | class]\n");
        return 2;
    }
    plait_process *one = start(by_class), *other = start(by_class);
    const int one_failed = finish(one, by_class), other_failed = finish(other, by_class);
    if (fflush(stdout) != 0) return complain("standard output", -errno);
    return one_failed || other_failed;
}
