/* value/walk.h - going through all that values hold. */
#ifndef PLAIT_VALUE_WALK_H
#define PLAIT_VALUE_WALK_H

#include "value/value.h"

/* The next one that a container holds itself, from *position (0 at first) on; NULL at the end. */
plait_value *plait__next_inside(const plait_value *value, size_t *position);

/* The values that were met, and what each was copied to.  All zeros: none. */
struct plait__seen {
    struct {
        const plait_value *value;
        plait_value *copy;
    } *slots;
    size_t used, size;
};

/* 1: it is new, 0: it was seen before; -ENOMEM. */
int plait__see(struct plait__seen *seen, const plait_value *value);

/* Where the copy of one that was seen stands, until the next one is seen. */
plait_value **plait__seen_copy(struct plait__seen *seen, const plait_value *value);
void plait__seen_free(struct plait__seen *seen);

/* Up to so many items of a list or a tuple lie in a cell. */
enum { PLAIT__ITEMS_IN_CELL = PLAIT__CELL / sizeof(void *) };

/* All that a list, dict, set or bytearray holds goes; the value itself, whose payload is nothing then, stays. */
void plait__contents_end(plait_value *value);

/* How far a comparison or a hash goes into values: values that share others can have more paths than memory has bytes. */
struct plait__work {
    unsigned depth;
    uint64_t visits;          /* containers; items and bytes, so many as below are one (to hash them is slower) */
    bool apart;               /* objects are the same only if they are one, but for numbers: as Python's plain objects are */
    bool objects;             /* hash: there are objects in it for which that makes a difference */
    bool deep;                /* hash: lists, dicts and sets count, too: they are inside an object */
    bool changes;             /* hash: something in it may change */
};
enum { PLAIT__DEPTH = 400, PLAIT__VISITS = 1 << 24, PLAIT__ITEMS = 8, PLAIT__BYTES = 256 };

/* One level deeper; -EOVERFLOW: too far. */
int plait__deeper(struct plait__work *work);

/* -EOVERFLOW: it has gone through too much. */
int plait__too_much(void);
static inline int plait__check_visits(const struct plait__work *work)
{
    return PLAIT__LIKELY(work->visits <= PLAIT__VISITS) ? 0 : plait__too_much();
}

/* As Python's ==: 1, 0, -EOVERFLOW, -ENOMEM, or what encode() says.  same: `is`, or ==. */
int plait__equal(const plait_value *a, const plait_value *b, struct plait__work *work);
int plait__same(const plait_value *a, const plait_value *b, struct plait__work *work);

/* What dicts and sets go by: equal values have equal ones; seeded anew in each program. */
int plait__key_hash(const plait_value *value, uint64_t *hash, struct plait__work *work);
uint64_t plait__string_hash(const void *bytes, size_t size);

/* The same as plait__table_find for a key whose hash is known; what looks like it goes by `same`. */
int plait__table_find_hashed(const plait_value *dict, const plait_value *key, uint64_t hash, struct plait__work *work,
                             struct plait__entry **found);

#endif
