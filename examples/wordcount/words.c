/* words.c - words, bags of words, and the table that finds them again. */
#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <plait.h>

/* --- the room --------------------------------------------------------------------------------------------------------- */

struct room *room_new(size_t size)
{
    if (size > (size_t)UINT32_MAX * UNIT) {                /* slots hold no larger numbers */
        errno = ENOMEM;
        return NULL;
    }
    struct room *room = plait_alloc(sizeof *room + size);
    if (room) room->size = size;
    return room;
}

void *room_take(struct room *room, size_t size)
{
    const size_t at = atomic_fetch_add_explicit(&room->used, (size + UNIT - 1) / UNIT * UNIT, memory_order_relaxed);
    return at <= room->size && size <= room->size - at ? room->memory + at : NULL;
}

/* --- bags ------------------------------------------------------------------------------------------------------------- */

static struct segment *bag_grow(struct bag *bag, struct room *room)
{
    struct segment *segment = room_take(room, SEGMENT_SIZE);
    if (!segment) return NULL;
    segment->next = NULL;
    segment->used = 0;
    if (bag->last) bag->last->next = segment;
    else bag->first = segment;
    bag->last = segment;
    return segment;
}

struct word *bag_add(struct bag *bag, struct room *room, const struct key *key)
{
    const size_t size = sizeof(struct word) + key->units * UNIT;
    struct segment *segment = bag->last;
    if (!segment || segment->used + size > SEGMENT_SIZE - sizeof *segment) segment = bag_grow(bag, room);
    if (!segment) return NULL;
    struct word *word = (struct word *)(segment->memory + segment->used);
    word->count = 0;
    for (unsigned i = 0; i < key->units; i++) word->text[i] = key->text[i];
    segment->used += size;
    bag->words++;
    return word;
}

/* The last unit is the one that ends in a zero byte. */
static struct key key_of_text(const uint64_t *text)
{
    uint64_t hash = 0;
    uint32_t units = 0;
    do hash = hash_unit(hash, text[units]);
    while (le64toh(text[units++]) >> 56);
    return (struct key){ (uint32_t)(hash >> 32), units, text };
}

bool bag_next(struct bag_walk *walk, const struct word **word, struct key *key)
{
    while (walk->segment && walk->at == walk->segment->used) *walk = (struct bag_walk){ .segment = walk->segment->next };
    if (!walk->segment) return false;
    *word = (const struct word *)(walk->segment->memory + walk->at);
    *key = key_of_text((*word)->text);
    walk->at += sizeof **word + key->units * UNIT;
    return true;
}

/* --- the table -------------------------------------------------------------------------------------------------------- */

enum { BITS_AT_FIRST = 12, BITS_MOST = 31 };

/* 0 is no word.  Otherwise its place in the room, in units: half the size of a pointer, and so half the table's. */
struct slot {
    uint32_t hash;
    uint32_t word;
};

int table_open(struct table *table, struct room *room, struct bag *bags, bool by_partition)
{
    *table = (struct table){ .bits = BITS_AT_FIRST, .room = room, .bags = bags, .by_partition = by_partition };
    table->slots = calloc((size_t)1 << table->bits, sizeof table->slots[0]);
    return table->slots ? 0 : -ENOMEM;
}

void table_close(struct table *table)
{
    free(table->slots);
}

static struct word *word_at(const struct table *table, uint32_t place)
{
    return (struct word *)(table->room->memory + (size_t)place * UNIT);
}

static bool same_text(const struct word *word, const struct key *key)
{
    for (unsigned i = 0; i < key->units; i++)
        if (word->text[i] != key->text[i]) return false;
    return true;
}

/* Where the search for this hash begins.  The first bits are the same for all words of a partition: no use to tell them apart. */
static uint32_t home(const struct table *table, uint32_t hash)
{
    return hash << PARTITION_BITS >> (32 - table->bits);
}

/* The slot of the word, or the empty one where it would go. */
static struct slot *find_slot(const struct table *table, const struct key *key)
{
    const uint32_t mask = (1u << table->bits) - 1;
    for (uint32_t i = home(table, key->hash);; i = (i + 1) & mask) {
        struct slot *slot = &table->slots[i];
        if (!slot->word) return slot;
        if (slot->hash == key->hash && same_text(word_at(table, slot->word), key)) return slot;
    }
}

static void move_slots(struct table *table, const struct slot *old, size_t count)
{
    const uint32_t mask = (1u << table->bits) - 1;
    for (size_t n = 0; n < count; n++) {
        if (!old[n].word) continue;
        uint32_t i = home(table, old[n].hash);
        while (table->slots[i].word) i = (i + 1) & mask;
        table->slots[i] = old[n];
    }
}

/* Four times as many slots.  If there is no memory the table fills up a little more instead. */
static void grow(struct table *table)
{
    const size_t count = (size_t)1 << table->bits;
    if (table->bits + 2 > BITS_MOST) return;
    struct slot *slots = calloc(count * 4, sizeof slots[0]);
    if (!slots) return;
    struct slot *old = table->slots;
    table->slots = slots;
    table->bits += 2;
    move_slots(table, old, count);
    free(old);
}

/* There is always an empty slot, where a search for a word that is not there ends. */
static bool is_full(const struct table *table)
{
    return table->used + 1 == (size_t)1 << table->bits;
}

static void put(struct table *table, struct slot *slot, const struct key *key, const struct word *word)
{
    *slot = (struct slot){ key->hash, (uint32_t)(((const char *)word - table->room->memory) / UNIT) };
    if (++table->used > ((size_t)1 << table->bits) / 2) grow(table);
}

static struct word *add_new(struct table *table, struct slot *slot, const struct key *key)
{
    struct bag *bag = table->by_partition ? &table->bags[key->hash >> (32 - PARTITION_BITS)] : table->bags;
    struct word *word = is_full(table) ? NULL : bag_add(bag, table->room, key);
    if (word) put(table, slot, key, word);
    else table->error = is_full(table) ? -ENOMEM : ROOM_FULL;
    return word;
}

void table_add(struct table *table, const struct key *key, uint64_t count)
{
    struct slot *slot = find_slot(table, key);
    struct word *word = slot->word ? word_at(table, slot->word) : add_new(table, slot, key);
    if (word) word->count += count;
}

void table_index(struct table *table, const struct bag *bag)
{
    struct bag_walk walk = { .segment = bag->first };
    const struct word *word;
    struct key key;
    while (!is_full(table) && bag_next(&walk, &word, &key)) put(table, find_slot(table, &key), &key, word);
    if (walk.segment) table->error = -ENOMEM;
}

const struct word *table_find(const struct table *table, const struct key *key)
{
    const struct slot *slot = find_slot(table, key);
    return slot->word ? word_at(table, slot->word) : NULL;
}
