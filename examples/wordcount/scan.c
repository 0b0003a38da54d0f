/* scan.c - finding the words of a file.
 *
 * It is read, not mapped: a file that shrinks meanwhile is then simply shorter, where a mapping would mean SIGBUS.
 */
#include "scan.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* What each byte counts as: a-z for A-Z, 0 for what is no part of a word. */
#define NONE_16 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define SAME_16(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9, n + 10, n + 11, n + 12, n + 13, n + 14, n + 15

static const unsigned char fold[256] = {
    NONE_16, NONE_16, NONE_16,
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 0, 0, 0, 0, 0, 0,
    0, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 0, 0, 0, 0, '_',
    0, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 0, 0, 0, 0, 0,
    SAME_16(0x80), SAME_16(0x90), SAME_16(0xa0), SAME_16(0xb0), SAME_16(0xc0), SAME_16(0xd0), SAME_16(0xe0), SAME_16(0xf0),
};

/* What is on the desk, and where in the file that is. */
struct scanner {
    int fd;
    int64_t next;              /* where the next read begins */
    int64_t end;               /* words that begin here or later are not ours */
    struct desk *desk;
    size_t length;             /* of what has been read to the desk */
    bool all;                  /* that is the rest of the file */
    struct table *table;
    struct found *found;
};

/* Bytes behind what is read, for looking at the last word in whole units. */
enum { SLACK = UNIT };

/* --- reading ---------------------------------------------------------------------------------------------------------- */

static ssize_t read_at(int fd, void *buffer, size_t size, int64_t offset)
{
    ssize_t got;
    do got = pread(fd, buffer, size, offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* Read on, behind the first `keep` bytes. */
static int read_more(struct scanner *scanner, size_t keep)
{
    const ssize_t got = read_at(scanner->fd, scanner->desk->bytes + keep, DESK - SLACK - keep, scanner->next);
    if (got < 0) return (int)got;
    scanner->next += got;
    scanner->length = keep + (size_t)got;
    scanner->all = got == 0;
    return 0;
}

/* --- binary files ----------------------------------------------------------------------------------------------------- */

enum { BINARY_LOOKS_AT = 8192 };

bool looks_binary(const unsigned char *begin, size_t length)
{
    return memchr(begin, 0, length < BINARY_LOOKS_AT ? length : BINARY_LOOKS_AT);
}

/* Read our first bytes, and look at those that the file begins with: 0, SCAN_BINARY or -errno. */
static int begin_reading(struct scanner *scanner)
{
    if (scanner->next > 0) {
        const ssize_t got = read_at(scanner->fd, scanner->desk->bytes, BINARY_LOOKS_AT, 0);
        if (got < 0) return (int)got;
        if (looks_binary(scanner->desk->bytes, (size_t)got)) return SCAN_BINARY;
        return read_more(scanner, 0);
    }
    const int error = read_more(scanner, 0);
    return error ? error : looks_binary(scanner->desk->bytes, scanner->length) ? SCAN_BINARY : 0;
}

/* --- words ------------------------------------------------------------------------------------------------------------ */

static void count_word(struct scanner *scanner, const unsigned char *word, size_t length)
{
    uint64_t text[UNITS_MOST], hash = 0;
    unsigned units = 0;
    if (length > WORD_MOST) length = WORD_MOST;
    for (; length >= UNIT; length -= UNIT, word += UNIT) {
        memcpy(&text[units], word, UNIT);
        hash = hash_unit(hash, text[units++]);
    }
    memcpy(&text[units], word, UNIT);
    text[units] &= htole64((UINT64_C(1) << 8 * length) - 1);             /* only the rest of the word, then zeros */
    hash = hash_unit(hash, text[units++]);
    table_add(scanner->table, &(struct key){ (uint32_t)(hash >> 32), units, text }, 1);
    scanner->found->words++;
}

/* Fold the bytes from `at` on, and mark where words begin and end, in turns.  Returns the number of marks; the end of a word that
 * goes on behind what has been read is marked too, but not counted.
 *
 * There is no branch in the loop.  Whether a byte is part of a word is hard to predict, and a CPU that guesses wrong loses more
 * time than ten bytes take: this is three times as fast as to stop at the end of each word. */
static size_t mark_words(struct desk *desk, size_t at, size_t length)
{
    size_t count = 0;
    bool inside = false;
    for (; at < length; at++) {
        const unsigned char byte = fold[desk->bytes[at]];
        desk->bytes[at] = byte;
        desk->marks[count] = (uint32_t)at;
        count += (byte != 0) != inside;
        inside = byte != 0;
    }
    desk->marks[count] = (uint32_t)length;
    return count;
}

/* Count the words from `at` on that begin before `stop`.  Where it ended: at or behind the stop, or at the begin of a word that
 * goes on behind what has been read. */
static size_t count_words(struct scanner *scanner, size_t at, size_t stop)
{
    const struct desk *desk = scanner->desk;
    const size_t count = mark_words(scanner->desk, at, scanner->length);
    for (size_t i = 0; i < count; i += 2) {
        const size_t begin = desk->marks[i], end = desk->marks[i + 1];
        if (begin >= stop || (i + 1 == count && !scanner->all)) return begin;
        count_word(scanner, desk->bytes + begin, end - begin);
    }
    return scanner->length;
}

/* Where on the desk `end` is; at most its length. */
static size_t find_stop(const struct scanner *scanner)
{
    const int64_t left = scanner->end - (scanner->next - (int64_t)scanner->length);
    return left <= 0 ? 0 : left < (int64_t)scanner->length ? (size_t)left : scanner->length;
}

/* The first byte on the desk is the one before ours: if it belongs to a word, so does what follows it, and the word is not ours.
 * Where the first word that may be ours begins. */
static int skip_word(struct scanner *scanner, size_t *at)
{
    for (;;) {
        while (*at < scanner->length && fold[scanner->desk->bytes[*at]]) ++*at;
        if (*at < scanner->length || scanner->all || find_stop(scanner) < scanner->length) return 0;
        const int error = read_more(scanner, 0);
        if (error) return error;
        *at = 0;
    }
}

/* Count from `at` on, and read on until everything that is ours has been counted. */
static int count_all(struct scanner *scanner, size_t at)
{
    for (size_t kept = 0;;) {
        size_t stop = find_stop(scanner);
        if (kept && !stop) stop = 1;                        /* what was kept of a word is ours, wherever its rest may lie */
        at = count_words(scanner, at, stop);
        if (scanner->all || (at >= stop && stop < scanner->length)) return 0;
        kept = scanner->length - at;
        if (kept > WORD_MOST) kept = WORD_MOST;             /* enough to know that it is too long */
        memmove(scanner->desk->bytes, scanner->desk->bytes + at, kept);
        const int error = read_more(scanner, kept);
        if (error) return error;
        at = 0;
    }
}

int scan(int fd, int64_t begin, int64_t end, struct desk *desk, struct table *table, struct found *found)
{
    struct scanner scanner = { .fd = fd, .next = begin ? begin - 1 : 0, .end = end, .desk = desk, .table = table,
                               .found = found };
    size_t at = 0;
    int error = begin_reading(&scanner);
    if (!error && begin) error = skip_word(&scanner, &at);
    if (!error) error = count_all(&scanner, at);
    const int64_t ended = scanner.all && scanner.next < end ? scanner.next : end;
    if (!error && ended > begin) found->bytes += (uint64_t)(ended - begin);
    return error;
}
