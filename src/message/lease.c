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
#include "message/queue_internal.h"

#include "base/error.h"
#include "family/claim.h"
#include "family/repair.h"

enum state { WAITING, HELD, RETURNED, SETTLED };

static plait_lease lease_of(uint32_t position, uint32_t number, uint32_t attempts)
{
    return (plait_lease){ .id = (uint64_t)number << 32 | position, .attempts = attempts };
}

void plait__lease_begin(plait_queue *queue, struct plait__record *record, uint64_t head, plait_lease *lease)
{
    (void)queue;
    atomic_store_explicit(&record->holder, plait__claim(HELD, 0), memory_order_relaxed);
    plait__in_order();
    *lease = lease_of(plait__position_in(head), record->number, 0);
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
        uint64_t mine = plait__owned_by_us(seen & ~PLAIT__AGAIN);
        if (!atomic_compare_exchange_strong(&done->word, &seen, mine)) continue;
        *word = mine;
        return true;
    }
}

/* With `done` ours: move it over what is settled, and give it up. */
static void pass_settled(plait_queue *queue, uint64_t done)
{
    uint64_t head = atomic_load(&queue->head.word);
    uint32_t units = 0, messages = 0;
    while (!plait__same_place(plait__moved(done, units, messages), head)) {
        const struct plait__record *record = plait__record_at(queue, plait__position_in(done) + units);
        if (plait__claim_state(atomic_load(&record->holder)) != SETTLED) break;
        units += plait__units_for(queue, record->size);
        messages++;
    }
    if (messages) plait__cursor_commit(&queue->done, done, units, messages);
    else plait__cursor_disown(&queue->done);               /* nobody is rung: it has not moved */
}

void plait__reclaim(plait_queue *queue)
{
    uint64_t done;
    while (own_for_reclaiming(&queue->done, &done)) pass_settled(queue, done);
    /* The last message of a closed queue: those who wait for more must learn that there is none. */
    uint64_t tail = atomic_load(&queue->tail.word);
    if ((tail & PLAIT__CLOSED) && plait__all_settled(queue)) plait__cursor_ring_all(&queue->tail);
}

/* ---- taking over ---- */

/* What would have to change for a lease to become free to take. */
static uint64_t changes(const plait_queue *queue)
{
    uint32_t endings = atomic_load(&plait__roster->endings);
    return (uint64_t)endings << 32 | atomic_load(&queue->givebacks);
}

bool plait__may_have_returned(const plait_queue *queue)
{
    return atomic_load(&queue->settled) != changes(queue);
}

static bool is_free_to_take(uint64_t holder)
{
    if (plait__claim_state(holder) == RETURNED) return true;
    return plait__claim_state(holder) == HELD && plait__fate(plait__claim_owner(holder)) != PLAIT__LIVES;
}

/* With `done` ours: the first record in [done, head) that may be taken over.  NULL: none. */
static struct plait__record *find_returned(plait_queue *queue, uint64_t done, uint32_t *position)
{
    uint64_t head = atomic_load(&queue->head.word);
    uint32_t units = 0, messages = 0;
    while (!plait__same_place(plait__moved(done, units, messages), head)) {
        *position = (plait__position_in(done) + units) & (PLAIT__POSITIONS - 1);
        struct plait__record *record = plait__record_at(queue, *position);
        if (is_free_to_take(atomic_load(&record->holder))) return record;
        units += plait__units_for(queue, record->size);
        messages++;
    }
    return NULL;
}

/* With `done` ours, so that the record stays what it is. */
static ssize_t take_over(plait_queue *queue, struct plait__record *record, uint32_t position, const struct plait__taking *taking)
{
    size_t size = record->size;
    if (taking->only_look) return (ssize_t)size;
    if (size > taking->size) return plait__too_short(queue, size, taking->size);
    uint64_t holder = atomic_load(&record->holder);
    uint32_t attempts = plait__claim_attempts(holder) < 255 ? plait__claim_attempts(holder) + 1 : 255;
    if (!is_free_to_take(holder) || !atomic_compare_exchange_strong(&record->holder, &holder, plait__claim(HELD, attempts)))
        return -EAGAIN;
    plait__copy_out(queue, position, taking->buffer, size);
    *taking->lease = lease_of(position, record->number, attempts);
    plait__self.leases++;
    return (ssize_t)size;
}

ssize_t plait__take_returned(plait_queue *queue, const struct plait__taking *taking, struct plait__wait *wait)
{
    for (;;) {
        uint64_t before = changes(queue), done = 0;
        if (PLAIT__LIKELY(atomic_load_explicit(&queue->settled, memory_order_relaxed) == before)) return -ENOENT;
        int error = plait__cursor_own(&queue->done, 0, &done, wait);
        if (error) {
            plait__pass_message_on(queue);
            return error;
        }
        uint32_t position = 0;
        struct plait__record *record = find_returned(queue, done, &position);
        ssize_t result = record ? take_over(queue, record, position, taking) : -ENOENT;
        if (!record) atomic_store(&queue->settled, before);
        pass_settled(queue, done);                         /* who acknowledged may have died before it could */
        plait__reclaim(queue);
        if (result != -EAGAIN) return result;
    }
}

/* ---- settling ---- */

/* The record of a lease of the calling thread, or NULL. */
static struct plait__record *find_lease(plait_queue *queue, plait_lease lease, uint64_t *holder)
{
    uint64_t done = atomic_load(&queue->done.word), head = atomic_load(&queue->head.word);
    uint32_t number = (uint32_t)(lease.id >> 32), position = (uint32_t)lease.id;
    uint32_t ahead = (number - plait__count_in(done)) & PLAIT__COUNT_MASK;
    if (position >= PLAIT__POSITIONS || ahead >= plait__messages_between(done, head)) return NULL;
    struct plait__record *record = plait__record_at(queue, position);
    *holder = atomic_load(&record->holder);
    bool ours = plait__claim_state(*holder) == HELD && plait__claim_owner(*holder) == plait__self.owner &&
                record->number == number && plait__claim_attempts(*holder) == lease.attempts;
    return ours ? record : NULL;
}

static int settle(plait_queue *queue, plait_lease lease, enum state state)
{
    uint64_t holder;
    struct plait__record *record = find_lease(queue, lease, &holder);
    if (!record || !atomic_compare_exchange_strong(&record->holder, &holder, plait__claim(state, plait__claim_attempts(holder))))
        return plait__fail(PLAIT_ENOLEASE, "the calling thread holds no such lease");
    plait__self.leases--;
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
