/* value_array - a number and an array in shared memory, changed by a child process.
 *
 * usage: value_array
 */
#include <errno.h>
#include <stdio.h>

#include <plait.h>

struct shared {
    plait_shared_value *number;
    plait_shared_array *numbers;
};

static int complain(const char *what, int error)
{
    fprintf(stderr, "value_array: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

/* In the child. */
static int change(void *argument)
{
    const struct shared *shared = argument;
    if (plait_shared_value_set_double(shared->number, 3.1415927, PLAIT_FOREVER) < 0) return 1;
    for (int i = 0; i < plait_shared_array_len(shared->numbers); i++) {
        int64_t number;
        if (plait_shared_array_get_int(shared->numbers, i, &number, PLAIT_FOREVER) < 0) return 1;
        if (plait_shared_array_set_int(shared->numbers, i, -number, PLAIT_FOREVER) < 0) return 1;
    }
    return 0;
}

static int run(const struct shared *shared)
{
    char text[100];
    plait_process *process = plait_start(change, shared, sizeof *shared, NULL);
    if (!process) return complain("no process", errno);
    plait_process_join(process, PLAIT_FOREVER);
    const int exitcode = plait_process_exitcode(process);
    plait_process_free(process);
    if (exitcode) {
        fprintf(stderr, "value_array: the process ended with %d\n", exitcode);
        return 1;
    }
    plait_shared_value_repr(shared->number, text, sizeof text);
    puts(text);
    plait_shared_array_repr(shared->numbers, text, sizeof text);
    puts(text);
    return 0;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv), range[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    if (error) return complain("no shared memory", error);
    const struct shared shared = { plait_shared_value_new('d', NULL, NULL), plait_shared_array_new('i', 10, range, NULL) };
    const int failed = shared.number && shared.numbers ? run(&shared) : complain("no value", errno);
    plait_shared_value_free(shared.number);
    plait_shared_array_free(shared.numbers);
    if (fflush(stdout) != 0) return complain("standard output", -errno);
    return failed;
}
