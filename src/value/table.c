/* The tables of dicts and sets: entries in the order of insertion, and an index into them. */
#include "value/value.h"

#include <stdlib.h>

#include "value/container.h"
#include "value/walk.h"

enum { FIRST_CAPACITY = 4, SEARCHED = 8, MOST_BITS = 30 };     /* up to SEARCHED entries have no index */

static uint32_t *index_in(const struct plait__table *table)
{
    return (uint32_t *)(uintptr_t)(table->entries + table->capacity);
}

/* The part of the hash that fits above the entry's number. */
static uint32_t mark_of(uint64_t hash, uint32_t bits)
{
    return (uint32_t)(hash >> 32) << bits;
}

static void put_into_index(struct plait__table *table, uint64_t hash, uint32_t entry)
{
    uint32_t *index = index_in(table);
    const uint32_t mask = (1u << table->bits) - 1;
    uint32_t at = (uint32_t)hash & mask;
    while (index[at]) at = (at + 1) & mask;
    index[at] = mark_of(hash, table->bits) | (entry + 1);
}

/* ---- growing ---- */

static struct plait__table *new_table(uint32_t capacity, uint32_t bits)
{
    const size_t slots = bits ? (size_t)1 << bits : 0;
    struct plait__table *table =
        malloc(sizeof *table + capacity * sizeof table->entries[0] + slots * sizeof(uint32_t));
    if (!table) return plait__no_memory();
    *table = (struct plait__table){ .capacity = capacity, .bits = bits };
    memset(index_in(table), 0, slots * sizeof(uint32_t));
    return table;
}

/* Those that were taken out do not come along. */
static void move_entries(struct plait__table *to, const struct plait__table *from)
{
    for (uint32_t i = 0; i < from->filled; i++)
        if (from->entries[i].key) to->entries[to->filled++] = from->entries[i];
    to->used = to->filled;
    if (!to->bits) return;
    for (uint32_t i = 0; i < to->filled; i++) put_into_index(to, to->entries[i].hash, i);
}

/* Room for n entries, of which half are free in the index. */
static int make_table(plait_value *dict, size_t n)
{
    uint32_t bits = 0, capacity = FIRST_CAPACITY;
    while (capacity < n && capacity < 1u << MOST_BITS) capacity *= 2;
    if (capacity < n) return -plait__fail(ENOMEM, "a dict or a set of more than %u items", 1u << MOST_BITS);
    if (capacity > SEARCHED) bits = (uint32_t)__builtin_ctz(capacity) + 1;
    struct plait__table *table = new_table(capacity, bits), *before = dict->as.dict.table;
    if (!table) return -ENOMEM;
    if (before) move_entries(table, before);
    free(before);
    dict->as.dict.table = table;
    return 0;
}

int plait__table_reserve(plait_value *dict, size_t n)
{
    const struct plait__table *table = dict->as.dict.table;
    if (table ? n <= table->capacity - table->filled : n == 0) return 0;
    return make_table(dict, (table ? table->used : 0) + n);
}

static int room_for_another(plait_value *dict)
{
    const struct plait__table *table = dict->as.dict.table;
    if (!table) return make_table(dict, FIRST_CAPACITY);
    if (PLAIT__LIKELY(table->filled < table->capacity)) return 0;
    return make_table(dict, table->used > table->capacity / 2 ? (size_t)table->capacity * 2 : table->capacity);
}

/* ---- finding ---- */

static bool equal_strings(const plait_value *a, const plait_value *b)
{
    size_t size_a, size_b;
    const char *of_a = plait__bytes_of(a, &size_a), *of_b = plait__bytes_of(b, &size_b);
    return size_a == size_b && memcmp(of_a, of_b, size_a) == 0;
}

static int is_it(const struct plait__entry *entry, const plait_value *key, uint64_t hash, struct plait__work *work)
{
    if (!entry->key || entry->hash != hash) return 0;
    if (entry->key == key) return 1;
    if (entry->key->type == PLAIT_STRING && key->type == PLAIT_STRING) return equal_strings(entry->key, key);
    return plait__same(entry->key, key, work);
}

static int search(struct plait__table *table, const plait_value *key, uint64_t hash, struct plait__work *work,
                  struct plait__entry **found)
{
    for (uint32_t i = 0; i < table->filled; i++) {
        const int is = is_it(&table->entries[i], key, hash, work);
        if (is == 1) *found = &table->entries[i];
        if (is) return is;
    }
    return 0;
}

int plait__table_find_hashed(const plait_value *dict, const plait_value *key, uint64_t hash, struct plait__work *work,
                             struct plait__entry **found)
{
    struct plait__table *table = dict->as.dict.table;
    if (!table) return 0;
    if (!table->bits) return search(table, key, hash, work, found);
    const uint32_t *index = index_in(table), mask = (1u << table->bits) - 1, mark = mark_of(hash, table->bits);
    for (uint32_t at = (uint32_t)hash & mask; index[at]; at = (at + 1) & mask) {
        if ((index[at] & ~mask) != mark) continue;
        struct plait__entry *entry = &table->entries[(index[at] & mask) - 1];
        const int is = is_it(entry, key, hash, work);
        if (is == 1) *found = entry;
        if (is) return is;
    }
    return 0;
}

static int find(const plait_value *dict, const plait_value *key, uint64_t *hash, struct plait__entry **found)
{
    struct plait__work work = { .depth = 0 };
    if (PLAIT__LIKELY(key->type == PLAIT_STRING)) {
        size_t size;
        const char *bytes = plait__bytes_of(key, &size);
        *hash = plait__string_hash(bytes, size);
    } else {
        const int error = plait__key_hash(key, hash, &work);
        if (error) return error;
    }
    work.visits = 0;
    return plait__table_find_hashed(dict, key, *hash, &work, found);
}

int plait__table_find(const plait_value *dict, const plait_value *key, struct plait__entry **found)
{
    uint64_t hash;
    return find(dict, key, &hash, found);
}

/* ---- changing ---- */

static void add_entry(struct plait__table *table, struct plait__entry entry)
{
    table->entries[table->filled] = entry;
    if (table->bits) put_into_index(table, entry.hash, table->filled);
    table->filled++;
    table->used++;
}

static int put(plait_value *dict, plait_value *key, plait_value *value)
{
    uint64_t hash;
    struct plait__entry *there;
    const int found = find(dict, key, &hash, &there);
    int error = found < 0 ? found : plait__hold(dict, key);
    if (!error && value) error = plait__hold(dict, value);
    if (!error && !found) error = room_for_another(dict);
    if (error) return error;
    if (!found) {
        add_entry(dict->as.dict.table, (struct plait__entry){ hash, key, value });
        return 1;
    }
    plait_value *before = there->value;
    there->value = value;
    plait_value_free(before);
    plait_value_free(key);
    return 0;
}

int plait__table_put(plait_value *dict, plait_value *key, plait_value *value)
{
    const int is_new = put(dict, key, value);
    if (PLAIT__UNLIKELY(is_new < 0)) {
        plait_value_free(key);
        plait_value_free(value);
    }
    return is_new;
}

/* The entry stays in the index until the table grows: it has no key. */
void plait__table_take(plait_value *dict, struct plait__entry *entry)
{
    entry->key = entry->value = NULL;
    if (--dict->as.dict.table->used > 0) return;
    free(dict->as.dict.table);
    dict->as.dict.table = NULL;
}
