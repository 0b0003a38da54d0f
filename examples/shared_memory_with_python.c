/* shared_memory_with_python - a C program and stock Python change the same memory, and the same list.
 *
 * Each of both sides makes something that the other one attaches to by its name.
 *
 * usage: shared_memory_with_python [PYTHON]      default: python3
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <plait.h>

enum { NUMBERS = 10 };

/* The tracker of this Python would unlink at its end what it has attached or made; it is told not to. */
static char script[] =
    "import sys\n"
    "from multiprocessing import resource_tracker, shared_memory\n"
    "\n"
    "def untracked(memory):\n"
    "    resource_tracker.unregister('/' + memory.name, 'shared_memory')\n"
    "    return memory\n"
    "\n"
    "memory = untracked(shared_memory.SharedMemory(sys.argv[1]))\n"
    "numbers = memory.buf.cast('i')\n"
    "print('Python finds', list(numbers))\n"
    "for i in range(len(numbers)): numbers[i] = -numbers[i]\n"
    "numbers.release()\n"
    "memory.close()\n"
    "\n"
    "things = shared_memory.ShareableList(name=sys.argv[2])\n"
    "untracked(things.shm)\n"
    "print('Python finds', list(things))\n"
    "things[1], things[2] = 'zwei', None\n"
    "things.shm.close()\n"
    "\n"
    "made = untracked(shared_memory.SharedMemory(create=True, size=12))\n"
    "made.buf[:] = b'from Python\\0'\n"
    "print(made.name)\n"
    "made.close()\n";

static int complain(const char *what, int error)
{
    fprintf(stderr, "shared_memory_with_python: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

/* ---- what Python has made ---- */

static int show_memory_of_python(const char *name)
{
    plait_shared_memory *memory = plait_shared_memory_attach(name);
    if (!memory) return complain("attach", errno);
    printf("C finds %s\n", (const char *)plait_shared_memory_data(memory));
    const int error = plait_shared_memory_unlink(memory);
    plait_shared_memory_free(memory);
    return error ? complain("unlink", error) : 0;
}

/* ---- what C has made ---- */

static void show_numbers(const int *numbers)
{
    printf("C finds [");
    for (int i = 0; i < NUMBERS; i++) printf("%s%d", i ? ", " : "", numbers[i]);
    puts("]");
}

static int show_list(const plait_shareable_list *list)
{
    char text[16];
    plait_list_item item;
    const int error = plait_shareable_list_get(list, 1, &item, text, sizeof text);
    if (error) return complain("get", error);
    printf("C finds %s at index %d, and None at index %d\n", text, (int)plait_shareable_list_index(list, plait_item_str(text)),
           (int)plait_shareable_list_index(list, plait_item_none()));
    return 0;
}

/* ---- Python ---- */

/* Its last line is the name of what it has made; the others are to be shown. */
static int show_output(char *output)
{
    size_t length = strlen(output);
    if (length) output[--length] = 0;
    char *last = strrchr(output, '\n');
    if (!last) return complain("Python did not print a name", -EPROTO);
    *last = 0;
    puts(output);
    return show_memory_of_python(last + 1);
}

static int run_python(char *python, char *memory, char *list)
{
    static char option[] = "-c";
    char *argv[] = { python, option, script, memory, list, NULL };
    plait_captured captured;
    plait_process *process = plait_start_program(argv, &(plait_process_options){ .output = PLAIT_STREAM_PIPE });
    if (!process) return complain(python, errno);
    const int error = plait_process_communicate(process, NULL, 0, &captured, PLAIT_FOREVER);
    if (error) return complain("communicate", error);
    const int failed = plait_process_exitcode(process) != 0 || show_output(captured.output);
    plait_captured_free(&captured);
    plait_process_free(process);
    return failed;
}

static int run(char *python, plait_shared_memory *memory, plait_shareable_list *list)
{
    char name[32], list_name[32];
    int *numbers = plait_shared_memory_data(memory);
    snprintf(name, sizeof name, "%s", plait_shared_memory_name(memory));
    snprintf(list_name, sizeof list_name, "%s", plait_shared_memory_name(plait_shareable_list_shm(list)));
    for (int i = 0; i < NUMBERS; i++) numbers[i] = i;
    if (run_python(python, name, list_name)) return 1;
    show_numbers(numbers);
    return show_list(list);
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    char python3[] = "python3";
    const plait_list_item things[] = { plait_item_int(1), plait_item_str("two"), plait_item_float(3) };
    if (error) return complain("no shared memory", error);
    plait_shared_memory *memory = plait_shared_memory_create(NULL, NUMBERS * sizeof(int));
    plait_shareable_list *list = plait_shareable_list_create(NULL, things, 3);
    const int failed = memory && list ? run(argc > 1 ? argv[1] : python3, memory, list) : complain("no shared memory", errno);
    if (memory) plait_shared_memory_unlink(memory);
    if (list) plait_shared_memory_unlink(plait_shareable_list_shm(list));
    plait_shared_memory_free(memory);
    plait_shareable_list_free(list);
    if (fflush(stdout) != 0) return complain("standard output", -errno);
    return failed;
}
