/* wordcount - which words are there most often in many files?
 *
 * Counts the words of all files by map and reduce on a pool of processes, and once more without any, by the very same functions:
 * the only difference is the kind of the pool.  Then it compares the results and shows both times.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait.h>

#include "count.h"
#include "scan.h"

enum { FAILED = 1, MISUSED = 2 };

static const char *const folders_by_default[] = { "/usr/include", "/usr/share/common-licenses" };

static const char usage[] =
    "usage: wordcount [-j WORKERS] [-n WORDS] [FILE | FOLDER | -]...\n"
    "Count the words of these files, and of all files in these folders; by default /usr/include and\n"
    "/usr/share/common-licenses.  -: read names from standard input, one a line.\n"
    "  -j WORKERS  so many processes; default: as many as CPUs\n"
    "  -n WORDS    show so many of the most frequent words; default: 10\n"
    "  -h          show this\n"
    "A word is a run of ASCII letters, digits, underscores and bytes from 0x80 up; A-Z count as a-z, and of more\n"
    "than 255 bytes the rest is ignored.  Files with a zero byte in their first 8 KiB are binary, and skipped.\n";

struct options {
    int workers;                                           /* 0: as many as CPUs */
    size_t words;
};

/* --- options ---------------------------------------------------------------------------------------------------------- */

static long parse_number(char option, const char *text, long least, long most)
{
    char *end;
    errno = 0;
    const long number = strtol(text, &end, 10);
    if (end != text && !*end && !errno && number >= least && number <= most) return number;
    fprintf(stderr, "wordcount: -%c wants a number from %ld to %ld, not '%s'\n", option, least, most, text);
    exit(MISUSED);
}

static struct options parse_options(int argc, char **argv)
{
    struct options options = { .words = 10 };
    for (int option; (option = getopt(argc, argv, "j:n:h")) != -1;) {
        switch (option) {
        case 'j': options.workers = (int)parse_number('j', optarg, 1, 1024); break;
        case 'n': options.words = (size_t)parse_number('n', optarg, 0, 1000000000); break;
        case 'h': fputs(usage, stdout); exit(0);
        default: fputs(usage, stderr); exit(MISUSED);
        }
    }
    return options;
}

/* --- Ctrl-C ----------------------------------------------------------------------------------------------------------- */

static pid_t main_process;

/* write, but there is nothing to be done when it fails. */
static void tell(const char *message, size_t length)
{
    if (write(STDERR_FILENO, message, length) < 0) return;
}

/* Workers and the artist inherit this and simply end.  So do those that got no signal: all are daemons, which end with us. */
static void interrupted(int number)
{
    static const char message[] = "wordcount: interrupted\n";
    if (getpid() == main_process) {
        progress_wipe();
        tell(message, sizeof message - 1);
    }
    signal(number, SIG_DFL);
    raise(number);                                         /* as soon as this function has returned */
}

static void catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM };
    main_process = getpid();
    for (int i = 0; i < 2; i++) {
        struct sigaction old, new = { .sa_handler = interrupted };
        sigaddset(&new.sa_mask, SIGINT);
        sigaddset(&new.sa_mask, SIGTERM);
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) sigaction(numbers[i], &new, NULL);
    }
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

static int list_files(struct files *files, int count, char **names)
{
    int error = 0;
    for (int i = 0; !error && i < count; i++)
        error = strcmp(names[i], "-") ? files_add(files, names[i]) : files_add_lines(files, stdin);
    for (int i = 0; !error && !count && i < 2; i++) error = files_add(files, folders_by_default[i]);
    if (!error && files->count) return 0;
    fprintf(stderr, "wordcount: %s\n", error ? plait_strerror(error) : "no files there");
    return FAILED;
}

/* Read all files once, so that both counts find them in memory. */
static void warm_up(const struct files *files, struct progress *progress)
{
    static unsigned char buffer[256 * 1024];
    for (size_t i = 0; i < files->count; i++) {
        const struct file *file = &files->all[i];
        const int fd = file->error ? -1 : open(file->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        for (bool first = true; fd >= 0; first = false) {
            const ssize_t got = read(fd, buffer, sizeof buffer);
            if (got <= 0 || (first && looks_binary(buffer, (size_t)got))) break;
            progress_add(progress, (uint64_t)got);
        }
        if (fd >= 0) close(fd);
    }
}

static uint64_t size_of(const struct files *files)
{
    uint64_t size = 0;
    for (size_t i = 0; i < files->count; i++) size += (uint64_t)files->all[i].size;
    return size;
}

/* --- the report ------------------------------------------------------------------------------------------------------- */

struct sums {
    size_t counted, binary, unreadable;
};

static struct sums sum_up(const struct files *files)
{
    enum { NAMED = 5 };
    struct sums sums = { 0 };
    for (size_t i = 0; i < files->count; i++) {
        const struct file *file = &files->all[i];
        if (!file->error && file->binary) sums.binary++;
        else if (!file->error) sums.counted++;
        else if (sums.unreadable++ < NAMED)
            fprintf(stderr, "wordcount: %s: %s\n", file->name,
                    file->error == NOT_A_FILE ? "neither a file nor a folder" : strerror(file->error));
    }
    if (sums.unreadable > NAMED) fprintf(stderr, "wordcount: and %zu more could not be read\n", sums.unreadable - NAMED);
    return sums;
}

/* 1234567 as "1,234,567". */
static const char *grouped(uint64_t number, char text[static 32])
{
    char *at = text + 31;
    *at = '\0';
    for (int digits = 1;; digits++, number /= 10) {
        *--at = (char)('0' + number % 10);
        if (number < 10) return at;
        if (digits % 3 == 0) *--at = ',';
    }
}

static void show_sums(const struct sums *sums, const struct outcome *outcome)
{
    char text[4][32];
    printf("wordcount: %s file%s, %.1f MB, %s word%s, %s different", grouped(sums->counted, text[0]), sums->counted == 1 ? "" : "s",
           (double)outcome->bytes / 1e6, grouped(outcome->words, text[1]), outcome->words == 1 ? "" : "s",
           grouped(outcome->different, text[2]));
    if (sums->binary) printf("; %s binary skipped", grouped(sums->binary, text[3]));
    if (sums->unreadable) printf("; %s unreadable", grouped(sums->unreadable, text[3]));
    printf("\n");
}

static int show_top(const struct outcome *outcome, size_t most)
{
    const struct word **top;
    char text[32];
    const long count = outcome_top(outcome, most, &top);
    if (count < 0) return (int)count;
    for (long i = 0; i < count; i++) printf("%15s  %s\n", grouped(top[i]->count, text), (const char *)top[i]->text);
    free(top);
    return 0;
}

static void show_time(const char *how, const struct sums *sums, const struct outcome *outcome)
{
    char text[32];
    printf("%-14s %8.3f s %11s files/s %9.1f MB/s", how, outcome->seconds,
           grouped((uint64_t)((double)sums->counted / outcome->seconds), text), (double)outcome->bytes / 1e6 / outcome->seconds);
}

static int compare(const struct outcome *alone, const struct outcome *together)
{
    const int same = outcome_same(alone, together);
    const double ratio = alone->seconds / together->seconds;
    if (same > 0) printf("  %.2f times as fast, same result\n", ratio);
    else printf("\n");
    if (same == 0) fprintf(stderr, "wordcount: the results differ!  (Or has a file been changed meanwhile?)\n");
    if (same < 0) fprintf(stderr, "wordcount: comparing: %s\n", plait_strerror(same));
    return same > 0 ? 0 : FAILED;
}

static int report(const struct files *files, const struct options *options, const struct outcome *alone,
                  const struct outcome *together)
{
    const struct sums sums = sum_up(files);
    char how[32];
    show_sums(&sums, together);
    if (show_top(together, options->words) < 0) fprintf(stderr, "wordcount: no memory for the table of words\n");
    printf("Reading from the page cache, counting and merging, with starting and ending the workers:\n");
    show_time("inline", &sums, alone);
    printf("\n");
    snprintf(how, sizeof how, "%d process%s", together->workers, together->workers == 1 ? "" : "es");
    show_time(how, &sums, together);
    return compare(alone, together) || !(sums.counted + sums.binary);
}

/* --- main ------------------------------------------------------------------------------------------------------------- */

static int count_twice(const struct files *files, const struct options *options, struct progress *progress)
{
    struct outcome alone = { 0 }, together = { 0 };
    const uint64_t size = size_of(files);
    progress_phase(progress, "reading", size);
    warm_up(files, progress);
    progress_phase(progress, "inline", size);
    int failed = count(files, &(plait_pool_options){ .kind = PLAIT_INLINE }, progress, &alone);
    progress_phase(progress, "processes", size);
    if (!failed)
        failed = count(files, &(plait_pool_options){ .kind = PLAIT_PROCESSES, .workers = options->workers, .name = "wordcount" },
                       progress, &together);
    progress_end(progress);
    if (!failed) failed = report(files, options, &alone, &together);
    outcome_free(&alone);
    outcome_free(&together);
    return failed;
}

int main(int argc, char **argv)
{
    const struct options options = parse_options(argc, argv);
    struct files files = { 0 };
    const int error = plait_init(&argc, &argv);
    if (error) {
        complain("no shared memory", error);
        return FAILED;
    }
    catch_signals();
    int failed = list_files(&files, argc - optind, argv + optind);
    if (!failed) {
        struct progress *progress = progress_begin();
        failed = progress ? count_twice(&files, &options, progress) : complain("no memory", errno);
    }
    files_free(&files);
    if (fflush(stdout) == 0 && !ferror(stdout)) return failed ? FAILED : 0;
    fprintf(stderr, "wordcount: standard output: %s\n", strerror(errno));
    return FAILED;
}
