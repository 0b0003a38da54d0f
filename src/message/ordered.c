/* message/ordered.c - queues that are last in, first out, and those with priorities.
 *
 * All messages lie in blocks.  What the queue has is an array of entries that name them: a stack, or a binary heap with the lowest
 * priority first, and among equals the oldest.  One cursor, `tail`, guards it all; its position is | version: 17 | entries: 28 |.
 *
 * The array is in leaves of 1,024 entries, and these in directories of 4,096 leaves.  Leaf i exists if and only if there are more
 * than 1,024 * i entries: so it is made by the commit that puts its first one, and goes with the commit that takes it.
 *
 * Moving entries in the heap takes many steps before the one commit.  They go along one path from some entry up to the root, each
 * to its neighbour, and leave a hole behind; what does not fit on the path is `saved`.  So whoever owns the cursor next can see how
 * far a dead owner came, and goes the way back.
 */
#include <plait/arena.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/handover.h"
#include "family/repair.h"
#include "message/stream.h"

#define COUNT_BITS 28
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define LEAF 1024u
#define DIRECTORY 4096u

struct entry {
    int64_t priority;
    uint64_t sequence;                                     /* older ones are lower */
    struct plait__block block;
};

/* Written by the owner of the cursor. */
struct plait__tree {
    uint64_t sequence;                                     /* the next */
    _Atomic uint64_t moving;                               /* position << 2 | UP or DOWN; void at another position */
    _Atomic uint64_t hole;                                 /* the entry that may be overwritten */
    struct entry saved;
    struct entry **directories[(COUNT_MASK + 1) / LEAF / DIRECTORY];
};

enum { NOT, UP, DOWN };

size_t plait__ordered_size(void)
{
    return sizeof(struct plait__tree);
}

static struct plait__tree *tree_of(plait_queue *queue)
{
    return (struct plait__tree *)queue->ring;
}

static uint64_t count_in(uint64_t word)
{
    return plait__position_in(word) & COUNT_MASK;
}

uint32_t plait__ordered_count(const plait_queue *queue)
{
    return (uint32_t)count_in(atomic_load(&queue->tail.word));
}

static struct entry *entry_at(struct plait__tree *tree, uint64_t i)
{
    return &tree->directories[i / LEAF / DIRECTORY][i / LEAF % DIRECTORY][i % LEAF];
}

/* The tail is ours: publish what was done. */
static void commit(plait_queue *queue, uint64_t word, uint64_t count)
{
    uint64_t version = (plait__position_in(word) >> COUNT_BITS) + 1;
    uint64_t flags = plait__cursor_commit(&queue->tail, word, (version << COUNT_BITS | count) & (PLAIT__POSITIONS - 1), 0);
    if (flags & PLAIT__CLOSED) plait__cursor_ring_all(&queue->tail);
}

/* ---- leaves ---- */

/* Entry i is about to be the last: make the leaf and the directory that it needs.  0, -ENOMEM. */
static int make_place(struct plait__tree *tree, uint64_t i)
{
    struct entry *leaf = NULL, **directory = NULL;
    if (i > COUNT_MASK - 1) return plait__fail(-ENOMEM, "the queue has %llu messages, its most", (unsigned long long)i);
    if (i % LEAF == 0 && !(leaf = plait_message_alloc(LEAF * sizeof *leaf))) return -ENOMEM;
    if (i % (LEAF * DIRECTORY) == 0 && !(directory = plait_message_alloc(DIRECTORY * sizeof *directory))) {
        plait_free(leaf);
        return -ENOMEM;
    }
    if (directory) plait__give(PLAIT__NOTE_DIRECTORY, directory);
    if (directory) tree->directories[i / LEAF / DIRECTORY] = directory;
    if (leaf) plait__give(PLAIT__NOTE_SEGMENT, leaf);
    if (leaf) tree->directories[i / LEAF / DIRECTORY][i / LEAF % DIRECTORY] = leaf;
    return 0;
}

static void place_is_made(uint64_t i)
{
    if (i % LEAF == 0) plait__handed_over(PLAIT__NOTE_SEGMENT);
    if (i % (LEAF * DIRECTORY) == 0) plait__handed_over(PLAIT__NOTE_DIRECTORY);
}

static void *leaf_of(struct plait__tree *tree, uint64_t i)
{
    return i % LEAF ? NULL : tree->directories[i / LEAF / DIRECTORY][i / LEAF % DIRECTORY];
}

static void *directory_of(struct plait__tree *tree, uint64_t i)
{
    return i % (LEAF * DIRECTORY) ? NULL : tree->directories[i / LEAF / DIRECTORY];
}

static void take_and_free(unsigned note, void *block)
{
    if (!block) return;
    plait__taken(note, block);
    plait_free(block);
}

/* Commit that entry i, the last, is no more; the leaf and the directory that it was the first of go as well. */
static void commit_without(plait_queue *queue, uint64_t word, uint64_t i)
{
    void *leaf = leaf_of(tree_of(queue), i), *directory = directory_of(tree_of(queue), i);
    if (leaf) plait__take(PLAIT__NOTE_SEGMENT, leaf);
    if (directory) plait__take(PLAIT__NOTE_DIRECTORY, directory);
    commit(queue, word, i);
    take_and_free(PLAIT__NOTE_SEGMENT, leaf);
    take_and_free(PLAIT__NOTE_DIRECTORY, directory);
}

/* ---- the heap ---- */

static bool comes_before(const struct entry *a, const struct entry *b)
{
    return a->priority != b->priority ? a->priority < b->priority : a->sequence < b->sequence;
}

static uint64_t parent_of(uint64_t i)
{
    return (i - 1) / 2;
}

/* From here on, until the commit, a dead owner's moves are taken back. */
static void begin_to_move(struct plait__tree *tree, uint64_t word, unsigned way, uint64_t hole, const struct entry *saved)
{
    tree->saved = *saved;
    atomic_store_explicit(&tree->hole, hole, memory_order_relaxed);
    plait__in_order();
    atomic_store_explicit(&tree->moving, plait__position_in(word) << 2 | way, memory_order_release);
    plait__in_order();
}

/* Fill the hole from another place, which is the hole then. */
static void move(struct plait__tree *tree, uint64_t from)
{
    *entry_at(tree, atomic_load_explicit(&tree->hole, memory_order_relaxed)) = *entry_at(tree, from);
    plait__in_order();
    atomic_store_explicit(&tree->hole, from, memory_order_release);
    plait__in_order();
}

/* Entry i is new and the last: let it rise.  Its own place is beyond the end until the commit, and may vanish with its leaf if we
 * die: so what is to move there is saved, and written last. */
static void rise(struct plait__tree *tree, uint64_t word, uint64_t i, const struct entry *entry)
{
    if (i == 0 || !comes_before(entry, entry_at(tree, parent_of(i)))) {
        *entry_at(tree, i) = *entry;
        return;
    }
    uint64_t hole = parent_of(i);
    begin_to_move(tree, word, UP, hole, entry_at(tree, hole));
    for (; hole && comes_before(entry, entry_at(tree, parent_of(hole))); hole = parent_of(hole)) move(tree, parent_of(hole));
    *entry_at(tree, hole) = *entry;
    *entry_at(tree, i) = tree->saved;
}

/* The root is taken: the last of the `count` entries goes there and sinks. */
static void sink(struct plait__tree *tree, uint64_t word, uint64_t count)
{
    uint64_t last = count - 1, hole = 0;
    const struct entry *entry = entry_at(tree, last);
    if (last == 0) return;
    begin_to_move(tree, word, DOWN, 0, entry_at(tree, 0));
    for (uint64_t child; (child = 2 * hole + 1) < last; hole = child) {
        if (child + 1 < last && comes_before(entry_at(tree, child + 1), entry_at(tree, child))) child++;
        if (!comes_before(entry_at(tree, child), entry)) break;
        move(tree, child);
    }
    *entry_at(tree, hole) = *entry;
}

/* On the path from `end` up to the root: the one whose parent is `i`. */
static uint64_t child_towards(uint64_t end, uint64_t i)
{
    while (parent_of(end) != i) end = parent_of(end);
    return end;
}

/* The tail is ours: an owner that died in the middle has left a hole somewhere.  Go its way back; whoever dies in that, too, has
 * left one as well. */
static void take_back_moves(plait_queue *queue, uint64_t word)
{
    struct plait__tree *tree = tree_of(queue);
    uint64_t moving = atomic_load(&tree->moving), hole = atomic_load(&tree->hole);
    if (PLAIT__LIKELY(!moving)) return;
    if (moving >> 2 == plait__position_in(word)) {
        uint64_t end = (moving & 3) == UP ? parent_of(count_in(word)) : 0;
        for (; hole != end; hole = atomic_load(&tree->hole))
            move(tree, (moving & 3) == UP ? child_towards(end, hole) : parent_of(hole));
        *entry_at(tree, hole) = tree->saved;
        plait__in_order();
    }
    atomic_store_explicit(&tree->moving, 0, memory_order_release);
    plait__in_order();
}

void plait__ordered_free(plait_queue *queue)
{
    struct plait__tree *tree = tree_of(queue);
    uint64_t word = atomic_load(&queue->tail.word);
    take_back_moves(queue, word);
    for (uint64_t i = count_in(word); i-- > 0;) {
        plait_free(entry_at(tree, i)->block.data);
        void *directory = directory_of(tree, i);
        plait_free(leaf_of(tree, i));
        plait_free(directory);
    }
}

/* ---- putting ---- */

/* Whether it is full now is told by another word than the one that is slept on: so announce the sleep, and then look again. */
static int wait_for_room(plait_queue *queue, struct plait__wait *wait)
{
    uint32_t bell = atomic_load(&queue->head.move_bell);
    if (!plait__is_now(wait->deadline)) {
        if (plait__spin(wait)) return 0;
        atomic_fetch_or(&queue->head.word, PLAIT__WANT_MOVE);
    }
    uint64_t tail = atomic_load(&queue->tail.word);
    if ((tail & PLAIT__CLOSED) || count_in(tail) < queue->maxsize) return 0;
    uint32_t owner = plait__slot_of(plait__owner_in(tail));
    int error = plait__is_now(wait->deadline) ? plait__give_up(owner) : plait__park(wait, &queue->head.move_bell, bell, owner);
    return error ? plait__fail(error, "the queue is full") : 0;
}

static void pass_room_on(plait_queue *queue)
{
    plait__cursor_pass_on(&queue->head, PLAIT__WANT_MOVE);
}

/* Own the tail, with a place for another message. */
static int own_with_room(plait_queue *queue, uint64_t *word, struct plait__wait *wait)
{
    for (;;) {
        int error = plait__cursor_own(&queue->tail, PLAIT__CLOSED, word, wait);
        if (error) {
            if (wait->slept) pass_room_on(queue);
            return error;
        }
        if (count_in(*word) < queue->maxsize) break;
        plait__give_tail_up(queue);
        if ((error = wait_for_room(queue, wait))) return error;
    }
    PLAIT__POINT(QUEUE_OWNED);
    take_back_moves(queue, *word);
    return 0;
}

int plait__ordered_put(plait_queue *queue, struct plait__message *message, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_QUEUE, queue, deadline);
    plait__stream_enter(&queue->tail);
    struct plait__tree *tree = tree_of(queue);
    uint64_t word = 0;
    int error = own_with_room(queue, &word, &wait);
    if (error) return error;
    uint64_t i = count_in(word);
    if ((error = make_place(tree, i))) {
        plait__give_tail_up(queue);
        pass_room_on(queue);
        return error;
    }
    if (message->is_private) plait__give(PLAIT__NOTE_MESSAGE, message->block);
    const struct entry entry = { message->priority, tree->sequence++, { message->block, message->size } };
    if (queue->order == PLAIT_PRIORITY) rise(tree, word, i, &entry);
    else *entry_at(tree, i) = entry;
    commit(queue, word, i + 1);
    if (message->is_private) plait__handed_over(PLAIT__NOTE_MESSAGE);
    place_is_made(i);
    if (wait.slept) pass_room_on(queue);
    plait__wait_end(&wait);
    return 0;
}

/* ---- getting ---- */

static int wait_for_message(plait_queue *queue, struct plait__wait *wait)
{
    uint32_t bell = atomic_load(&queue->tail.move_bell);
    uint64_t tail = atomic_load(&queue->tail.word);
    if (count_in(tail)) return 0;
    if ((tail & PLAIT__CLOSED) && !plait__is_owned(tail))
        return plait__fail(PLAIT_ECLOSED, "the queue was closed, and everything has been read");
    int error = plait__is_now(wait->deadline) ? plait__give_up(plait__slot_of(plait__owner_in(tail)))
                                              : plait__cursor_wait_move(&queue->tail, tail, bell, wait);
    return error ? plait__fail(error, "the queue is empty") : 0;
}

static int own_with_message(plait_queue *queue, uint64_t *word, struct plait__wait *wait)
{
    for (;;) {
        int error = plait__cursor_own(&queue->tail, 0, word, wait);
        if (error) {
            if (wait->slept) plait__pass_message_on(queue);
            return error;
        }
        if (count_in(*word)) break;
        plait__give_tail_up(queue);
        if ((error = wait_for_message(queue, wait))) return error;
    }
    PLAIT__POINT(QUEUE_OWNED);
    take_back_moves(queue, *word);
    return 0;
}

/* Its size, or why it can't be taken. */
static ssize_t look_at(const struct plait__block *block, const struct plait__taking *taking)
{
    if (taking->value) return plait__read_value(block->data, block->size, taking);
    if (!taking->only_look && !taking->block && block->size > taking->size) return plait__too_short(block->size, taking->size);
    if (taking->stays && block->size) memcpy(taking->buffer, block->data, block->size);
    return (ssize_t)block->size;
}

/* The tail is ours.  It is given up in any case. */
static ssize_t take_first(plait_queue *queue, uint64_t word, const struct plait__taking *taking)
{
    struct plait__tree *tree = tree_of(queue);
    uint64_t last = count_in(word) - 1;
    const struct plait__block block = entry_at(tree, queue->order == PLAIT_PRIORITY ? 0 : last)->block;
    ssize_t result = look_at(&block, taking);
    if (result < 0 || taking->only_look || taking->stays) {
        plait__give_tail_up(queue);
        plait__pass_message_on(queue);
        return result;
    }
    plait__take(PLAIT__NOTE_MESSAGE, block.data);
    if (queue->order == PLAIT_PRIORITY) sink(tree, word, last + 1);
    commit_without(queue, word, last);
    plait__taken(PLAIT__NOTE_MESSAGE, block.data);
    pass_room_on(queue);
    return plait__hand_out(&block, taking);
}

ssize_t plait__ordered_take(plait_queue *queue, const struct plait__taking *taking, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_QUEUE, queue, deadline);
    plait__stream_enter(&queue->head);
    uint64_t word = 0;
    int error = own_with_message(queue, &word, &wait);
    if (error) return error;
    ssize_t result = take_first(queue, word, taking);
    if (wait.slept && count_in(atomic_load(&queue->tail.word))) plait__pass_message_on(queue);
    plait__wait_end(&wait);
    return result;
}

/* ---- among others ---- */

int plait__ordered_look(plait_queue *queue, bool arms, struct plait__place *place)
{
    *place = plait__place_at(&queue->tail.move_bell, atomic_load(&queue->tail.move_bell));
    if (arms) plait__cursor_want_move(&queue->tail);
    uint64_t tail = atomic_load(&queue->tail.word);
    return count_in(tail) || ((tail & PLAIT__CLOSED) && !plait__is_owned(tail));
}

int plait__ordered_look_for_room(plait_queue *queue, bool arms, struct plait__place *place)
{
    *place = plait__place_at(&queue->head.move_bell, atomic_load(&queue->head.move_bell));
    if (arms) plait__cursor_want_move(&queue->head);
    uint64_t tail = atomic_load(&queue->tail.word);
    return (tail & PLAIT__CLOSED) || count_in(tail) < queue->maxsize;
}
