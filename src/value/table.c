/* The tables of dicts and sets: entries in the order of insertion, and an index into them. */
#include "value/value.h"

#include <stdlib.h>

#include "value/container.h"
#include "value/walk.h"

enum { FIRST_CAPACITY = 4, SEARCHED = 8, GROWN = 4096, MOST_BITS = 30 };     /* up to SEARCHED entries have no index */

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

/* Those that were taken out go for good. */
static void close_gaps(struct plait__table *table)
{
    uint32_t filled = 0;
    for (uint32_t i = 0; i < table->filled && table->used < table->filled; i++)
        if (table->entries[i].key) table->entries[filled++] = table->entries[i];
    table->filled = table->used;
}

/* Entries stay where they are, if the C library can do that: for large tables new pages cost more than anything else. */
static int resize(plait_value *dict, uint32_t capacity, uint32_t bits)
{
    struct plait__table *table = dict->as.dict.table;
    const size_t slots = bits ? (size_t)1 << bits : 0;
    const size_t size = sizeof *table + capacity * sizeof table->entries[0] + slots * sizeof(uint32_t);
    const bool is_new = !table;
    table = table ? realloc(table, size) : malloc(size);
    if (!table) {
        plait__no_memory();
        return -ENOMEM;
    }
    dict->as.dict.table = table;
    if (is_new) table->used = table->filled = 0;
    close_gaps(table);
    table->capacity = capacity;
    table->bits = bits;
    memset(index_in(table), 0, slots * sizeof(uint32_t));
    for (uint32_t i = 0; i < table->filled && bits; i++) put_into_index(table, table->entries[i].hash, i);
    return 0;
}

/* Room for n entries, of which half are free in the index. */
static int make_room(plait_value *dict, size_t n)
{
    const struct plait__table *before = dict->as.dict.table;
    uint32_t capacity = before && before->capacity < n ? before->capacity : FIRST_CAPACITY;
    while (capacity < n && capacity < 1u << MOST_BITS) capacity *= 2;
    if (capacity < n) return -plait__fail(ENOMEM, "a dict or a set of more than %u items", 1u << MOST_BITS);
    if (before && capacity < before->capacity) capacity = before->capacity;
    return resize(dict, capacity, capacity > SEARCHED ? (uint32_t)__builtin_ctz(capacity) + 1 : 0);
}

int plait__table_reserve(plait_value *dict, size_t n)
{
    const struct plait__table *table = dict->as.dict.table;
    if (table ? n <= table->capacity - table->filled : n == 0) return 0;
    return make_room(dict, (table ? table->used : 0) + n);
}

/* Small tables become four times as large: to put all entries into the index anew takes as long as to put them in at first. */
static int room_for_another(plait_value *dict)
{
    const struct plait__table *table = dict->as.dict.table;
    if (!table) return make_room(dict, FIRST_CAPACITY);
    const uint32_t capacity = table->capacity;
    if (PLAIT__LIKELY(table->filled < capacity)) return 0;
    if (table->used <= capacity / 2) return make_room(dict, capacity);
    return make_room(dict, (size_t)capacity * (capacity >= SEARCHED && capacity < GROWN ? 4 : 2));
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

/* With objects in the key.  Python's plain objects are equal only to themselves, but which are so nobody here can know: pickles
 * bring several keys that look alike (`apart`).  The first of them lies where its state says, where those that are like it find it,
 * and the others where their addresses say. */
static int find_objects(const plait_value *dict, const plait_value *key, uint64_t *hash, bool apart, struct plait__entry **found)
{
    struct plait__work by_state = { .depth = 0 }, work = { .apart = true };
    struct plait__entry *alike = NULL;
    uint64_t own;
    int is = plait__table_find_hashed(dict, key, *hash, &by_state, &alike);
    if (is == 1) is = plait__same(alike->key, key, &work);
    *found = alike;
    if (is) return is;
    work.depth = work.visits = 0;
    is = plait__key_hash(key, &own, &work);
    work.visits = 0;
    if (!is) is = plait__table_find_hashed(dict, key, own, &work, found);
    if (is || !alike) return is;
    *found = alike;
    if (apart) *hash = own;
    return !apart;
}

/* work->objects: there are some in the key. */
static int find(const plait_value *dict, const plait_value *key, uint64_t *hash, bool apart, struct plait__work *work,
                struct plait__entry **found)
{
    if (PLAIT__LIKELY(key->type == PLAIT_STRING)) {
        size_t size;
        const char *bytes = plait__bytes_of(key, &size);
        *hash = plait__string_hash(bytes, size);
    } else {
        const int error = plait__key_hash(key, hash, work);
        if (error) return error;
        if (work->objects) return find_objects(dict, key, hash, apart, found);
    }
    work->visits = 0;
    return plait__table_find_hashed(dict, key, *hash, work, found);
}

int plait__table_find(const plait_value *dict, const plait_value *key, struct plait__entry **found)
{
    uint64_t hash;
    struct plait__work work = { .depth = 0 };
    return find(dict, key, &hash, false, &work, found);
}

/* ---- changing ---- */

static void add_entry(struct plait__table *table, struct plait__entry entry)
{
    table->entries[table->filled] = entry;
    if (table->bits) put_into_index(table, entry.hash, table->filled);
    table->filled++;
    table->used++;
}

static int put(plait_value *dict, plait_value *key, plait_value *value, bool apart)
{
    uint64_t hash;
    struct plait__entry *there;
    struct plait__work work = { .depth = 0 };
    const int found = find(dict, key, &hash, apart, &work, &there);
    int error = found < 0 ? found : 0;
    if (!error && plait__is_container(key)) error = plait__hold(dict, key);
    if (!error && value && plait__is_container(value)) error = plait__hold(dict, value);
    if (!error && !found) error = room_for_another(dict);
    if (error) return error;
    if (!found) {
        if (PLAIT__UNLIKELY(work.objects)) dict->flags |= PLAIT__OBJECTS;
        add_entry(dict->as.dict.table, (struct plait__entry){ hash, key, value });
        return 1;
    }
    plait_value *before = there->value;
    there->value = value;
    plait_value_free(before);
    plait_value_free(key);
    return 0;
}

static inline int put_or_free(plait_value *dict, plait_value *key, plait_value *value, bool apart)
{
    const int is_new = put(dict, key, value, apart);
    if (PLAIT__UNLIKELY(is_new < 0)) {
        plait_value_free(key);
        plait_value_free(value);
    }
    return is_new;
}

int plait__table_put(plait_value *dict, plait_value *key, plait_value *value)
{
    return put_or_free(dict, key, value, false);
}

int plait__table_put_apart(plait_value *dict, plait_value *key, plait_value *value)
{
    return put_or_free(dict, key, value, true);
}

static bool is_string(const plait_value *key)
{
    return key && key->type == PLAIT_STRING;
}

/* A string that is not there yet goes where the search for it ended; room for it is there. */
static void put_string(struct plait__table *table, uint64_t hash, plait_value *key, plait_value *value)
{
    uint32_t *index = index_in(table);
    const uint32_t mask = (1u << table->bits) - 1, mark = mark_of(hash, table->bits);
    uint32_t at = (uint32_t)hash & mask;
    for (; index[at]; at = (at + 1) & mask) {
        struct plait__entry *entry = &table->entries[(index[at] & mask) - 1];
        if ((index[at] & ~mask) != mark || entry->hash != hash) continue;
        if (!is_string(entry->key) || !equal_strings(entry->key, key)) continue;
        plait_value *before = entry->value;
        entry->value = value;
        plait_value_free(before);
        plait_value_free(key);
        return;
    }
    table->entries[table->filled] = (struct plait__entry){ hash, key, value };
    index[at] = mark | ++table->filled;
    table->used++;
}

/* The index is large, and what is looked up in it lies anywhere: it is asked for before it is needed. */
void plait__table_put_strings(plait_value *dict, plait_value *const *pairs, size_t count)
{
    struct plait__table *table = dict->as.dict.table;
    const uint32_t *index = index_in(table), mask = (1u << table->bits) - 1;
    uint64_t hashes[PLAIT__AT_ONCE];
    for (size_t i = 0; i < count; i++) {
        size_t size;
        const char *bytes = plait__bytes_of(pairs[2 * i], &size);
        hashes[i] = plait__string_hash(bytes, size);
        __builtin_prefetch(&index[(uint32_t)hashes[i] & mask], 1);
    }
    for (size_t i = 0; i < count; i++) put_string(table, hashes[i], pairs[2 * i], pairs[2 * i + 1]);
}

/* The entry stays in the index until the table grows: it has no key. */
void plait__table_take(plait_value *dict, struct plait__entry *entry)
{
    entry->key = entry->value = NULL;
    if (--dict->as.dict.table->used > 0) return;
    free(dict->as.dict.table);
    dict->as.dict.table = NULL;
}
