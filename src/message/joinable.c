/* message/joinable.c - tasks: messages that are unfinished until their taker says that they are done.
 *
 * What lies in [done, tail) is unfinished.  It is counted nowhere else, so no death makes the count wrong: a put counts from its
 * commit on, and a task until `done` moves over it.
 *
 * Who joins waits for a *rest*, a moment at which done == tail.  (Whoever looks reads `done` first: if the tail is no further on
 * afterwards, that was one.)  It may be over when a sleeping joiner gets to look.  So while there are joiners, rests are noted,
 * with their place: by whoever has moved `done`, and by whoever is going to move the tail and has it.  A note that is not before
 * the tail as a joiner found it is of a rest that it has seen: if it was earlier, then nothing was put since, and it is not over.
 *
 * The number of joiners is only a hint that somebody may ask for notes.  It goes up before a joiner looks at the tail, and a death
 * can only leave it too high, which costs a look at the other cursor for each task that is put or done.
 */
#include <limits.h>
#include <stdio.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/wait.h"
#include "message/place.h"

/* ---- what a thread has taken ---- */

struct memory {
    plait_queue *queue;                                    /* NULL: forgotten */
    plait_lease lease;
};

/* A block of the thread, with the oldest first. */
struct plait__tasks {
    uint32_t first, end, room;
    struct memory memories[];
};

enum { ROOM_AT_FIRST = 16 };

static size_t size_for(uint32_t room)
{
    return sizeof(struct plait__tasks) + room * sizeof(struct memory);
}

/* Only what can still be done: of what lies behind a task that is held for long most may be forgotten by now; and somebody else may
 * have freed the queue. */
static void squeeze(struct plait__tasks *taken)
{
    uint32_t count = 0;
    for (uint32_t i = taken->first; i < taken->end; i++) {
        struct memory memory = taken->memories[i];
        if (memory.queue && plait__is_held(memory.queue, memory.lease)) taken->memories[count++] = memory;
    }
    taken->first = 0;
    taken->end = count;
}

/* At least half of it is free, or there is no end in sight. */
static int make_room(struct plait__tasks *taken)
{
    if (taken) squeeze(taken);
    if (taken && taken->end <= taken->room / 2) return 0;
    uint32_t count = taken ? taken->end : 0;
    if (count > UINT32_MAX / 4) return plait__fail(-ENOMEM, "the thread has taken %u tasks that are not done", count);
    uint32_t room = count ? 2 * taken->room : ROOM_AT_FIRST;
    struct plait__tasks *larger = plait_message_alloc(size_for(room));
    if (!larger) return -ENOMEM;
    *larger = (struct plait__tasks){ .end = count, .room = room };
    if (taken) memcpy(larger->memories, taken->memories, count * sizeof(struct memory));
    plait__self.tasks = larger;
    plait_free(taken);
    return 0;
}

int plait__room_to_remember(void)
{
    struct plait__tasks *taken = plait__self.tasks;
    return PLAIT__LIKELY(taken && taken->end < taken->room) ? 0 : make_room(taken);
}

void plait__remember(plait_queue *queue, plait_lease lease)
{
    struct plait__tasks *taken = plait__self.tasks;
    taken->memories[taken->end++] = (struct memory){ queue, lease };
}

/* Those in the middle stay until there is no room. */
static void drop_forgotten(struct plait__tasks *taken)
{
    while (taken->first < taken->end && !taken->memories[taken->first].queue) taken->first++;
    while (taken->first < taken->end && !taken->memories[taken->end - 1].queue) taken->end--;
    if (taken->first == taken->end) taken->first = taken->end = 0;
}

void plait__forget(const plait_queue *queue)
{
    struct plait__tasks *taken = plait__self.tasks;
    if (!taken) return;
    for (uint32_t i = taken->first; i < taken->end; i++)
        if (taken->memories[i].queue == queue) taken->memories[i].queue = NULL;
    drop_forgotten(taken);
    if (taken->end) return;
    plait__self.tasks = NULL;
    plait_free(taken);
}

/* The oldest of that queue, which is remembered no longer.  False: there is none. */
static bool recall(const plait_queue *queue, plait_lease *lease)
{
    struct plait__tasks *taken = plait__self.tasks;
    for (uint32_t i = taken ? taken->first : 0; taken && i < taken->end; i++) {
        if (taken->memories[i].queue != queue) continue;
        *lease = taken->memories[i].lease;
        taken->memories[i].queue = NULL;
        drop_forgotten(taken);
        return true;
    }
    return false;
}

/* Some may be of a queue that lay here before, and that somebody else has freed. */
int plait_queue_task_done(plait_queue *queue)
{
    plait_lease lease;
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    if (!queue->joinable) return plait__fail(-EINVAL, "the queue was not made joinable");
    int error = plait__member();
    if (error) return error;
    while (recall(queue, &lease))
        if (plait_queue_ack(queue, lease) == 0) return 0;
    return plait__fail(PLAIT_ENOLEASE, "task_done was called too many times: the calling thread has no task of that queue");
}

/* ---- joining ---- */

/* Notes only go forward, though whoever saw an earlier rest may come late: a later one lies between there and the tail.  (Any other
 * may be of half a circle ago.) */
static void note(plait_queue *queue, uint64_t place)
{
    uint64_t before = atomic_load(&queue->rest.place);
    while (plait__units_between(place, before) > plait__units_between(place, atomic_load(&queue->tail.word)))
        if (atomic_compare_exchange_weak(&queue->rest.place, &before, place)) return;
}

void plait__note_rest(plait_queue *queue)
{
    uint64_t done = atomic_load(&queue->done.word), tail = atomic_load(&queue->tail.word);
    if (!plait__same_place(done, tail)) return;
    note(queue, done & PLAIT__PLACE);
    atomic_fetch_add(&queue->rest.bell, 1);
    plait__wake(&queue->rest.bell, INT_MAX);
}

/* Is it at rest now, or was it since the tail was `begun`?  (The tail is read last: no note is beyond it.) */
static bool has_rested(const plait_queue *queue, uint64_t begun)
{
    uint64_t rest = atomic_load(&queue->rest.place);
    uint64_t done = atomic_load(&queue->done.word), tail = atomic_load(&queue->tail.word);
    return plait__same_place(done, tail) || plait__units_between(begun, rest) <= plait__units_between(begun, tail);
}

static void name_holders(const struct plait__open *open, char *text, size_t size)
{
    text[0] = 0;
    for (unsigned i = 0; i < open->count; i++) {
        char name[64] = "somebody who is no more";
        if (open->holders[i]) plait__describe_member(open->holders[i], name, sizeof name);
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", i ? ", " : "; taken by ", name);
    }
    size_t used = strlen(text);
    if (open->count && !open->is_all) snprintf(text + used, size - used, ", ...");
}

/* Why it takes so long.  The numbers are of several moments: what was put after the tail was read may be among what is settled. */
static int tell_of_the_unfinished(plait_queue *queue, int error)
{
    uint64_t word;
    uint32_t done = plait__look_at_number(&queue->done, &word);
    uint32_t head = plait__look_at_number(&queue->head, &word), tail = plait__look_at_number(&queue->tail, &word);
    struct plait__open open = plait__open_leases(queue);
    uint32_t queued = tail - head, begun = tail - done, left = begun - queued > open.settled ? begun - open.settled : queued;
    bool at_most = open.count < PLAIT__OPEN_MOST && !open.is_all;
    char names[PLAIT__OPEN_MOST * 80];
    name_holders(&open, names, sizeof names);
    return plait__fail(error, "unfinished tasks: %s%u, of which queued: %u%s", at_most ? "at most " : "", left, queued, names);
}

static int wait_for_rest(plait_queue *queue, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_QUEUE, queue, deadline);
    uint64_t begun = atomic_load(&queue->tail.word);
    for (;;) {
        uint32_t bell = atomic_load(&queue->rest.bell);
        if (has_rested(queue, begun)) break;
        if (!plait__is_now(deadline) && plait__spin(&wait)) continue;
        plait__reclaim_all(queue);                         /* who acknowledged may have died before it could */
        if (has_rested(queue, begun)) break;
        int error = plait__is_now(deadline) ? plait__give_up(0) : plait__park(&wait, &queue->rest.bell, bell, 0);
        if (error) return tell_of_the_unfinished(queue, error);
    }
    plait__tsan_acquire(&queue->done.word);
    plait__wait_end(&wait);
    return 0;
}

int plait_queue_join(plait_queue *queue, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    if (!queue->leases) return plait__fail(-EINVAL, "the queue was made neither joinable nor with leases");
    int error = plait__member();
    if (error) return error;
    struct plait__owned *before = plait__enter_object(&queue->owned);
    atomic_fetch_add(&queue->rest.joiners, 1);
    error = wait_for_rest(queue, deadline);
    atomic_fetch_sub(&queue->rest.joiners, 1);
    plait__leave_object(before);
    return error;
}
