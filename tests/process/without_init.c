/* A program that never calls plait_init, and says when it begins: it must not be begun anew by a start. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <plait.h>

static int return_7(void *unused)
{
    return 7;
}

int main(int argc, char **argv)
{
    printf("main %d %s\n", argc, argc > 1 ? argv[1] : "");
    fflush(stdout);
    plait_process *process = plait_start(return_7, NULL, 0, &(plait_process_options){ .method = PLAIT_SPAWN });
    printf("%s: %s\n", process ? "started" : plait_strerrorname(errno), plait_error_detail());
    process = plait_start(return_7, NULL, 0, NULL);
    if (!process || plait_process_join(process, PLAIT_FOREVER) != 0) return 1;
    printf("%d\n", plait_process_exitcode(process));
    return plait_process_free(process);
}
