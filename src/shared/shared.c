/* shared/shared.c - items and their lock.
 *
 * A number is changed by one store, and a sum by one compare-and-swap: who is killed in the middle has changed it or not.  What
 * takes several stores (structs, slices) is what the next one is told of by PLAIT_OWNER_DIED.
 */
#define PLAIT_NO_INLINE                                    /* of locks: for users with ThreadSanitizer, see base/atomics.h */
#include "shared/shared.h"

#include <string.h>

#include <plait/arena.h>

#include "base/error.h"

_Static_assert(sizeof(plait_shared_options) == 64, "part of the ABI");

/* ---- making ---- */

static int check_lock(const void *lock)
{
    if ((uintptr_t)lock % _Alignof(plait_lock)) return plait__misplaced("lock", lock, _Alignof(plait_lock));
    if (lock && !plait_is_shared(lock)) return plait__fail(-EINVAL, "the lock at %p does not lie in shared memory", lock);
    return 0;
}

static int check_options(const plait_shared_options *options)
{
    int error = PLAIT__CHECK_RESERVED(options->reserved, options->reserved_int);
    if (error) return error;
    if ((options->no_lock != 0) + (options->lock != NULL) + (options->rlock != NULL) > 1)
        return plait__fail(-EINVAL, "at most one of no_lock, lock and rlock");
    return check_lock(options->lock ? (void *)options->lock : (void *)options->rlock);
}

static void set_guard(struct plait__shared *shared, const plait_shared_options *options)
{
    shared->guard = options->no_lock ? PLAIT__GUARD_NONE : options->lock ? PLAIT__GUARD_LOCK : options->rlock ? PLAIT__GUARD_RLOCK
                                                                                                              : PLAIT__GUARD_OWN;
    shared->others = options->lock ? (void *)options->lock : (void *)options->rlock;
}

/* The size of an item, or an error. */
static int check_shape(const struct plait__shape *shape, size_t *item_size)
{
    const struct plait__type *type = plait__type_of(shape->code);
    if (shape->code && !type)
        return shape->code > ' ' && shape->code < 0x7f ? plait__fail(-EINVAL, "there is no type code '%c'", shape->code)
                                                       : plait__fail(-EINVAL, "there is no type code %d", shape->code);
    *item_size = type ? type->size : shape->item_size;
    if (!*item_size) return plait__fail(-EINVAL, "structs of 0 bytes");
    return 0;
}

struct plait__shared *plait__shared_new(const struct plait__shape *shape, const void *items, const plait_shared_options *options)
{
    static const plait_shared_options defaults;
    size_t item_size, all;
    if (!options) options = &defaults;
    int error = check_shape(shape, &item_size);
    if (!error) error = check_options(options);
    if (error) return plait__null(error);
    if (__builtin_mul_overflow(item_size, shape->length, &all) || all > PTRDIFF_MAX - sizeof(struct plait__shared))
        return plait__null(plait__fail(-ENOMEM, "%zu items of %zu bytes are more than there can be", shape->length, item_size));
    struct plait__shared *shared = plait_alloc((sizeof *shared + all + 63) / 64 * 64);       /* cache lines of its own */
    if (!shared) return NULL;
    shared->code = (char)shape->code;
    shared->item_size = item_size;
    shared->length = shape->length;
    set_guard(shared, options);
    if (items && all) memcpy(shared->items, items, all);
    shared->stamp = shape->stamp;
    return shared;
}

int plait__shared_free(struct plait__shared *shared)
{
    shared->stamp = 0;
    return plait_free(shared);
}

/* ---- the lock ---- */

static int take(struct plait__shared *shared, plait_deadline deadline)
{
    switch (shared->guard) {
    case PLAIT__GUARD_OWN: return plait_rlock_acquire(&shared->own, deadline);
    case PLAIT__GUARD_LOCK: return plait_lock_acquire(shared->others, deadline);
    case PLAIT__GUARD_RLOCK: return plait_rlock_acquire(shared->others, deadline);
    default: return 0;
    }
}

int plait__shared_enter(struct plait__shared *shared, plait_deadline deadline)
{
    int got = take(shared, deadline);
    if (got < 0 || !shared->untold) return got;
    shared->untold = false;
    return PLAIT_OWNER_DIED;
}

static int give_back(struct plait__shared *shared)
{
    switch (shared->guard) {
    case PLAIT__GUARD_OWN: return plait_rlock_release(&shared->own);
    case PLAIT__GUARD_LOCK: return plait_lock_release(shared->others);
    case PLAIT__GUARD_RLOCK: return plait_rlock_release(shared->others);
    default: return 0;
    }
}

int plait__shared_leave(struct plait__shared *shared, int got, int error)
{
    if (error && got == PLAIT_OWNER_DIED) shared->untold = true;
    give_back(shared);
    return error ? error : got;
}

static int has_lock(const struct plait__shared *shared)
{
    return shared->guard != PLAIT__GUARD_NONE ? 0 : plait__fail(-EINVAL, "it was made without a lock");
}

int plait__shared_acquire(struct plait__shared *shared, plait_deadline deadline)
{
    int error = has_lock(shared);
    return error ? error : plait__shared_enter(shared, deadline);
}

int plait__shared_release(struct plait__shared *shared)
{
    int error = has_lock(shared);
    return error ? error : give_back(shared);
}

plait_rlock *plait__shared_lock(struct plait__shared *shared)
{
    if (shared->guard == PLAIT__GUARD_OWN) return &shared->own;
    if (shared->guard == PLAIT__GUARD_RLOCK) return shared->others;
    return plait__null(plait__fail(-EINVAL,
                                   shared->guard == PLAIT__GUARD_NONE ? "it was made without a lock" : "its lock is no rlock"));
}

/* ---- numbers ---- */

static const struct plait__type *number_type(const struct plait__shared *shared)
{
    return plait__type_of(shared->code);
}

static int no_number(void)
{
    return plait__fail(-EINVAL, "it holds structs, not numbers");
}

static int give(struct plait__target target, struct plait__number number)
{
    if (target.integer) return plait__to_integer(number, target.integer);
    if (target.natural) return plait__to_natural(number, target.natural);
    if (target.real) *target.real = plait__as_real(number);
    return 0;
}

int plait__shared_get(struct plait__shared *shared, size_t index, struct plait__target target, plait_deadline deadline)
{
    const struct plait__type *type = number_type(shared);
    if (!type) return no_number();
    if (!target.integer && !target.natural && !target.real) return plait__fail(-EINVAL, "the place for the number is NULL");
    int got = plait__shared_enter(shared, deadline);
    if (got < 0) return got;
    uint64_t bits = plait__load_item(plait__shared_item(shared, index), type->size);
    return plait__shared_leave(shared, got, give(target, plait__decode(type, bits)));
}

int plait__shared_set(struct plait__shared *shared, size_t index, struct plait__number number, plait_deadline deadline)
{
    const struct plait__type *type = number_type(shared);
    uint64_t bits;
    if (!type) return no_number();
    int got = plait__encode(type, number, &bits);
    if (!got) got = plait__shared_enter(shared, deadline);
    if (got < 0) return got;
    plait__store_item(plait__shared_item(shared, index), type->size, bits);
    return plait__shared_leave(shared, got, 0);
}

/* A swap, although the lock is held: without one it is what makes the addition whole, and with one it costs little. */
static int add(const struct plait__type *type, void *item, struct plait__number more, struct plait__target target)
{
    uint64_t seen = plait__load_item(item, type->size), wanted;
    do {
        struct plait__number sum;
        int error = plait__sum(type, plait__decode(type, seen), more, &sum);
        if (!error) error = plait__encode(type, sum, &wanted);
        if (!error) error = give(target, plait__decode(type, wanted));
        if (error) return error;
    } while (!plait__swap_item(item, type->size, &seen, wanted));
    return 0;
}

int plait__shared_add(struct plait__shared *shared, size_t index, struct plait__number more, struct plait__target sum,
                      plait_deadline deadline)
{
    const struct plait__type *type = number_type(shared);
    if (!type) return no_number();
    int got = plait__shared_enter(shared, deadline);
    if (got < 0) return got;
    return plait__shared_leave(shared, got, add(type, plait__shared_item(shared, index), more, sum));
}

/* ---- bytes ---- */

static int check_bytes(const struct plait__shared *shared, const void *bytes, size_t size)
{
    if (!bytes) return plait__fail(-EINVAL, "the bytes are NULL");
    if (size != shared->item_size) return plait__fail(-EINVAL, "an item has %zu bytes, not %zu", shared->item_size, size);
    return 0;
}

void plait__shared_copy_out(const struct plait__shared *shared, size_t index, void *to)
{
    const struct plait__type *type = number_type(shared);
    if (type) plait__to_bytes(to, type->size, plait__load_item(plait__shared_item(shared, index), type->size));
    else memcpy(to, plait__shared_item(shared, index), shared->item_size);
}

void plait__shared_copy_in(struct plait__shared *shared, size_t index, const void *from)
{
    const struct plait__type *type = number_type(shared);
    if (type) plait__store_item(plait__shared_item(shared, index), type->size, plait__from_bytes(from, type->size));
    else memcpy(plait__shared_item(shared, index), from, shared->item_size);
}

int plait__shared_read(struct plait__shared *shared, size_t index, void *bytes, size_t size, plait_deadline deadline)
{
    int got = check_bytes(shared, bytes, size);
    if (!got) got = plait__shared_enter(shared, deadline);
    if (got < 0) return got;
    plait__shared_copy_out(shared, index, bytes);
    return plait__shared_leave(shared, got, 0);
}

int plait__shared_write(struct plait__shared *shared, size_t index, const void *bytes, size_t size, plait_deadline deadline)
{
    int got = check_bytes(shared, bytes, size);
    if (!got) got = plait__shared_enter(shared, deadline);
    if (got < 0) return got;
    plait__shared_copy_in(shared, index, bytes);
    return plait__shared_leave(shared, got, 0);
}

/* ---- printing ---- */

void plait__shared_put_item(struct plait__text *text, const struct plait__shared *shared, size_t index)
{
    const struct plait__type *type = number_type(shared);
    if (!type) {
        plait__put_bytes_repr(text, plait__shared_item(shared, index), shared->item_size);
        return;
    }
    const struct plait__number number = plait__decode(type, plait__load_item(plait__shared_item(shared, index), type->size));
    const unsigned char byte = (unsigned char)number.is.natural;
    const uint32_t point = (uint32_t)number.is.natural;
    if (type->family == PLAIT__CHAR) plait__put_bytes_repr(text, &byte, 1);
    else if (type->family == PLAIT__UNICODE) plait__put_points_repr(text, &point, 1);
    else if (type->family == PLAIT__BOOL) plait__put(text, number.is.integer ? "True" : "False");
    else if (type->family == PLAIT__FLOATING) plait__put_float(text, number.is.real);
    else if (number.family == PLAIT__SIGNED) plait__put_formatted(text, "%lld", (long long)number.is.integer);
    else plait__put_formatted(text, "%llu", (unsigned long long)number.is.natural);
}
