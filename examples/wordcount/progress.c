/* progress.c - a bar on the terminal, drawn by a process of its own.
 *
 * It looks at a counter in shared memory ten times a second.  The workers only add to that, so the bar costs them nothing and
 * needs no message; and as a daemon the drawing process ends with the program, however that ends.
 */
#include "progress.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_BETWEEN 0.1
#define WIPE "\r\033[K"
enum { BAR = 30 };

static plait_process *artist;                              /* NULL: standard error is no terminal */
static volatile sig_atomic_t artist_pid;

static void draw(struct progress *progress)
{
    const uint64_t total = atomic_load(&progress->total);
    uint64_t done = atomic_load(&progress->done);
    const char *phase = atomic_load(&progress->phase);
    if (!phase || !total) return;
    if (done > total) done = total;                        /* files grow, and what a killed worker had done is done again */
    char bar[BAR + 1] = "", line[128];
    memset(bar, '#', (size_t)((double)done / (double)total * BAR));
    const int length = snprintf(line, sizeof line, WIPE "%-12.12s [%-*s] %3.0f%% of %.1f MB", phase, BAR, bar,
                                100.0 * (double)done / (double)total, (double)total / 1e6);
    if (write(STDERR_FILENO, line, (size_t)length) < 0) return;         /* a terminal that is gone: nobody looks */
}

static int draw_until_over(void *argument)
{
    struct progress *progress = argument;
    while (plait_queue_get(progress->over, NULL, 0, plait_after(SECONDS_BETWEEN)) == -ETIMEDOUT) draw(progress);
    return 0;
}

struct progress *progress_begin(void)
{
    struct progress *progress = plait_alloc(sizeof *progress);
    if (!progress || !isatty(STDERR_FILENO)) return progress;
    progress->over = plait_queue_new(NULL);
    if (progress->over) artist = plait_start(draw_until_over, progress, 0, &(plait_process_options){ .daemon = 1 });
    if (artist) artist_pid = (sig_atomic_t)plait_process_pid(artist);
    return progress;                                       /* without an artist it works as well, but silently */
}

void progress_phase(struct progress *progress, const char *phase, uint64_t total)
{
    atomic_store(&progress->done, 0);
    atomic_store(&progress->total, total);
    atomic_store(&progress->phase, phase);
}

void progress_add(struct progress *progress, uint64_t bytes)
{
    atomic_fetch_add_explicit(&progress->done, bytes, memory_order_relaxed);
}

static void wipe_line(void)
{
    if (write(STDERR_FILENO, WIPE, strlen(WIPE)) < 0) return;
}

void progress_end(struct progress *progress)
{
    if (artist) {
        plait_queue_close(progress->over);
        artist_pid = 0;                                    /* from the join on it may be somebody else's */
        plait_process_join(artist, PLAIT_FOREVER);
        plait_process_free(artist);
        artist = NULL;
        wipe_line();
    }
    plait_queue_free(progress->over);
    plait_free(progress);
}

void progress_wipe(void)
{
    const int error = errno;
    if (artist_pid) {
        kill(artist_pid, SIGKILL);
        waitpid(artist_pid, NULL, 0);                      /* from here on it draws no more */
        wipe_line();
    }
    errno = error;
}
