/* Hashes: Python's for numbers, and those that dicts and sets go by, which are seeded. */
#include "value/value.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "value/builtin.h"
#include "value/number.h"
#include "value/walk.h"

/* ---- the seed: nobody can know which keys collide ---- */

static uint64_t seed[4];
static _Atomic bool seeded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Without the kernel's random bytes it has to be the clock, and where things lie in memory. */
static void make_seed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    seed[0] = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)now.tv_sec;
    seed[1] = (uintptr_t)&now * UINT64_C(0xbf58476d1ce4e5b9);
    seed[2] = (uintptr_t)make_seed * UINT64_C(0x94d049bb133111eb) ^ seed[0] >> 17;
    seed[3] = seed[0] ^ seed[1] << 23 ^ seed[2] >> 11;
    uint64_t random[4];
    if (getrandom(random, sizeof random, GRND_NONBLOCK) == sizeof random) memcpy(seed, random, sizeof seed);
    seed[3] |= 1;
    atomic_store_explicit(&seeded, true, memory_order_release);
}

static inline const uint64_t *the_seed(void)
{
    if (PLAIT__UNLIKELY(!atomic_load_explicit(&seeded, memory_order_acquire))) {
        int saved = errno;
        pthread_once(&once, make_seed);
        errno = saved;
    }
    return seed;
}

/* Both halves of a product: each bit of the word changes half of the result's. */
static uint64_t mix(uint64_t word)
{
    const uint64_t *with = the_seed();
    const unsigned __int128 product = (unsigned __int128)(word ^ with[2]) * (with[3] ^ word << 32);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* ---- texts: SipHash-1-3 ---- */

static inline uint64_t rotated(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

static inline void round_of(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotated(v[1], 13) ^ v[0];
    v[3] = rotated(v[3], 16) ^ v[2];
    v[0] = rotated(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotated(v[1], 17) ^ v[2];
    v[3] = rotated(v[3], 21) ^ v[0];
    v[2] = rotated(v[2], 32);
}

static inline uint64_t word_at(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* The bytes behind the last whole word, up to seven. */
static inline uint64_t rest_of(const unsigned char *at, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++) word |= (uint64_t)at[i] << 8 * i;
    return word;
}

uint64_t plait__string_hash(const void *bytes, size_t size)
{
    const uint64_t *key = the_seed();
    const unsigned char *at = bytes;
    uint64_t v[4] = { key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                      key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573) };
    for (size_t left = size; left >= 8; left -= 8, at += 8) {
        const uint64_t word = word_at(at);
        v[3] ^= word;
        round_of(v);
        v[0] ^= word;
    }
    const uint64_t last = rest_of(at, size & 7) | (uint64_t)size << 56;
    v[3] ^= last;
    round_of(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) round_of(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- values ---- */

static int hash_inside(const plait_value *value, uint64_t *hash, struct plait__work *work);

/* Item by item, in this order. */
static int hash_items(const plait_value *list, uint64_t *hash, struct plait__work *work)
{
    uint64_t all = mix(list->as.list.size ^ UINT64_C(0x7475706c65));
    work->visits += list->as.list.size / (PLAIT__ITEMS / 2);
    for (uint32_t i = 0; i < list->as.list.size; i++) {
        uint64_t one;
        int error = hash_inside(list->as.list.items[i], &one, work);
        if (!error) error = plait__check_visits(work);
        if (error) return error;
        all = mix(rotated(all, 23) ^ one);
    }
    *hash = all;
    return 0;
}

/* A tuple remembers 32 bits of its hash: without that, tuples of tuples that share others would take for ever. */
static int hash_tuple(const plait_value *tuple, uint64_t *hash, struct plait__work *work)
{
    _Atomic uint32_t *known = (_Atomic uint32_t *)(uintptr_t)&tuple->as.tuple.hash;
    uint32_t some = atomic_load_explicit(known, memory_order_relaxed);
    const bool changed_before = work->changes;
    if (!some) {
        work->changes = false;
        const int error = hash_items(tuple, hash, work);
        if (error) return error;
        some = (uint32_t)*hash | 1;
        if (!work->changes) atomic_store_explicit(known, some, memory_order_relaxed);
        work->changes |= changed_before;
    }
    *hash = mix(some);
    return 0;
}

/* In any order: what a frozenset holds has been hashed before, unless objects are apart, and a dict's values only are not. */
static int hash_entries(const plait_value *dict, uint64_t *hash, struct plait__work *work)
{
    uint64_t all = mix(plait__table_len(dict) ^ UINT64_C(0x736574));
    size_t position = 0;
    work->visits += plait__table_len(dict) / (PLAIT__ITEMS / 2);
    const bool has_objects = dict->flags & PLAIT__OBJECTS;
    work->objects |= has_objects;
    work->changes |= has_objects;
    for (const struct plait__entry *entry; (entry = plait__table_next(dict, &position));) {
        uint64_t one = 0, of_key = entry->hash;
        int error = has_objects && work->apart ? hash_inside(entry->key, &of_key, work) : 0;
        if (!error && entry->value) error = hash_inside(entry->value, &one, work);
        if (!error) error = plait__check_visits(work);
        if (error) return error;
        all += mix(of_key ^ rotated(one, 29));
    }
    *hash = mix(all);
    return 0;
}

/* Whether that is all of the hash. */
static bool hash_apart(const plait_value *object, uint64_t *hash, struct plait__work *work)
{
    if (plait__is_builtin_number(object)) return false;
    work->objects = true;
    if (work->apart) *hash = mix((uintptr_t)object);
    return work->apart;
}

static int hash_object(const plait_value *value, uint64_t *hash, struct plait__work *work)
{
    const struct plait__object *object = value->as.object;
    work->changes = true;
    if (object->self || !plait__is_hashable_builtin(value))
        return plait__fail(-EINVAL, "a value of type '%s' is not hashable", plait_value_type_name(value));
    if (plait__range_hash(value, hash)) {
        *hash = mix(*hash);
        return 0;
    }
    if (hash_apart(value, hash, work)) return 0;
    const plait_value *parts[] = { object->callable, object->arguments, object->keywords, object->items, object->pairs,
                                   object->state };
    uint64_t all = object->made;
    const bool deep_before = work->deep;
    work->deep = true;
    int error = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !error; i++) {
        uint64_t one = i;
        if (parts[i]) error = hash_inside(parts[i], &one, work);
        all = mix(rotated(all, 23) ^ one);
    }
    work->deep = deep_before;
    *hash = all;
    return error;
}

static int hash_container(const plait_value *value, uint64_t *hash, struct plait__work *work)
{
    switch (value->type) {
    case PLAIT_TUPLE: return hash_tuple(value, hash, work);
    case PLAIT_FROZENSET: return hash_entries(value, hash, work);
    case PLAIT_OBJECT: return hash_object(value, hash, work);
    }
    if (!work->deep) return plait__fail(-EINVAL, "a value of type '%s' is not hashable", plait_value_type_name(value));
    work->changes = true;
    return value->type == PLAIT_LIST ? hash_items(value, hash, work) : hash_entries(value, hash, work);
}

static int hash_inside(const plait_value *value, uint64_t *hash, struct plait__work *work)
{
    size_t size;
    const char *bytes;
    switch (value->type) {
    case PLAIT_NONE: *hash = mix(UINT64_C(0x4e6f6e65)); return 0;
    case PLAIT_BOOL:
    case PLAIT_INT:
    case PLAIT_FLOAT: *hash = mix(plait__number_word(value)); return 0;
    case PLAIT_BYTEARRAY:
        if (!work->deep) break;
        /* fallthrough */
    case PLAIT_STRING:
    case PLAIT_BYTES:
        bytes = plait__bytes_of(value, &size);
        work->visits += size / (PLAIT__BYTES / 4);
        *hash = plait__string_hash(bytes, size);
        return 0;
    case PLAIT_GLOBAL: *hash = plait__string_hash(value->as.global.name, value->as.global.size); return 0;
    }
    if (!plait__is_container(value)) return plait__fail(-EINVAL, "a value of type 'bytearray' is not hashable");
    int error = plait__deeper(work);
    if (!error) error = hash_container(value, hash, work);
    work->depth--;
    return error;
}

int plait__key_hash(const plait_value *value, uint64_t *hash, struct plait__work *work)
{
    return hash_inside(value, hash, work);
}

int plait_value_hash(const plait_value *value, uint64_t *hash)
{
    struct plait__work work = { .depth = 0 };
    if (!value) return plait__fail(-EINVAL, "the value is NULL");
    uint64_t unused;
    if (!hash) hash = &unused;
    if (value->type < PLAIT_BOOL || value->type > PLAIT_FLOAT) return plait__key_hash(value, hash, &work);
    *hash = (uint64_t)plait__number_hash(value);
    return 0;
}
