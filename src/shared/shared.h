/* shared/shared.h - what shared values and shared arrays have in common: items of one type in the arena, and the lock over them. */
#ifndef PLAIT_SHARED_SHARED_H
#define PLAIT_SHARED_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plait/shared_value.h>

#include "value/text.h"
#include "shared/types.h"

#define PLAIT__VALUE_STAMP 0x5641u
#define PLAIT__ARRAY_STAMP 0x4152u

enum plait__guard { PLAIT__GUARD_OWN, PLAIT__GUARD_NONE, PLAIT__GUARD_LOCK, PLAIT__GUARD_RLOCK };

/* Only the lock, `untold` and the items change after it was made, by who has the lock. */
struct plait__shared {
    uint32_t stamp;
    char code;                                             /* Python's type code; 0: structs */
    uint8_t guard;                                         /* enum plait__guard */
    bool untold;                                           /* somebody was killed inside, and who came next got an error instead */
    uint8_t reserved;
    size_t item_size, length;
    plait_rlock own;
    void *others;                                          /* a lock of somebody else's */
    _Alignas(16) char items[];
};

/* What it is to be; the code, or the size of a struct. */
struct plait__shape {
    uint32_t stamp;
    int code;
    size_t item_size, length;
};

/* Its items are copied from `items`; NULL: they are zero.  NULL: errno EINVAL, ENOMEM, and as plait_alloc. */
struct plait__shared *plait__shared_new(const struct plait__shape *shape, const void *items, const plait_shared_options *options);
int plait__shared_free(struct plait__shared *shared);

/* 0, or PLAIT_OWNER_DIED, or negative.  Nothing is done without a lock. */
int plait__shared_enter(struct plait__shared *shared, plait_deadline deadline);

/* What the call returns: the error if there is one, else what entering got.  Of a death that was not told because of an error, who
 * comes next is told. */
int plait__shared_leave(struct plait__shared *shared, int got, int error);

/* The same for the user, who may not acquire what is not there. */
int plait__shared_acquire(struct plait__shared *shared, plait_deadline deadline);
int plait__shared_release(struct plait__shared *shared);
plait_rlock *plait__shared_lock(struct plait__shared *shared);

static inline void *plait__shared_item(const struct plait__shared *shared, size_t index)
{
    return (char *)(uintptr_t)shared->items + index * shared->item_size;
}

/* The number `index`: got as one of three, whichever is not NULL; or set. */
struct plait__target {
    int64_t *integer;
    uint64_t *natural;
    double *real;
};
int plait__shared_get(struct plait__shared *shared, size_t index, struct plait__target target, plait_deadline deadline);
int plait__shared_set(struct plait__shared *shared, size_t index, struct plait__number number, plait_deadline deadline);

/* Add to it in one step, whoever has the lock.  `sum` tells what it is then; it may be empty. */
int plait__shared_add(struct plait__shared *shared, size_t index, struct plait__number more, struct plait__target sum,
                      plait_deadline deadline);

/* The bytes of one item. */
int plait__shared_read(struct plait__shared *shared, size_t index, void *bytes, size_t size, plait_deadline deadline);
int plait__shared_write(struct plait__shared *shared, size_t index, const void *bytes, size_t size, plait_deadline deadline);

/* The same, by who is inside. */
void plait__shared_copy_out(const struct plait__shared *shared, size_t index, void *to);
void plait__shared_copy_in(struct plait__shared *shared, size_t index, const void *from);

/* As Python prints it; without the lock. */
void plait__shared_put_item(struct plait__text *text, const struct plait__shared *shared, size_t index);

#endif
