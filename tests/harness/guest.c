#include "guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

extern char **environ;

static void look_at_fds(FILE *to)
{
    char path[64], link[512];
    int arenas = 0;
    for (int fd = 0; fd < 1024; fd++) {
        const int flags = fcntl(fd, F_GETFD);
        if (flags < 0) continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        const ssize_t size = readlink(path, link, sizeof link - 1);
        link[size > 0 ? size : 0] = 0;
        if (strncmp(link, "/memfd:plait", strlen("/memfd:plait")) == 0) {
            CHECK(fd > STDERR_FILENO && (flags & FD_CLOEXEC));
            arenas++;
        } else {
            fprintf(to, "fd %d: %s, flags %x %x\n", fd, link, flags, fcntl(fd, F_GETFL));
        }
    }
    CHECK(arenas <= 1);
}

/* How many entries a folder of /proc has; or words, where it is a file. */
static int count_entries(const char *path)
{
    DIR *folder = opendir(path);
    CHECK(folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void look_at_children(FILE *to)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    const ssize_t size = read(fd, text, sizeof text);
    close(fd);
    fprintf(to, "children %.*s\n", (int)(size > 0 ? size : 0), text);
}

static void look_at_set(FILE *to, const char *name, const sigset_t *set)
{
    fprintf(to, "%s", name);
    for (int number = 1; number < NSIG; number++)
        if (sigismember(set, number) == 1) fprintf(to, " %d", number);
    fprintf(to, "\n");
}

static void look_at_signals(FILE *to)
{
    sigset_t set;
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) < 0) continue;              /* the C library's own */
        fprintf(to, "signal %d: %p, flags %x", number, (void *)(uintptr_t)action.sa_sigaction, (unsigned)action.sa_flags);
        look_at_set(to, ", blocks", &action.sa_mask);
    }
    sigprocmask(SIG_SETMASK, NULL, &set);
    look_at_set(to, "mask", &set);
    sigpending(&set);
    look_at_set(to, "pending", &set);
    for (int timer = ITIMER_REAL; timer <= ITIMER_PROF; timer++) {
        struct itimerval value;
        CHECK(getitimer(timer, &value) == 0);
        fprintf(to, "timer %d: %d, every %ld.%06ld\n", timer, value.it_value.tv_sec || value.it_value.tv_usec,
                (long)value.it_interval.tv_sec, (long)value.it_interval.tv_usec);
    }
}

static void look_at_folder(FILE *to, const char *path)
{
    struct dirent **entries;
    const int count = path ? scandir(path, &entries, NULL, alphasort) : 0;
    for (int i = 0; i < count; i++) {
        fprintf(to, "file %s/%s\n", path, entries[i]->d_name);
        free(entries[i]);
    }
    if (count > 0) free(entries);
}

static void look_at_files(FILE *to)
{
    char folder[4096];
    const mode_t mask = umask(0);
    umask(mask);
    fprintf(to, "umask %o\ncwd %s\n", (unsigned)mask, getcwd(folder, sizeof folder));
    for (char **variable = environ; *variable; variable++) fprintf(to, "environment %s\n", *variable);
    look_at_folder(to, ".");
    look_at_folder(to, getenv("TMPDIR"));
}

static void look_at_process(FILE *to)
{
    char name[32] = "";
    int death_signal = 0, subreaper = 0;
    cpu_set_t cpus;
    prctl(PR_GET_NAME, name);
    prctl(PR_GET_PDEATHSIG, &death_signal);
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    fprintf(to, "name %s\ndeath %d\n", name, death_signal);
    fprintf(to, "process: subreaper %d, new privileges %d, dumpable %d, slack %d, nice %d\n", subreaper,
            prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE), prctl(PR_GET_TIMERSLACK), getpriority(PRIO_PROCESS, 0));
    for (int kind = 0; kind < (int)RLIM_NLIMITS; kind++) {
        struct rlimit limit = { 0 };
        getrlimit(kind, &limit);
        fprintf(to, "limit %d: %llx of %llx\n", kind, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    }
    CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
    fprintf(to, "cpus");
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &cpus)) fprintf(to, " %d", cpu);
    fprintf(to, "\n");
}

void guest_look(struct guest *guest)
{
    FILE *to = fmemopen(guest->text, sizeof guest->text, "w");
    CHECK(to);
    fprintf(to, "threads %d\n", count_entries("/proc/self/task"));
    look_at_fds(to);
    look_at_children(to);
    look_at_signals(to);
    look_at_files(to);
    look_at_process(to);
    CHECK(ftell(to) < (long)sizeof guest->text - 1 && fclose(to) == 0);
}

/* ---- comparing ---- */

static bool is_left_out(const char *line, const char *but)
{
    char word[32];
    for (int used; but && sscanf(but, "%31s%n", word, &used) == 1; but += used)
        if (strncmp(line, word, strlen(word)) == 0) return true;
    return false;
}

/* The next line that counts, or NULL; *text moves behind it. */
static const char *next_line(const char **text, const char *but, size_t *size)
{
    while (**text) {
        const char *line = *text, *end = strchrnul(line, '\n');
        *size = (size_t)(end - line);
        *text = *end ? end + 1 : end;
        if (!is_left_out(line, but)) return line;
    }
    *size = 0;
    return NULL;
}

void guest_must_be_as(const struct guest *before, const struct guest *now, const char *but)
{
    const char *old = before->text, *new = now->text;
    for (;;) {
        size_t old_size, new_size;
        const char *was = next_line(&old, but, &old_size), *is = next_line(&new, but, &new_size);
        if (!was && !is) return;
        if (was && is && old_size == new_size && memcmp(was, is, old_size) == 0) continue;
        dprintf(STDERR_FILENO, "was \"%.*s\", is \"%.*s\"\n", (int)old_size, was ? was : "", (int)new_size, is ? is : "");
        CHECK(!"the program is as it was");
    }
}
