/* A program whose file is deleted, or replaced by the one that argv[1] names, before it begins its children anew. */
#include <stdio.h>
#include <unistd.h>

#include <plait.h>

static int return_7(void *unused)
{
    return 7;
}

int main(int argc, char **argv)
{
    plait_init(&argc, &argv);
    if ((argc > 1 ? rename(argv[1], argv[0]) : unlink(argv[0])) != 0) return 1;
    for (int i = 0; i < 2; i++) {
        plait_process *process = plait_start(return_7, NULL, 0, &(plait_process_options){ .method = PLAIT_SPAWN });
        if (!process || plait_process_join(process, PLAIT_FOREVER) != 0) return 2;
        if (plait_process_exitcode(process) != 7 || plait_process_free(process) != 0) return 3;
    }
    return 7;
}
