/* family/stats.c - how the arena's memory is used, and by whom; its limit. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <plait/arena.h>

#include "arena/limit.h"
#include "arena/spans.h"
#include "base/error.h"
#include "family/repair.h"
#include "family/roster.h"

/* ---- counting ---- */

struct part {
    uint64_t bytes, blocks, spans;
};

struct tally {
    plait_arena_figures all;
    struct part *parts;                                    /* by slot */
};

/* Somebody lives in the slot, or died there and is not repaired yet. */
static bool is_taken(uint32_t slot)
{
    return slot <= PLAIT__MEMBERS_MAX && atomic_load(plait__pulse_word(slot)) != 0;
}

/* Who a block (`tag`), or a span as a whole (NULL), belongs to now. */
static unsigned owner_now(uint32_t span, const _Atomic uint16_t *tag)
{
    return tag ? atomic_load(tag) : plait__span_owner(atomic_load(&plait__arena->table[span].state));
}

/* It says that it belongs to the member in `slot`, and nobody has lived there all the time that we looked. */
static bool is_leaked(uint32_t slot, uint32_t span, const _Atomic uint16_t *tag)
{
    if (slot > PLAIT__MEMBERS_MAX) return owner_now(span, tag) == slot;
    uint32_t life = atomic_load(&plait__slot(slot)->life);
    return !is_taken(slot) && owner_now(span, tag) == slot && atomic_load(&plait__slot(slot)->life) == life && !is_taken(slot);
}

static void count_block(struct tally *tally, unsigned owner, size_t size, uint32_t span, const _Atomic uint16_t *tag)
{
    if (owner == PLAIT__TAG_SHARED || owner == PLAIT__TAG_STAMPED) {
        tally->all.shared += size;
        tally->all.shared_blocks++;
    } else if (is_leaked(owner, span, tag)) {
        tally->all.leaked += size;
    } else {
        tally->all.owned += size;
        tally->all.owned_blocks++;
        tally->parts[owner % (PLAIT__MEMBERS_MAX + 1)].bytes += size;
        tally->parts[owner % (PLAIT__MEMBERS_MAX + 1)].blocks++;
    }
}

static void count_small(struct tally *tally, uint32_t span, uint64_t state)
{
    unsigned class = plait__span_class(state), owner = plait__span_owner(state);
    size_t size = plait__size_of_class(class);
    if (owner && is_leaked(owner, span, NULL)) tally->all.leaked += PLAIT__SPAN_SIZE;
    else tally->parts[owner % (PLAIT__MEMBERS_MAX + 1)].spans++;
    for (unsigned i = 0; i < plait__blocks_in_span(class); i++) {
        _Atomic uint16_t *tag = plait__tags_of(span) + i;
        unsigned seen = atomic_load_explicit(tag, memory_order_relaxed);
        if (seen) count_block(tally, seen, size, span, tag);
    }
}

static void count_span(struct tally *tally, uint32_t span)
{
    uint64_t state = atomic_load(&plait__arena->table[span].state);
    uint64_t run = (uint64_t)atomic_load(&plait__arena->table[span].run) * PLAIT__SPAN_SIZE;
    unsigned owner = plait__span_owner(state);
    tally->all.used += state ? PLAIT__SPAN_SIZE : 0;
    switch (plait__span_kind(state)) {
    case PLAIT__SMALL: count_small(tally, span, state); break;
    case PLAIT__LARGE: count_block(tally, owner, run, span, NULL); break;
    case PLAIT__KEPT: tally->all.kept += run; break;
    case PLAIT__CLAIM:
        if (is_leaked(owner, span, NULL)) tally->all.leaked += PLAIT__SPAN_SIZE;
        break;
    case PLAIT__FREE:
    case PLAIT__TAIL: break;
    }
}

/* 0, and tally->parts is to be freed; or an error. */
static int count_all(struct tally *tally)
{
    int error = plait__member();
    if (error) return error;
    plait__reap_all();
    *tally = (struct tally){ .parts = calloc(PLAIT__MEMBERS_MAX + 1, sizeof(struct part)) };
    if (!tally->parts) return plait__fail(-ENOMEM, "no private memory to count in");
    uint32_t top = atomic_load(&plait__arena->top);
    for (uint32_t span = 1; span < top; span++) count_span(tally, span);
    return 0;
}

/* ---- the face ---- */

int plait_arena_stats(plait_arena_figures *stats)
{
    struct tally tally;
    if (!stats) return plait__fail(-EINVAL, "no place for the figures was given");
    int error = count_all(&tally);
    if (error) return error;
    free(tally.parts);
    *stats = tally.all;
    stats->mapped = (uint64_t)(plait__arena->spans - 1) * PLAIT__SPAN_SIZE;
    stats->limit = (uint64_t)atomic_load(&plait__arena->limit) * PLAIT__SPAN_SIZE;
    stats->resident = plait__arena_resident();
    stats->members = (uint32_t)plait_member_count();
    return 0;
}

static void describe(plait_arena_member *member, const struct plait__slot *slot, const struct part *part)
{
    *member = (plait_arena_member){
        .pid = atomic_load(&slot->pid),
        .tid = atomic_load(&slot->tid),
        .owned = part->bytes,
        .owned_blocks = part->blocks,
        .spans = part->spans * PLAIT__SPAN_SIZE,
    };
    memcpy(member->name, slot->name, sizeof member->name);
    member->name[sizeof member->name - 1] = 0;
}

int plait_arena_members(plait_arena_member *list, size_t room)
{
    struct tally tally;
    if (!list && room) return plait__fail(-EINVAL, "no place for the members was given");
    int error = count_all(&tally), count = 0;
    if (error) return error;
    uint32_t made = atomic_load(&plait__roster->made);
    for (uint32_t i = 1; i <= made; i++) {
        if (!is_taken(i) || atomic_load(&plait__slot(i)->pid) == 0) continue;
        if ((size_t)count < room) describe(&list[count], plait__slot(i), &tally.parts[i]);
        count++;
    }
    free(tally.parts);
    return count;
}

int plait_arena_set_limit(uint64_t bytes)
{
    int error = plait__member();
    if (error) return error;
    uint64_t spans = bytes / PLAIT__SPAN_SIZE + (bytes % PLAIT__SPAN_SIZE != 0);
    if (spans == 0 || spans >= plait__arena->spans)
        return plait__fail(-EINVAL, "a limit of %llu bytes is not between 1 and the %llu that there is address space for",
                           (unsigned long long)bytes, (unsigned long long)(plait__arena->spans - 1) * PLAIT__SPAN_SIZE);
    atomic_store(&plait__arena->limit, (uint32_t)spans);
    return 0;
}
