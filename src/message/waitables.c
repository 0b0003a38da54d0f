#include "message/waitables.h"

#include "base/error.h"
#include "message/place.h"

/* As wait_for_message, but that the flag goes up before the look. */
static int fifo_look(plait_queue *queue, bool arms, struct plait__place *place)
{
    *place = plait__place_at(&queue->tail.move_bell, atomic_load(&queue->tail.move_bell));
    if (arms) plait__cursor_want_move(&queue->tail);
    uint64_t head, tail;
    do {
        head = atomic_load(&queue->head.word);
        tail = atomic_load(&queue->tail.word);
    } while (!plait__same_place(head, atomic_load(&queue->head.word)));
    return !plait__same_place(tail, head) || plait__is_drained(queue, tail);
}

/* As wait_for_room, for a message of eight bytes. */
static int fifo_look_for_room(plait_queue *queue, bool arms, struct plait__place *place)
{
    uint32_t head_bell = atomic_load(&queue->head.move_bell), done_bell = atomic_load(&queue->done.move_bell);
    if (arms) plait__cursor_want_move(&queue->head);
    if (arms && queue->leases) plait__cursor_want_move(&queue->done);
    struct plait__room room = plait__look_at_room(queue);
    *place = room.too_many ? plait__place_at(&queue->head.move_bell, head_bell)
                           : plait__place_at(&queue->done.move_bell, done_bell);
    return plait__room_suffices(queue, &room, plait__units_for(queue, 8));
}

/* With leases that are open nobody but a getter can tell whether one of them has come back: be one, that takes nothing. */
static bool can_get(plait_queue *queue)
{
    struct plait__detail detail;
    plait__keep_detail(&detail);
    bool can = plait_queue_next_size(queue, PLAIT_NOW) != -ETIMEDOUT;
    plait__restore_detail(&detail);
    return can;
}

static int look(void *object, bool arms, struct plait__place *place)
{
    plait_queue *queue = object;
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    int ready = queue->order == PLAIT_FIFO ? fifo_look(queue, arms, place) : plait__ordered_look(queue, arms, place);
    return ready || (!plait__all_settled(queue) && can_get(queue));
}

static int look_for_room(void *object, bool arms, struct plait__place *place)
{
    plait_queue *queue = object;
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    struct plait__owned *before = plait__enter_object(&queue->owned);
    int ready = queue->order == PLAIT_FIFO ? fifo_look_for_room(queue, arms, place)
                                           : plait__ordered_look_for_room(queue, arms, place);
    plait__leave_object(before);
    return ready;
}

static void pass_on(void *queue)
{
    if (plait__is_queue(queue)) plait__pass_message_on(queue);
}

static void pass_room_on(void *queue)
{
    if (plait__is_queue(queue)) plait__pass_room_on(queue);
}

const struct plait__waitable plait__queue_waitable = { look, pass_on };
const struct plait__waitable plait__room_waitable = { look_for_room, pass_room_on };
