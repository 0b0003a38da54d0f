/* sync/graph.c - who waits for whom, read while everybody goes on.
 *
 * Each sleeper has published what it sleeps on, and the word tells who has that: these are the edges.  A picture taken while the
 * others work may show a cycle that never was.  So all edges of a cycle are read twice, one whole round after the other: who is in
 * the same sleep in both was in it between them, and who sleeps gives nothing back.  At that moment the cycle was there. */
#include "sync/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <plait/arena.h>
#include <plait/deadlock.h>

#include "base/error.h"
#include "sync/owned_semaphore.h"
#include "sync/owner.h"

struct edge {
    uint32_t slot, sleeps, holder;                         /* holder 0: nobody in particular has what it waits for */
    uint32_t kind;
    const void *object;
    plait__word *word;
};

static const char *const names[PLAIT__FOR_COUNT] = {
    [PLAIT__FOR_SOMETHING] = "others", [PLAIT__FOR_LOCK] = "lock", [PLAIT__FOR_RLOCK] = "rlock",
    [PLAIT__FOR_RWLOCK_READ] = "rwlock", [PLAIT__FOR_RWLOCK_WRITE] = "rwlock", [PLAIT__FOR_SEMAPHORE] = "semaphore",
    [PLAIT__FOR_CONDITION] = "condition", [PLAIT__FOR_EVENT] = "event", [PLAIT__FOR_BARRIER] = "barrier",
    [PLAIT__FOR_QUEUE] = "queue", [PLAIT__FOR_POOL] = "workers of a pool", [PLAIT__FOR_TASK] = "next task",
    [PLAIT__FOR_ANY] = "first of several things",
    [PLAIT__FOR_END] = "end of another", [PLAIT__FOR_NAME] = "publishing of a name",
    [PLAIT__FOR_CONNECTION] = "connection", [PLAIT__FOR_MESSAGE] = "other end of the connection",
};

const char *plait__kind_name(enum plait__waits_for kind)
{
    return (unsigned)kind < PLAIT__FOR_COUNT ? names[kind] : names[0];
}

/* ---- edges ---- */

/* The word may lie in the private memory of another process, or be gone: nobody is hurt by asking the kernel. */
static bool read_word(uint32_t slot, const _Atomic uint64_t *word, uint64_t *value)
{
    if (plait_is_shared((const void *)word)) {
        *value = atomic_load(word);
        return true;
    }
    struct iovec here = { value, sizeof *value }, there = { (void *)(uintptr_t)word, sizeof *value };
    pid_t pid = plait__pid_here(slot);
    return pid && process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)sizeof *value;
}

/* Only of owned semaphores is it known who can release them, and only if one member holds all permits it alone can.  Who sleeps
 * on the bell of one sleeps on nothing else. */
static uint32_t holder_of_semaphore(const struct edge *edge)
{
    const struct plait__owned_semaphore *owned = plait__owned_of(edge->object);
    if (!plait_is_shared(owned) || edge->word != &owned->bell) return 0;
    return plait__owner_slot(plait__owned_semaphore_holder(owned));
}

/* The life that the word names must be the one that lives in the slot now, or it names somebody who has gone. */
static uint32_t holder_of(const struct edge *edge)
{
    uint64_t value;
    if (edge->kind == PLAIT__FOR_SEMAPHORE) return holder_of_semaphore(edge);
    if (edge->kind == PLAIT__FOR_SOMETHING || edge->kind >= PLAIT__FOR_OTHERS) return 0;
    if (!read_word(edge->slot, plait__owner_of_half(edge->word), &value)) return 0;
    return plait__owner_slot(value) && plait__fate(plait__owner_in(value)) == PLAIT__LIVES ? plait__owner_slot(value) : 0;
}

/* The slot of a thread that is a member; 0: none is.  The number is one of the pid namespace of slot `from`: in another one the
 * same number is somebody else's. */
static uint32_t slot_of_thread(int32_t tid, uint32_t from)
{
    uint32_t made = atomic_load(&plait__roster->made), namespace = atomic_load(&plait__slot(from)->pid_namespace);
    for (uint32_t i = 1; i <= made && namespace; i++) {
        const struct plait__slot *slot = plait__slot(i);
        if (atomic_load(&slot->tid) != tid || atomic_load(&slot->pid_namespace) != namespace) continue;
        if (!plait__pulse_stopped(i)) return i;
    }
    return 0;
}

/* What the member of this slot waits for.  False: it does not wait. */
static bool read_edge(uint32_t slot, struct edge *edge)
{
    struct plait__slot *of = plait__slot(slot);
    *edge = (struct edge){ .slot = slot, .sleeps = atomic_load(&of->sleeps) };
    int32_t joining = atomic_load(&of->joining);
    edge->word = atomic_load(&of->waiting);
    edge->kind = joining ? PLAIT__FOR_END : atomic_load(&of->waiting_kind);
    edge->object = joining ? NULL : atomic_load(&of->waiting_object);
    if (!edge->word && !joining) return false;
    edge->holder = joining ? slot_of_thread(joining, slot) : holder_of(edge);
    return atomic_load(&of->sleeps) == edge->sleeps && !plait__pulse_stopped(slot);
}

static bool still_holds(const struct edge *edge)
{
    struct edge now;
    return read_edge(edge->slot, &now) && now.sleeps == edge->sleeps && now.holder == edge->holder;
}

/* ---- chains ---- */

struct chain {
    struct edge *edges;
    uint32_t count, room, begin;                           /* the cycle, if there is one, begins at edge `begin` */
};

static bool new_chain(struct chain *chain)
{
    chain->room = atomic_load(&plait__roster->made) + 1;
    chain->edges = calloc(chain->room, sizeof *chain->edges);
    return chain->edges != NULL;
}

/* Follow the edges from the last one on.  True: it ends in a cycle. */
static bool follow(struct chain *chain)
{
    for (;;) {
        uint32_t next = chain->edges[chain->count - 1].holder;
        for (chain->begin = 0; chain->begin < chain->count; chain->begin++)
            if (chain->edges[chain->begin].slot == next) return true;
        if (!next || chain->count == chain->room || !read_edge(next, &chain->edges[chain->count])) return false;
        chain->count++;
    }
}

/* The edge before `first` is that of a caller, who does not sleep now, and looks by itself. */
static bool is_certain(const struct chain *chain, uint32_t first)
{
    for (uint32_t i = first; i < chain->count; i++)
        if (!still_holds(&chain->edges[i])) return false;
    return true;
}

static void describe_edge(const struct edge *edge, char *text, size_t size)
{
    char name[64], holder[64];
    plait__describe_member(edge->slot, name, sizeof name);
    if (edge->kind == PLAIT__FOR_END && edge->holder) {
        plait__describe_member(edge->holder, holder, sizeof holder);
        snprintf(text, size, "%s waits for the end of %s", name, holder);
        return;
    }
    int length = snprintf(text, size, "%s waits for the %s", name, plait__kind_name(edge->kind));
    if (edge->object) snprintf(text + length, size - (size_t)length, " at %p", edge->object);
}

/* ---- of the caller ---- */

/* What the caller waited for by this word.  It must name the holder still when that one is known to sleep: it may have given back
 * what the caller saw, and only then have fallen asleep. */
struct blamed {
    const _Atomic uint64_t *word;                          /* NULL: the end of a thread, which has not come when it sleeps */
    uint64_t seen;
};

static bool still_has(const struct blamed *blamed)
{
    uint64_t owner = plait__owner_in(blamed->seen);
    return !blamed->word || (plait__owner_in(atomic_load(blamed->word)) == owner && plait__fate(owner) == PLAIT__LIVES);
}

static void blame(struct edge mine, const struct blamed *blamed)
{
    struct chain chain = { 0 };
    if (!mine.holder || mine.holder > PLAIT__MEMBERS_MAX || !new_chain(&chain)) return;
    chain.edges[chain.count++] = mine;
    if (follow(&chain) && still_has(blamed) && is_certain(&chain, 1)) {
        char text[160];
        plait__add_detail(chain.begin ? "behind a deadlock" : "a deadlock");
        for (uint32_t i = chain.begin; i < chain.count; i++) {
            describe_edge(&chain.edges[i], text, sizeof text);
            plait__add_detail("%s", text);
        }
    }
    free(chain.edges);
}

void plait__blame_deadlock(enum plait__waits_for kind, const void *object, const _Atomic uint64_t *word, uint64_t seen)
{
    struct edge mine = { .slot = plait__self.slot, .holder = plait__owner_slot(seen), .kind = kind, .object = object };
    blame(mine, &(struct blamed){ word, seen });
}

void plait__blame_join(int32_t tid)
{
    if (!plait__is_member()) return;
    struct edge mine = { .slot = plait__self.slot, .kind = PLAIT__FOR_END };
    mine.holder = slot_of_thread(tid, mine.slot);
    blame(mine, &(struct blamed){ 0 });
}

/* ---- of the family ---- */

static int print_edge(FILE *file, const struct edge *edge)
{
    char text[160], holder[64];
    describe_edge(edge, text, sizeof text);
    if (!edge->holder || edge->kind == PLAIT__FOR_END) return fprintf(file, "%s\n", text);
    plait__describe_member(edge->holder, holder, sizeof holder);
    return fprintf(file, "%s, which is held by %s\n", text, holder);
}

/* Each cycle is told once: when its lowest slot is asked about. */
static bool begins_a_cycle(struct chain *chain, const struct edge *first)
{
    chain->count = 1;
    chain->edges[0] = *first;
    if (!follow(chain) || chain->begin != 0) return false;
    for (uint32_t i = 1; i < chain->count; i++)
        if (chain->edges[i].slot < first->slot) return false;
    return is_certain(chain, 0);
}

static int print_cycle(FILE *file, const struct chain *chain)
{
    int result = fprintf(file, "deadlock of %u:\n", chain->count);
    for (uint32_t i = 0; i < chain->count && result >= 0; i++) {
        result = fprintf(file, "  ");
        if (result >= 0) result = print_edge(file, &chain->edges[i]);
    }
    return result;
}

static int report(FILE *file, struct chain *chain)
{
    int cycles = 0, result = 0;
    struct edge edge;
    uint32_t made = atomic_load(&plait__roster->made);
    for (uint32_t i = 1; i <= made && result >= 0; i++)
        if (read_edge(i, &edge)) result = print_edge(file, &edge);
    for (uint32_t i = 1; i <= made && result >= 0; i++) {
        if (!read_edge(i, &edge) || !begins_a_cycle(chain, &edge)) continue;
        cycles++;
        result = print_cycle(file, chain);
    }
    if (result < 0) return plait__fail(-EIO, "the report could not be written");
    return cycles;
}

int plait_deadlock_report(FILE *file)
{
    struct chain chain = { 0 };
    if (!file) return plait__fail(-EINVAL, "the file is NULL");
    int error = plait__member();
    if (error) return error;
    if (!new_chain(&chain)) return plait__fail(-ENOMEM, "no private memory for the report");
    int cycles = report(file, &chain);
    free(chain.edges);
    return cycles;
}
