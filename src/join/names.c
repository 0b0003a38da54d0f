/* join/names.c - what members have published.
 *
 * A table in the roster's region.  An entry is there when its `object` is not NULL: one store, made by whoever holds the lock, who
 * has written the name before.  So whoever dies with the lock leaves the table whole.  Who looks something up takes no lock, and
 * can't be held up by one that was stopped: before a name is written, and after an object was, `changes` is counted up; if it is
 * the same before and after the look, no name was written over meanwhile.
 */
#include <plait/join.h>

#include <limits.h>
#include <string.h>

#include <plait/arena.h>
#include <plait/lock.h>

#include "base/atomics.h"
#include "base/error.h"
#include "family/roster.h"
#include "family/wait.h"

#define NAME_WORDS ((PLAIT_FAMILY_NAME_MAX + 1) / 8)

/* Filled up with zeros. */
struct name {
    uint64_t words[NAME_WORDS];
};

struct entry {
    _Atomic(void *) object;
    _Atomic uint64_t name[NAME_WORDS];
};

struct names {
    struct plait__owned owned;                             /* all zero: there is nothing in here that repair has to free */
    plait_lock lock;
    plait__word changes;                                   /* counted up when something was published; who waits sleeps on it */
    _Atomic uint32_t used;                                 /* entries that were ever used; written by the lock's holder */
    struct entry entries[PLAIT_FAMILY_NAMES_MAX];
};

_Static_assert(sizeof(struct names) <= PLAIT__NAMES_SIZE, "the table has to fit its place in the roster");

static struct names *table(void)
{
    return (struct names *)plait__roster->names;
}

static int check(const char *name, struct name *padded)
{
    if (!name || !*name) return plait__fail(-EINVAL, "the name is %s", name ? "empty" : "NULL");
    if (strlen(name) > PLAIT_FAMILY_NAME_MAX)
        return plait__fail(-ENAMETOOLONG, "a name has at most %d bytes", PLAIT_FAMILY_NAME_MAX);
    memset(padded, 0, sizeof *padded);
    memcpy(padded, name, strlen(name));
    return plait__member();
}

/* That its last holder died in here is no news: the table is whole.  Whoever leaves meanwhile, by exit() in a signal handler, is
 * inside of an object, and so dies: else the lock would stay locked, as one does that somebody has left locked on purpose. */
static int acquire(struct names *names, struct plait__owned **before)
{
    *before = plait__enter_object(&names->owned);
    int got = plait_lock_acquire(&names->lock, PLAIT_FOREVER);
    if (got >= 0) return 0;
    plait__leave_object(*before);
    return got;
}

static void release(struct names *names, struct plait__owned *before)
{
    plait_lock_release(&names->lock);
    plait__leave_object(before);
}

static bool is_named(struct entry *entry, const struct name *name)
{
    unsigned i = 0;
    while (i < NAME_WORDS && atomic_load_explicit(&entry->name[i], memory_order_acquire) == name->words[i]) i++;
    return i == NAME_WORDS;
}

/* Its object as it was before the look at the name, or NULL. */
static void *look_up(struct names *names, const struct name *name, struct entry **found)
{
    uint32_t used = atomic_load(&names->used);
    for (uint32_t i = 0; i < used; i++) {
        *found = &names->entries[i];
        void *object = atomic_load(&(*found)->object);
        if (object && is_named(*found, name)) return object;
    }
    return NULL;
}

static struct entry *find_room(struct names *names)
{
    uint32_t used = atomic_load(&names->used);
    for (uint32_t i = 0; i < used; i++)
        if (!atomic_load(&names->entries[i].object)) return &names->entries[i];
    if (used == PLAIT_FAMILY_NAMES_MAX) return NULL;
    atomic_store(&names->used, used + 1);
    return &names->entries[used];
}

/* ---- publishing ---- */

static int add(struct names *names, const char *text, const struct name *name, void *object)
{
    struct entry *entry;
    void *before = look_up(names, name, &entry);
    if (before == object) return 0;
    if (before) return plait__fail(-EEXIST, "\"%s\" is another object already", text);
    entry = find_room(names);
    if (!entry) return plait__fail(-ENOSPC, "%d names are published", PLAIT_FAMILY_NAMES_MAX);
    atomic_fetch_add(&names->changes, 1);
    for (unsigned i = 0; i < NAME_WORDS; i++) atomic_store_explicit(&entry->name[i], name->words[i], memory_order_release);
    plait__tsan_release(entry);
    atomic_store(&entry->object, object);
    atomic_fetch_add(&names->changes, 1);
    return 0;
}

/* Who dies before the wake is a member: then everybody looks. */
int plait_family_publish(const char *text, const void *object)
{
    struct name name;
    int error = check(text, &name);
    if (error) return error;
    if (!plait_is_shared(object)) return plait__fail(-EINVAL, "the object lies in no shared memory: others can't reach it");
    struct names *names = table();
    struct plait__owned *before;
    error = acquire(names, &before);
    if (error) return error;
    error = add(names, text, &name, (void *)(uintptr_t)object);
    release(names, before);
    if (!error) plait__wake(&names->changes, INT_MAX);
    return error;
}

int plait_family_withdraw(const char *text)
{
    struct name name;
    struct entry *entry;
    int error = check(text, &name);
    if (error) return error;
    struct names *names = table();
    struct plait__owned *before;
    error = acquire(names, &before);
    if (error) return error;
    if (look_up(names, &name, &entry)) atomic_store(&entry->object, NULL);
    else error = plait__fail(-ENOENT, "nothing is published as \"%s\"", text);
    release(names, before);
    return error;
}

/* ---- finding ---- */

/* The object, or NULL; and `changes` as they were at the look. */
static void *look(struct names *names, const struct name *name, uint32_t *changes)
{
    for (;;) {
        struct entry *entry;
        *changes = atomic_load(&names->changes);
        void *object = look_up(names, name, &entry);
        if (atomic_load(&names->changes) != *changes) continue;
        if (object) plait__tsan_acquire(entry);
        return object;
    }
}

static void *find(struct names *names, const char *text, const struct name *name, plait_deadline deadline)
{
    uint32_t changes;
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_NAME, NULL, deadline);
    for (;;) {
        void *object = look(names, name, &changes);
        if (object) plait__wait_end(&wait);
        if (object) return object;
        if (plait__expired(deadline)) return plait__null(plait__fail(-ETIMEDOUT, "nobody has published \"%s\"", text));
        plait__wait(&wait, &names->changes, changes, 0);
    }
}

void *plait_family_find(const char *text, plait_deadline deadline)
{
    struct name name;
    int error = check(text, &name);
    return error ? plait__null(error) : find(table(), text, &name, deadline);
}
