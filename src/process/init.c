/* process/init.c - the begin of a program; in a child that begins anew, all that it does. */
#include <plait/init.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/arena.h>

#include "family/roster.h"
#include "process/exec.h"
#include "process/exit.h"
#include "process/method.h"

/* ---- in a child ---- */

/* libplait prints nothing: the parent sees the exit code. */
__attribute__((noreturn)) static void be_child(const char *place)
{
    int fd;
    unsigned long long address;
    if (sscanf(place, "%d:%llx", &fd, &address) != 2 || plait__family_attach(fd) != 0) _exit(127);
    struct plait__spawned *spawned = (struct plait__spawned *)(uintptr_t)address;
    if (!plait_is_shared(spawned)) _exit(127);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    atomic_store(&spawned->record.has_begun, 1);
    plait__spawned_run(spawned);
}

/* The arguments, for whoever has not given us his: three strings behind each other, if it is a child. */
static void look_into_proc(void)
{
    char line[4096] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0) close(fd);
    if (length <= 0) return;
    plait__note_init(line);
    const char *mark = line + strlen(line) + 1, *end = line + length;
    if (mark < end && strcmp(mark, PLAIT__CHILD_MARK) == 0) be_child(mark + strlen(mark) + 1);
}

/* ---- in all others ---- */

int plait_init(int *argc, char ***argv)
{
    bool given = argc && argv && *argv && *argc > 0;
    if (given) plait__note_init((*argv)[0]);
    else look_into_proc();
    if (given && *argc == 3 && strcmp((*argv)[1], PLAIT__CHILD_MARK) == 0) be_child((*argv)[2]);
    int error = plait__member();
    return error ? error : plait__shut_down_at_exit();
}
