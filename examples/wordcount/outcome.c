/* outcome.c - looking at what was counted. */
#include "count.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- the same? -------------------------------------------------------------------------------------------------------- */

static bool all_in_table(const struct bag *bag, const struct table *table)
{
    struct bag_walk walk = { .segment = bag->first };
    const struct word *word;
    struct key key;
    while (bag_next(&walk, &word, &key)) {
        const struct word *found = table_find(table, &key);
        if (!found || found->count != word->count) return false;
    }
    return true;
}

static int same_partition(const struct outcome *one, const struct outcome *other, int partition)
{
    const struct bag *bag = &one->bags[partition];
    struct table table;
    if (bag->words != other->bags[partition].words) return 0;
    int same = table_open(&table, other->room, NULL, false);
    if (same < 0) return same;
    table_index(&table, &other->bags[partition]);
    same = table.error ? table.error : all_in_table(bag, &table);
    table_close(&table);
    return same;
}

int outcome_same(const struct outcome *one, const struct outcome *other)
{
    int same = one->words == other->words && one->different == other->different && one->bytes == other->bytes;
    for (int i = 0; same > 0 && i < PARTITIONS; i++) same = same_partition(one, other, i);
    return same;
}

/* --- the most frequent words ------------------------------------------------------------------------------------------ */

/* Which comes first: < 0 the first, > 0 the second. */
static int compare(const void *first, const void *second)
{
    const struct word *one = *(const struct word *const *)first, *other = *(const struct word *const *)second;
    if (one->count != other->count) return one->count > other->count ? -1 : 1;
    return strcmp((const char *)one->text, (const char *)other->text);
}

static int compare_backwards(const void *first, const void *second)
{
    return compare(second, first);
}

/* words[] is a heap: whoever comes last is words[0], and whoever is at i comes after those at 2i+1 and 2i+2.  The last one leaves,
 * and the new one sinks to its place. */
static void replace_last(const struct word **words, size_t count, const struct word *new)
{
    size_t at = 0;
    for (size_t below; (below = 2 * at + 1) < count; at = below) {
        if (below + 1 < count && compare(&words[below + 1], &words[below]) > 0) below++;
        if (compare(&words[below], &new) <= 0) break;
        words[at] = words[below];
    }
    words[at] = new;
}

/* Take the words of the bag that belong to the first `most` of those seen so far. */
static size_t choose(const struct word **words, size_t count, size_t most, const struct bag *bag)
{
    struct bag_walk walk = { .segment = bag->first };
    const struct word *word;
    struct key key;
    while (bag_next(&walk, &word, &key)) {
        if (count == most) {
            if (compare(&word, &words[0]) < 0) replace_last(words, count, word);
            continue;
        }
        words[count++] = word;
        if (count == most) qsort(words, count, sizeof words[0], compare_backwards);      /* which is a heap */
    }
    return count;
}

long outcome_top(const struct outcome *outcome, size_t most, const struct word ***top)
{
    if (most > outcome->different) most = outcome->different;
    const struct word **words = malloc((most + 1) * sizeof words[0]);
    size_t count = 0;
    if (!words) return -ENOMEM;
    for (int i = 0; most && i < PARTITIONS; i++) count = choose(words, count, most, &outcome->bags[i]);
    qsort(words, count, sizeof words[0], compare);
    *top = words;
    return (long)count;
}
