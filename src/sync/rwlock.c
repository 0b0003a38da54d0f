/* sync/rwlock.c - a word that names the writer, and a cell for each reader, which names him: all as in owner.h.
 *
 * A reader takes a cell, then looks whether somebody writes; if so it gives the cell back and waits for the writer.  A writer takes
 * the writer's word, then looks at all cells, and waits for each that is taken.  Both look after they wrote, so one of them sees
 * the other; and who dies in between has left its name, which is all there is to take back.
 *
 * Who reads again counts that in the marks of the cell that it has, and looks for nobody: a writer may wait for it by now, and must
 * not be waited for in turn.
 *
 * A writer that is alone marks the word INSIDE: only its death from then on is news.  If it dies, DIED stays in the free word until
 * another writer has been there.
 */
#include <plait/rwlock.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <plait/arena.h>
#include <plait/error.h>

#include "arena/map.h"
#include "base/error.h"
#include "sync/owner.h"

#define STAMP 0x52574c31u
#define READERS_DEFAULT 64
#define READERS_MAX 8192
#define INSIDE (UINT64_C(1) << 16)
#define DIED (UINT64_C(1) << 17)
#define NEWS (INSIDE | DIED)
#define AGAIN (UINT64_C(1) << 16)                          /* in a cell: once more than the first time */
#define CROWDED 1u

/* Readers write their cells only, each in a cache line of its own. */
struct cell {
    _Alignas(64) _Atomic uint64_t word;
};

struct plait_rwlock {
    uint32_t stamp, readers;                               /* readers: a power of two */
    plait__word crowd;                                     /* CROWDED, and how often those who wait for a cell were woken */
    _Alignas(64) _Atomic uint64_t writer;
    struct cell cells[];
};

/* A call: what it waits with is used for one word after the other, with one deadline. */
struct call {
    plait_rwlock *lock;
    struct plait__wait wait;
};

static inline bool is_rwlock(const plait_rwlock *lock)
{
    return (uintptr_t)lock % _Alignof(plait_rwlock) == 0 && plait__in_arena(lock) && lock->stamp == STAMP;
}

static int no_rwlock(const plait_rwlock *lock)
{
    return plait__fail(-EINVAL, lock ? "%p is no rwlock, or was freed" : "the rwlock is NULL", (const void *)lock);
}

static inline int check(const plait_rwlock *lock)
{
    return PLAIT__LIKELY(is_rwlock(lock)) ? plait__member() : no_rwlock(lock);
}

static struct call call_of(plait_rwlock *lock, enum plait__waits_for kind, plait_deadline deadline)
{
    return (struct call){ lock, plait__wait_for(kind, lock, deadline) };
}

/* Whoever sleeps on it looks again: readers and writers. */
static void wake_all(_Atomic uint64_t *word)
{
    plait__wake(plait__low_half(word), INT_MAX);
}

static void give_back(_Atomic uint64_t *word, uint64_t left)
{
    if (atomic_exchange(word, left) & PLAIT__SLEEPS) wake_all(word);
}

/* The reader writes the cell first, then looks at the mark; who waits for a cell does both the other way round. */
static void give_back_cell(plait_rwlock *lock, _Atomic uint64_t *cell)
{
    give_back(cell, 0);
    uint32_t seen = atomic_load(&lock->crowd);
    if (!(seen & CROWDED)) return;
    atomic_compare_exchange_strong(&lock->crowd, &seen, seen + CROWDED);
    plait__wake(&lock->crowd, INT_MAX);
}

/* Neither somebody who lives has it, nor nobody in particular. */
static bool has_ended(uint64_t word)
{
    return plait__fate(plait__owner_in(word)) != PLAIT__LIVES;
}

/* ---- reading ---- */

static uint32_t home_of_caller(const plait_rwlock *lock)
{
    return plait__self.slot & (lock->readers - 1);
}

static bool take_cell(_Atomic uint64_t *word)
{
    uint64_t seen = atomic_load(word);
    if (plait__owner_slot(seen) && !has_ended(seen)) return false;
    return atomic_compare_exchange_strong(word, &seen, plait__self.owner | (seen & PLAIT__SLEEPS));
}

/* The first that is free from the caller's home on.  NULL: all are taken. */
static _Atomic uint64_t *take_any_cell(plait_rwlock *lock)
{
    uint32_t home = home_of_caller(lock);
    for (uint32_t i = 0; i < lock->readers; i++) {
        _Atomic uint64_t *word = &lock->cells[(home + i) & (lock->readers - 1)].word;
        if (take_cell(word)) return word;
    }
    return NULL;
}

/* The one that the caller reads by.  NULL: it does not read. */
static _Atomic uint64_t *find_mine(plait_rwlock *lock)
{
    uint32_t home = home_of_caller(lock);
    for (uint32_t i = 0; i < lock->readers && plait__self.reads; i++) {
        _Atomic uint64_t *word = &lock->cells[(home + i) & (lock->readers - 1)].word;
        if (plait__owner_is_me(atomic_load(word))) return word;
    }
    return NULL;
}

/* Only the caller changes the marks of its cell.  That a writer died inside before it was told, and is told again. */
static int read_again(plait_rwlock *lock, _Atomic uint64_t *mine)
{
    if ((atomic_load(mine) & PLAIT__MARKS) == PLAIT__MARKS)
        return plait__fail(-EAGAIN, "the calling thread reads it %u times", (unsigned)(PLAIT__MARKS / AGAIN) + 1);
    atomic_fetch_add(mine, AGAIN);
    return atomic_load(&lock->writer) & NEWS ? PLAIT_OWNER_DIED : 0;
}

/* All cells were taken: until some reader gives its back.  The mark is set before the cells are looked at once more. */
static int wait_for_a_cell(struct call *call)
{
    plait_rwlock *lock = call->lock;
    uint32_t seen = atomic_fetch_or(&lock->crowd, CROWDED) | CROWDED;
    _Atomic uint64_t *cell = take_any_cell(lock);
    if (cell) {
        give_back_cell(lock, cell);                        /* to be taken again by the caller, who looks for writers then */
        return 0;
    }
    struct plait__wait wait = call->wait;
    wait.kind = PLAIT__FOR_SOMETHING;                      /* this word names nobody */
    int error = plait__wait(&wait, &lock->crowd, seen, 0);
    wait.kind = call->wait.kind;
    call->wait = wait;
    return error ? plait__fail(error, "the rwlock has %u readers, and no room for more", lock->readers) : 0;
}

/* The word after a writer that ended was dealt with: free if it died, nobody's if it left. */
static uint64_t settle_writer(_Atomic uint64_t *writer, uint64_t seen)
{
    if (plait__owner_slot(seen) == PLAIT__NOBODY) return seen;
    enum plait__fate fate = plait__fate(plait__owner_in(seen));
    if (fate == PLAIT__LIVES) return seen;
    if (fate == PLAIT__LEFT) return plait__owner_disown(writer, seen);
    uint64_t left = seen & NEWS ? DIED : 0;
    if (!atomic_compare_exchange_strong(writer, &seen, left)) return seen;
    if (seen & PLAIT__SLEEPS) wake_all(writer);
    return left;
}

/* Until no writer is to be seen.  The reader has no cell meanwhile. */
static int wait_for_writer(struct call *call)
{
    _Atomic uint64_t *writer = &call->lock->writer;
    uint64_t seen = atomic_load(writer);
    while (plait__owner_slot(seen)) {
        uint64_t now = settle_writer(writer, seen);
        if (now != seen) seen = now;
        else if (plait__owner_wait(&call->wait, writer, &seen) < 0)
            return plait__owner_timed_out(PLAIT__FOR_RWLOCK_READ, call->lock, writer, seen);
    }
    return 0;
}

/* Not to be had at once. */
static __attribute__((noinline)) int acquire_read_slowly(plait_rwlock *lock, plait_deadline deadline)
{
    struct call call = call_of(lock, PLAIT__FOR_RWLOCK_READ, deadline);
    if (plait__owner_is_me(atomic_load(&lock->writer))) return plait__fail(-EDEADLK, "the calling thread has the rwlock to write");
    _Atomic uint64_t *mine = find_mine(lock);
    if (mine) return read_again(lock, mine);
    for (;;) {
        _Atomic uint64_t *cell = take_any_cell(lock);
        uint64_t seen = cell ? atomic_load(&lock->writer) : 0;
        if (cell && !plait__owner_slot(seen)) {
            plait__self.reads++;
            plait__wait_end(&call.wait);
            plait__tsan_acquire(&lock->writer);
            return seen & DIED ? PLAIT_OWNER_DIED : 0;
        }
        if (cell) give_back_cell(lock, cell);
        int error = cell ? wait_for_writer(&call) : wait_for_a_cell(&call);
        if (error) return error;
    }
}

/* With the cell that is ours first of all, and nobody who writes. */
int plait_rwlock_acquire_read(plait_rwlock *lock, plait_deadline deadline)
{
    int error = check(lock);
    if (error) return error;
    _Atomic uint64_t *cell = &lock->cells[home_of_caller(lock)].word;
    uint64_t free = 0;
    if (atomic_compare_exchange_strong(cell, &free, plait__self.owner)) {
        if (PLAIT__LIKELY(atomic_load(&lock->writer) == 0)) {
            plait__self.reads++;
            plait__tsan_acquire(&lock->writer);
            return 0;
        }
        give_back_cell(lock, cell);
    }
    return acquire_read_slowly(lock, deadline);
}

/* ---- writing ---- */

/* Until nobody reads by this cell, with the writer's word. */
static int wait_for_reader(struct call *call, _Atomic uint64_t *cell)
{
    uint64_t seen = atomic_load(cell);
    while (plait__owner_slot(seen)) {
        if (has_ended(seen)) {
            if (atomic_compare_exchange_strong(cell, &seen, 0)) seen = 0;
        } else if (plait__owner_wait(&call->wait, cell, &seen) < 0) {
            return plait__owner_timed_out(PLAIT__FOR_RWLOCK_WRITE, call->lock, cell, seen);
        }
    }
    return 0;
}

static int wait_for_readers(struct call *call)
{
    int error = 0;
    for (uint32_t i = 0; i < call->lock->readers && !error; i++) error = wait_for_reader(call, &call->lock->cells[i].word);
    return error;
}

int plait_rwlock_acquire_write(plait_rwlock *lock, plait_deadline deadline)
{
    int error = check(lock);
    if (error) return error;
    struct call call = call_of(lock, PLAIT__FOR_RWLOCK_WRITE, deadline);
    if (plait__owner_is_me(atomic_load(&lock->writer))) return plait__fail(-EDEADLK, "the calling thread has the rwlock to write");
    if (find_mine(lock)) return plait__fail(-EDEADLK, "the calling thread has the rwlock to read");
    int result = plait__owner_acquire(&lock->writer, PLAIT__FOR_RWLOCK_WRITE, lock, deadline);
    if (result < 0) return result;
    uint64_t news = atomic_load(&lock->writer) & NEWS;     /* of the one before: a mark stays when the word is taken over */
    error = wait_for_readers(&call);
    if (error) {
        give_back(&lock->writer, news ? DIED : 0);
        return error;
    }
    atomic_fetch_or(&lock->writer, INSIDE);
    plait__wait_end(&call.wait);
    plait__tsan_acquire(&lock->writer);
    return news ? PLAIT_OWNER_DIED : 0;
}

/* ---- releasing ---- */

static bool release_read(plait_rwlock *lock)
{
    _Atomic uint64_t *mine = find_mine(lock);
    if (!mine) return false;
    plait__tsan_release(&lock->writer);
    if (atomic_load_explicit(mine, memory_order_relaxed) & PLAIT__MARKS) {
        atomic_fetch_sub(mine, AGAIN);
        return true;
    }
    plait__self.reads--;
    give_back_cell(lock, mine);
    return true;
}

/* Left by a writer that ended cleanly. */
static bool release_what_was_left(plait_rwlock *lock)
{
    uint64_t seen = atomic_load(&lock->writer);
    if (!plait__owner_slot(seen) || plait__fate(plait__owner_in(seen)) != PLAIT__LEFT) return false;
    if (!atomic_compare_exchange_strong(&lock->writer, &seen, 0)) return release_what_was_left(lock);
    if (seen & PLAIT__SLEEPS) wake_all(&lock->writer);
    return true;
}

int plait_rwlock_release(plait_rwlock *lock)
{
    int error = check(lock);
    if (error) return error;
    if (plait__owner_is_me(atomic_load(&lock->writer))) {
        plait__tsan_release(&lock->writer);
        give_back(&lock->writer, 0);
        return 0;
    }
    if (release_read(lock) || release_what_was_left(lock)) return 0;
    if (!plait_rwlock_has_writer(lock) && !plait_rwlock_readers(lock)) return plait__fail(PLAIT_EUNLOCKED, "nobody has the rwlock");
    return plait__fail(PLAIT_ENOTOWNER, "the rwlock is held by others, not by the calling thread");
}

/* ---- the rest ---- */

static bool has_writer(const plait_rwlock *lock)
{
    return (atomic_load(&lock->writer) & INSIDE) && plait__owner_is_held(&lock->writer);
}

int plait_rwlock_has_writer(const plait_rwlock *lock)
{
    int error = check(lock);
    return error ? error : has_writer(lock);
}

/* Who looks for a writer has a cell meanwhile: that is not to read. */
int plait_rwlock_readers(const plait_rwlock *lock)
{
    int readers = 0, error = check(lock);
    if (error || has_writer(lock)) return error;
    for (uint32_t i = 0; i < lock->readers; i++) {
        uint64_t seen = atomic_load(&lock->cells[i].word);
        if (plait__owner_slot(seen) && !has_ended(seen)) readers += 1 + (int)((seen & PLAIT__MARKS) / AGAIN);
    }
    return readers;
}

static int options_error(const plait_rwlock_options *options)
{
    if (options->readers < 0 || options->readers > READERS_MAX)
        return plait__fail(-EINVAL, "%d readers; 1 to %d are possible", options->readers, READERS_MAX);
    return PLAIT__CHECK_RESERVED(options->reserved, options->reserved_int);
}

plait_rwlock *plait_rwlock_new(const plait_rwlock_options *options)
{
    static const plait_rwlock_options defaults;
    if (!options) options = &defaults;
    int error = options_error(options);
    if (error) return plait__null(error);
    uint32_t readers = 1, wanted = options->readers ? (uint32_t)options->readers : READERS_DEFAULT;
    while (readers < wanted) readers *= 2;
    plait_rwlock *lock = plait_alloc(sizeof *lock + readers * sizeof lock->cells[0]);
    if (!lock) return NULL;
    lock->readers = readers;
    lock->stamp = STAMP;
    return lock;
}

int plait_rwlock_free(plait_rwlock *lock)
{
    if (!lock) return 0;
    int error = check(lock);
    if (error) return error;
    lock->stamp = 0;
    return plait_free(lock);
}
