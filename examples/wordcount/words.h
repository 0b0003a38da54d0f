/* words.h - words, and where they lie in shared memory. */
#ifndef WORDCOUNT_WORDS_H
#define WORDCOUNT_WORDS_H

#include <endian.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A word is a run of ASCII letters, digits, underscores and bytes from 0x80 up, which is to say every letter of UTF-8 that is
 * not ASCII.  A-Z count as a-z.  Of a longer word than this the rest is ignored: words that begin alike are the same word. */
enum { WORD_MOST = 255 };

/* The text is padded with zeros to whole units of eight bytes, with one zero at least, so that words can be compared and hashed
 * eight bytes at a time, and printed as they are. */
enum { UNIT = 8, UNITS_MOST = WORD_MOST / UNIT + 1 };

struct word {
    uint64_t count;
    uint64_t text[];
};

/* A word that is looked for. */
struct key {
    uint32_t hash;
    uint32_t units;
    const uint64_t *text;
};

/* The hash of a text is made unit by unit, beginning with 0; the upper half of the last result is the hash. */
static inline uint64_t hash_unit(uint64_t hash, uint64_t unit)
{
    return ((hash << 32 | hash >> 32) ^ le64toh(unit)) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Shared memory from which many processes take pieces without a lock, and which is given back as a whole.  A process that is
 * killed leaves what it had taken unused, and nothing else. */
struct room {
    size_t size;
    _Atomic size_t used;
    char memory[] __attribute__((aligned(64)));
};

struct room *room_new(size_t size);                        /* NULL: errno says why; to be freed by plait_free */
void *room_take(struct room *room, size_t size);           /* aligned to UNIT; NULL: it is full */

/* Words one behind the other, in segments of a room.  Plain pointers: all processes see them at the same place.  Segments are
 * small, as the last one of a bag is rarely full, and there are many bags. */
enum { SEGMENT_SIZE = 4096 };

struct segment {
    struct segment *next;
    size_t used;                                           /* bytes of memory[] */
    char memory[];
};

struct bag {
    struct segment *first, *last;
    uint64_t words;
};

struct word *bag_add(struct bag *bag, struct room *room, const struct key *key);    /* with a count of 0; NULL: the room is full */

/* The words of a bag in turn: start with a struct bag_walk { .segment = bag->first }; false at the end. */
struct bag_walk {
    const struct segment *segment;
    size_t at;
};

bool bag_next(struct bag_walk *walk, const struct word **word, struct key *key);

/* The first bits of its hash say which partition a word belongs to. */
enum { PARTITION_BITS = 5, PARTITIONS = 1 << PARTITION_BITS };

/* Where the words of bags are found again: a hash table in the process's own memory. */
struct table {
    struct slot *slots;
    unsigned bits;                                         /* there are 1 << bits slots */
    uint32_t used;
    struct room *room;                                     /* where all the words lie */
    struct bag *bags;                                      /* where new ones go */
    bool by_partition;                                     /* there is one of these for each partition, not one for all */
    int error;                                             /* ROOM_FULL or -ENOMEM, if words had to be left out */
};

enum { ROOM_FULL = 1 };

int table_open(struct table *table, struct room *room, struct bag *bags, bool by_partition);      /* 0 or -ENOMEM */
void table_close(struct table *table);                     /* the bags stay */

/* That word has been seen so many times more. */
void table_add(struct table *table, const struct key *key, uint64_t count);

/* From now on the words of that bag are found too; none of them may have been in the table. */
void table_index(struct table *table, const struct bag *bag);
const struct word *table_find(const struct table *table, const struct key *key);

#endif
