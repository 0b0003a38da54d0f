/* scan.h - finding the words of a file. */
#ifndef WORDCOUNT_SCAN_H
#define WORDCOUNT_SCAN_H

#include <stdint.h>

#include "words.h"

/* What was found, besides the words. */
struct found {
    uint64_t words;
    uint64_t bytes;
};

/* Where the work is done: what has been read of the file, and where in it words begin and end. */
enum { DESK = 64 * 1024 };

struct desk {
    unsigned char bytes[DESK];
    uint32_t marks[DESK + 1];
};

/* Is a file that begins with these bytes binary?  The first 8 KiB count. */
bool looks_binary(const unsigned char *begin, size_t length);

/* Count those words of the open file which begin in [begin, end), into the table; what they and their bytes come to is added to
 * *found.  The whole file is 0 to INT64_MAX.  0, SCAN_BINARY, or -errno of a read. */
enum { SCAN_BINARY = 1 };

int scan(int fd, int64_t begin, int64_t end, struct desk *desk, struct table *table, struct found *found);

#endif
