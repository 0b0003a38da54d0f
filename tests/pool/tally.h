/* tally.h - a second, simple way to count words, to compare the example with; and files to count. */
#ifndef PLAIT_TEST_TALLY_H
#define PLAIT_TEST_TALLY_H

#include "harness.h"

#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tally {
    struct tally_word {
        char *text;
        unsigned long long count;
    } *words;
    size_t count, room;
    unsigned long long files, bytes, total;
};

/* --- counting --------------------------------------------------------------------------------------------------------- */

static inline bool tally_is_part(int byte)
{
    return isalnum(byte) || byte == '_' || byte >= 0x80;    /* in the C locale */
}

static inline void tally_word(struct tally *tally, const unsigned char *word, size_t length)
{
    if (tally->count == tally->room) {
        tally->room = tally->room ? tally->room * 2 : 1024;
        tally->words = realloc(tally->words, tally->room * sizeof *tally->words);
        assert_non_null(tally->words);
    }
    if (length > 255) length = 255;
    char *text = strndup((const char *)word, length);
    assert_non_null(text);
    for (char *at = text; *at; at++)
        if (*at >= 'A' && *at <= 'Z') *at = (char)(*at - 'A' + 'a');
    tally->words[tally->count++] = (struct tally_word){ text, 1 };
    tally->total++;
}

static inline void tally_file(struct tally *tally, const void *content, size_t size)
{
    const unsigned char *bytes = content;
    for (size_t at = 0; at < size;) {
        const size_t begin = at;
        while (at < size && tally_is_part(bytes[at])) at++;
        if (at > begin) tally_word(tally, bytes + begin, at - begin);
        else at++;
    }
    tally->files++;
    tally->bytes += size;
}

static inline int tally_by_text(const void *one, const void *other)
{
    return strcmp(((const struct tally_word *)one)->text, ((const struct tally_word *)other)->text);
}

static inline int tally_by_count(const void *one, const void *other)
{
    const struct tally_word *first = one, *second = other;
    if (first->count != second->count) return first->count > second->count ? -1 : 1;
    return tally_by_text(one, other);
}

static inline void tally_merge(struct tally *tally)
{
    size_t kept = 0;
    qsort(tally->words, tally->count, sizeof *tally->words, tally_by_text);
    for (size_t i = 0; i < tally->count; i++) {
        if (kept && strcmp(tally->words[kept - 1].text, tally->words[i].text) == 0) {
            tally->words[kept - 1].count += tally->words[i].count;
            free(tally->words[i].text);
        } else {
            tally->words[kept++] = tally->words[i];
        }
    }
    tally->count = kept;
    qsort(tally->words, tally->count, sizeof *tally->words, tally_by_count);
}

static inline void tally_free(struct tally *tally)
{
    for (size_t i = 0; i < tally->count; i++) free(tally->words[i].text);
    free(tally->words);
    *tally = (struct tally){ 0 };
}

/* --- what the example has to print ------------------------------------------------------------------------------------ */

static inline const char *tally_number(unsigned long long number)
{
    static char texts[8][32];
    static int next;
    char *text = texts[next++ % 8], plain[32];
    const int length = snprintf(plain, sizeof plain, "%llu", number);
    char *to = text;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) *to++ = ',';
        *to++ = plain[i];
    }
    *to = '\0';
    return text;
}

/* The first line and the table with all words, had each file been there `times` times; `more` ends the first line.  The caller
 * frees it. */
static inline char *tally_report(const struct tally *tally, unsigned times, const char *more)
{
    char *report;
    size_t size;
    FILE *stream = open_memstream(&report, &size);
    assert_non_null(stream);
    fprintf(stream, "wordcount: %s file%s, %.1f MB, %s word%s, %s different%s\n", tally_number(tally->files * times),
            tally->files * times == 1 ? "" : "s", (double)(tally->bytes * times) / 1e6, tally_number(tally->total * times),
            tally->total * times == 1 ? "" : "s",
            tally_number(tally->count), more);
    for (size_t i = 0; i < tally->count; i++)
        fprintf(stream, "%15s  %s\n", tally_number(tally->words[i].count * times), tally->words[i].text);
    fclose(stream);
    return report;
}

/* The output is that, and then the two times. */
static inline void assert_report(const char *output, const char *report)
{
    const size_t length = strlen(report);
    if (strncmp(output, report, length)) assert_string_equal(output, report);
    assert_non_null(strstr(output + length, "\ninline "));
    assert_non_null(strstr(output + length, " times as fast, same result\n"));
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

static inline void make_file(const char *name, const void *content, size_t size)
{
    const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, size), size);
    assert_int_equal(close(fd), 0);
}

static inline void make_folder(const char *name)
{
    assert_int_equal(mkdir(name, 0755), 0);
}

static inline int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    return remove(path);
}

static inline void remove_folder(const char *name)
{
    assert_int_equal(nftw(name, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Text of random words of 1 to 12 letters, of which some thousand differ; with capitals and punctuation. */
static inline void random_text(unsigned char *text, size_t size, uint64_t *random)
{
    static const char others[] = " \n  .,\n-  ";
    for (size_t at = 0; at < size;) {
        uint64_t word = test_random(random) % 5000, length = 1 + word % 12;
        word *= word;                                       /* its letters; and small numbers are more frequent */
        for (; length && at < size; length--, word = word / 7 + 3)
            text[at++] = (unsigned char)((word & 64 ? 'A' : 'a') + word % 26);
        if (at < size) text[at++] = (unsigned char)others[test_random(random) % (sizeof others - 1)];
    }
}

#endif
