/* message/lease.c - messages that come back when their taker dies.
 *
 * A leased message stays in the ring, between `done` and `head`, until it is acknowledged.  Its record has a claim word that
 * names the holder (family/claim.h):
 *
 * WAITING -> HELD by a taker, before it commits the head; HELD -> SETTLED by the ack; HELD -> RETURNED by a giveback.  A record
 * that is RETURNED, or HELD by a life that has ended, belongs to whoever swaps its own name in.  So a death needs no repair.
 *
 * The room is reclaimed in order: `done` moves on over SETTLED records.  An acknowledger sets AGAIN in `done`; whoever owns
 * `done` looks until AGAIN is down, so nobody has to wait for it.  Records are safe to read only while one owns `done`, or holds
 * the lease.
 */
#include <plait/arena.h>

#include "base/error.h"
#include "family/claim.h"
#include "family/handover.h"
#include "family/repair.h"
#include "message/quick.h"

enum state { WAITING, HELD, RETURNED, SETTLED };

/* A lease: | number: 32 | record, in units from the arena's memory: 32 |, and the queue, in the same way. */
static uint32_t unit_of(const void *address)
{
    return (uint32_t)((uint64_t)((const char *)address - plait__arena->memory) / PLAIT__UNIT);
}

static plait_lease lease_of(const plait_queue *queue, const struct plait__record *record, uint32_t attempts)
{
    uint64_t id = (uint64_t)record->number << 32 | unit_of(record);
    return (plait_lease){ .id = id, .attempts = attempts, .reserved = unit_of(queue) };
}

void plait__lease_begin(plait_queue *queue, struct plait__record *record, plait_lease *lease)
{
    atomic_store_explicit(&record->holder, plait__claim(HELD, 0), memory_order_relaxed);
    plait__in_order();
    *lease = lease_of(queue, record, 0);
    plait__self.leases++;
}

bool plait__all_settled(const plait_queue *queue)
{
    return !queue->leases || plait__same_place(atomic_load(&queue->done.word), atomic_load(&queue->head.word));
}

/* ---- reclaiming ---- */

/* Own `done` if that needs no waiting and there is something to do.  False: nothing to do, or its owner will. */
static bool own_for_reclaiming(struct plait__cursor *done, uint64_t *word)
{
    for (;;) {
        uint64_t seen = atomic_load(&done->word);
        if (!(seen & PLAIT__AGAIN) || plait__is_owned(seen)) return false;
        if (!plait__cursor_take_over(done, seen, PLAIT__AGAIN)) continue;
        *word = plait__owned_by_us(seen & ~PLAIT__AGAIN);
        return true;
    }
}

static bool is_settled(const struct plait__record *record)
{
    return plait__claim_state(atomic_load(&record->holder)) == SETTLED;
}

/* With `done` ours: the messages from there on that are settled, up to the first that has a block of its own, or is the last in its
 * segment: a commit can hand over one of each.  How many; *block: that one's. */
static uint32_t walk_over_settled(plait_queue *queue, struct plait__walk *walk, struct plait__block *block)
{
    uint64_t head = atomic_load(&queue->head.word);
    struct plait__segment *first = walk->segment;
    uint32_t messages = 0;
    while (!block->data && walk->segment == first && !plait__same_place(plait__place_of(walk), head)) {
        const struct plait__record *record = plait__record_at(queue, walk);
        if (!is_settled(record)) break;
        if (record->size == PLAIT__IN_BLOCK) *block = plait__block_at(queue, walk);
        plait__step(queue, walk, plait__units_for(queue, plait__size_there(record)));
        messages++;
    }
    return messages;
}

/* With `done` ours: move it over what is settled, and give it up. */
static void pass_settled(plait_queue *queue, uint64_t done)
{
    struct plait__walk walk = plait__walk_from(queue, &queue->done, done);
    struct plait__block block = { NULL, 0 };
    uint32_t messages = walk_over_settled(queue, &walk, &block);
    if (!messages) {
        plait__cursor_disown(&queue->done);                /* nobody is rung: it has not moved */
        return;
    }
    bool stopped_early = block.data || walk.segment != plait__walk_from(queue, &queue->done, done).segment;
    if (stopped_early) atomic_fetch_or(&queue->done.word, PLAIT__AGAIN);
    if (block.data) plait__take(PLAIT__NOTE_MESSAGE, block.data);
    plait__commit_walk(queue, &queue->done, done, &walk, messages, true);
    plait__tell_joiners(queue);
    if (!block.data) return;
    plait__taken(PLAIT__NOTE_MESSAGE, block.data);
    plait_free(block.data);
}

/* The last message of a closed queue: those who wait for more must learn that there is none. */
static void tell_of_the_last(plait_queue *queue)
{
    if (PLAIT__LIKELY(!atomic_load(&queue->closing))) return;            /* without a look at the putters' line */
    if ((atomic_load(&queue->tail.word) & PLAIT__CLOSED) && plait__all_settled(queue)) plait__cursor_ring_all(&queue->tail);
}

void plait__reclaim(plait_queue *queue)
{
    uint64_t done;
    while (own_for_reclaiming(&queue->done, &done)) pass_settled(queue, done);
    tell_of_the_last(queue);
}

void plait__reclaim_all(plait_queue *queue)
{
    atomic_fetch_or(&queue->done.word, PLAIT__AGAIN);
    plait__reclaim(queue);
}

/* ---- taking over ---- */

static bool is_free_to_take(uint64_t holder)
{
    if (plait__claim_state(holder) == RETURNED) return true;
    return plait__claim_state(holder) == HELD && plait__fate(plait__claim_owner(holder)) != PLAIT__LIVES;
}

/* With `done` ours: where the last look stopped, if that was of the messages that are there now. */
static struct plait__walk walk_from_last_look(const plait_queue *queue, uint64_t done)
{
    if (atomic_load_explicit(&queue->looked.from, memory_order_acquire) == ((done & PLAIT__PLACE) | 1))
        return (struct plait__walk){ queue->looked.position, queue->looked.segment };
    return plait__walk_from(queue, &queue->done, done);
}

/* The word is 0 while the rest is written: who dies meanwhile leaves nothing half. */
static void note_look(plait_queue *queue, uint64_t done, const struct plait__walk *walk)
{
    atomic_store_explicit(&queue->looked.from, 0, memory_order_relaxed);
    if (!walk) return;
    plait__in_order();
    queue->looked.position = walk->position;
    queue->looked.segment = walk->segment;
    atomic_store_explicit(&queue->looked.from, (done & PLAIT__PLACE) | 1, memory_order_release);
}

/* With `done` ours: the first message in [done, head) that may be taken over, and the way there.  NULL: none, or not among the
 * first so many; then the next look without being told goes on from there. */
static struct plait__record *find_returned(plait_queue *queue, uint64_t done, struct plait__walk *walk, uint32_t most)
{
    uint64_t head = atomic_load(&queue->head.word);
    while (!plait__same_place(plait__place_of(walk), head)) {
        if (!most--) {
            note_look(queue, done, walk);
            return NULL;
        }
        struct plait__record *record = plait__record_at(queue, walk);
        if (is_free_to_take(atomic_load(&record->holder))) return record;
        plait__step(queue, walk, plait__units_for(queue, plait__size_there(record)));
    }
    note_look(queue, done, NULL);
    return NULL;
}

/* Who was told of something has to know that there is nothing.  Who looks to make sure shall not be late for that. */
static struct plait__record *look_for_returned(plait_queue *queue, uint64_t done, bool told, struct plait__walk *walk)
{
    *walk = told ? plait__walk_from(queue, &queue->done, done) : walk_from_last_look(queue, done);
    return find_returned(queue, done, walk, told ? UINT32_MAX : PLAIT__LOOK_MOST);
}

/* With `done` ours, so that the record stays what it is.  A copy is made first: if the claim fails, it was made in vain. */
static ssize_t take_over(plait_queue *queue, const struct plait__walk *walk, struct plait__record *record,
                         const struct plait__taking *taking)
{
    ssize_t size = plait__copy_message(queue, walk, taking);
    if (size < 0 || taking->stays) plait__pass_message_on(queue);
    if (size < 0 || taking->only_look || taking->stays) return size;
    uint64_t holder = atomic_load(&record->holder);
    uint32_t attempts = plait__claim_attempts(holder) < 255 ? plait__claim_attempts(holder) + 1 : 255;
    if (!is_free_to_take(holder) || !atomic_compare_exchange_strong(&record->holder, &holder, plait__claim(HELD, attempts))) {
        if (taking->block) plait_free(*taking->block);
        if (taking->value) plait_value_free(*taking->value);
        return -EAGAIN;
    }
    *taking->lease = lease_of(queue, record, attempts);
    plait__self.leases++;
    return size;
}

/* Own `done` to look for leases: if `must` is not set, only if nobody else does. */
static int own_to_look(struct plait__cursor *done, bool must, uint64_t *word, struct plait__wait *wait)
{
    if (must) return plait__cursor_own(done, 0, word, wait);
    uint64_t seen = atomic_load(&done->word);
    if (plait__is_owned(seen) || !plait__cursor_take_over(done, seen, 0)) return -EBUSY;
    *word = plait__owned_by_us(seen);
    plait__tsan_acquire(&done->word);
    return 0;
}

/* Who has waited for long looks without being told: a repairer may have been stopped before it counted the end of a life. */
ssize_t plait__take_returned(plait_queue *queue, const struct plait__taking *taking, struct plait__wait *wait)
{
    for (;;) {
        uint64_t before = plait__lease_changes(queue), done = 0;
        bool told = atomic_load_explicit(&queue->settled, memory_order_relaxed) != before;
        if (PLAIT__LIKELY(!told && !wait->watching)) return -ENOENT;
        int error = own_to_look(&queue->done, told, &done, wait);
        if (error == -EBUSY) return -ENOENT;
        if (error) {
            plait__pass_message_on(queue);
            return error;
        }
        struct plait__walk walk;
        struct plait__record *record = look_for_returned(queue, done, told, &walk);
        ssize_t result = record ? take_over(queue, &walk, record, taking) : -ENOENT;
        if (!record && told) atomic_store(&queue->settled, before);
        pass_settled(queue, done);                         /* who acknowledged may have died before it could */
        plait__reclaim(queue);
        if (result != -EAGAIN) return result;
    }
}

/* With `done` ours. */
static void count_open(plait_queue *queue, struct plait__walk *walk, struct plait__open *open)
{
    uint64_t head = atomic_load(&queue->head.word);
    for (uint32_t most = PLAIT__LOOK_MOST; !(open->is_all = plait__same_place(plait__place_of(walk), head)); most--) {
        if (!most || open->count == PLAIT__OPEN_MOST) return;
        const struct plait__record *record = plait__record_at(queue, walk);
        uint64_t holder = atomic_load(&record->holder);
        bool is_open = plait__claim_state(holder) != SETTLED;
        if (is_open) open->holders[open->count++] = is_free_to_take(holder) ? 0 : (uint32_t)holder & 0xffff;
        else open->settled++;
        plait__step(queue, walk, plait__units_for(queue, plait__size_there(record)));
    }
}

struct plait__open plait__open_leases(plait_queue *queue)
{
    struct plait__wait wait = plait__wait_until(PLAIT_NOW);
    struct plait__open open = { .is_all = false };
    uint64_t done;
    if (own_to_look(&queue->done, false, &done, &wait)) return open;
    struct plait__walk walk = plait__walk_from(queue, &queue->done, done);
    count_open(queue, &walk, &open);
    plait__cursor_disown(&queue->done);
    plait__reclaim_all(queue);                             /* whoever found it owned has left it to us */
    return open;
}

/* ---- settling ---- */

_Static_assert(PLAIT__SPAN_SIZE % (PLAIT__SEGMENT_UNITS * PLAIT__UNIT) == 0, "segments lie at multiples of their size");

/* Does a record there belong to the queue?  The segment of a lease that was settled long ago may be another queue's by now. */
static bool is_in(const plait_queue *queue, uint64_t unit)
{
    const char *at = plait__arena->memory + unit * PLAIT__UNIT;
    if (queue->units) return at >= queue->ring && at < queue->ring + (size_t)queue->units * PLAIT__UNIT;
    const struct plait__segment *segment = (const struct plait__segment *)(at - unit % PLAIT__SEGMENT_UNITS * PLAIT__UNIT);
    return unit % PLAIT__SEGMENT_UNITS && atomic_load_explicit(&segment->queue, memory_order_relaxed) == queue;
}

/* The record of a lease of the calling thread, or NULL.  Any number leads to some place in the arena, which can be read; what is
 * there is the record only if it says so. */
static struct plait__record *find_lease(plait_queue *queue, plait_lease lease, uint64_t *holder)
{
    uint64_t unit = (uint32_t)lease.id, units = (uint64_t)plait__arena->spans * (PLAIT__SPAN_SIZE / PLAIT__UNIT);
    if (lease.reserved != unit_of(queue) || unit >= units || !is_in(queue, unit)) return NULL;
    struct plait__record *record = (struct plait__record *)(plait__arena->memory + unit * PLAIT__UNIT);
    *holder = atomic_load(&record->holder);
    bool ours = plait__claim_state(*holder) == HELD && plait__claim_owner(*holder) == plait__self.owner &&
                record->number == (uint32_t)(lease.id >> 32) && plait__claim_attempts(*holder) == lease.attempts;
    return ours ? record : NULL;
}

/* With `done` ours, at a message of so many units: that one alone can be passed, as it lies in one piece, and the next is not
 * settled, or has not been taken. */
static bool is_alone(plait_queue *queue, uint64_t done, char *base, uint32_t units)
{
    uint64_t next = done + ((uint64_t)units << PLAIT__PLACE_SHIFT);
    if (!plait__quick_fits(queue, done, units)) return false;
    if (plait__same_place(next, atomic_load(&queue->head.word))) return true;
    return plait__quick_fits(queue, next, 1) && !is_settled((struct plait__record *)plait__quick_at(queue, base, next, 0));
}

/* The short way, if our record is the one at `done` and nobody else has to do with that: own it, settle, go on from there.  As long
 * as we live nobody else changes the claim.  Who dies before the commit leaves what it has settled to the next. */
static bool settle_the_first(plait_queue *queue, struct plait__record *record, uint64_t settled)
{
    struct plait__cursor *done = &queue->done;
    uint64_t seen = atomic_load_explicit(&done->word, memory_order_relaxed), ours = plait__owned_by_us(seen);
    char *base = plait__quick_base(queue, done, seen);
    if ((seen & (PLAIT__AGAIN | 0xffff)) || plait__quick_at(queue, base, seen, 0) != (char *)record) return false;
    if (record->size == PLAIT__IN_BLOCK || !atomic_compare_exchange_strong(&done->word, &seen, ours)) return false;
    PLAIT__POINT(QUEUE_OWNED);
    atomic_store_explicit(&record->holder, settled, memory_order_relaxed);
    uint32_t units = plait__units_for(queue, record->size);
    if (PLAIT__LIKELY(is_alone(queue, ours, base, units))) {
        uint64_t flags = plait__cursor_commit(done, ours, plait__position_in(ours) + units, 1);
        plait__tell_joiners(queue);
        if (PLAIT__LIKELY(!(flags & PLAIT__AGAIN))) {
            tell_of_the_last(queue);
            return true;
        }
    } else {
        pass_settled(queue, ours);
    }
    plait__reclaim(queue);
    return true;
}

bool plait__is_held(plait_queue *queue, plait_lease lease)
{
    uint64_t holder;
    return plait__is_queue(queue) && find_lease(queue, lease, &holder);
}

static int settle(plait_queue *queue, plait_lease lease, enum state state)
{
    uint64_t holder;
    struct plait__record *record = find_lease(queue, lease, &holder);
    plait__tsan_release(&queue->done.word);                /* for those who join */
    if (!record) return plait__fail(PLAIT_ENOLEASE, "the calling thread holds no such lease");
    uint64_t claim = plait__claim(state, plait__claim_attempts(holder));
    plait__self.leases--;
    if (PLAIT__LIKELY(state == SETTLED && settle_the_first(queue, record, claim))) return 0;
    atomic_store(&record->holder, claim);
    if (state == SETTLED) {
        atomic_fetch_or(&queue->done.word, PLAIT__AGAIN);
        plait__reclaim(queue);
    } else {
        atomic_fetch_add(&queue->givebacks, 1);
        plait__cursor_ring_all(&queue->tail);
    }
    return 0;
}

static int settle_inside(plait_queue *queue, plait_lease lease, enum state state)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    if (!queue->leases) return plait__fail(-EINVAL, "the queue was made without leases");
    int error = plait__member();
    if (error) return error;
    struct plait__owned *before = plait__enter_object(&queue->owned);
    error = settle(queue, lease, state);
    plait__leave_object(before);
    return error;
}

int plait_queue_ack(plait_queue *queue, plait_lease lease)
{
    return settle_inside(queue, lease, SETTLED);
}

int plait_queue_giveback(plait_queue *queue, plait_lease lease)
{
    return settle_inside(queue, lease, RETURNED);
}
