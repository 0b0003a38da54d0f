/* message/stream.h - what a thread remembers of the cursor that it used last.
 *
 * A thread that puts into, or gets from, the same queue again and again works in a *stream*.  If it has to look at the other side's
 * cursor after every few messages, it is the faster side, and its looks slow the other one down, as each takes the cache line
 * away.  So it lingers before it looks, longer each time, until the looks find many messages, or much room.  Whoever uses another
 * queue in between, as in a dialogue, or had to sleep, does not; nor does who won't wait.
 *
 * A thread also remembers as what it left the cursor (`known`), see quick.h.  Then it is the cursor of the stream.
 */
#ifndef PLAIT_MESSAGE_STREAM_H
#define PLAIT_MESSAGE_STREAM_H

#include "base/deadline.h"
#include "message/queue_internal.h"

/* Pauses of the CPU, some 10 us; less where little fits into the queue, so that the other side does not run out of messages, or of
 * room, meanwhile: a message takes about half a pause. */
#define PLAIT__LINGER_MOST 256u
#define PLAIT__LINGER_FEW 4u                               /* units for each pause: a look that finds more has found many */
#define PLAIT__LINGER_NANOSECONDS 50000                    /* surely more than the longest of them takes */

static inline uint32_t plait__linger_most(uint32_t units, uint32_t maxsize)
{
    uint32_t most = units && units / 16 < PLAIT__LINGER_MOST ? units / 16 : PLAIT__LINGER_MOST;
    return maxsize / 8 < most ? maxsize / 8 : most;
}

/* An operation with this cursor begins. */
static inline void plait__stream_enter(const struct plait__cursor *cursor)
{
    struct plait__stream *stream = &plait__self.stream;
    if (PLAIT__UNLIKELY(stream->cursor != cursor)) *stream = (struct plait__stream){ .cursor = cursor };
}

/* Before a look. */
static inline void plait__stream_linger(plait_deadline deadline)
{
    uint32_t pauses = plait__self.stream.linger;
    if (!pauses || plait__is_now(deadline)) return;
    if (!plait__is_forever(deadline) && deadline.at < plait__now() + PLAIT__LINGER_NANOSECONDS) return;
    for (uint32_t i = 0; i < pauses; i++) plait__relax();
}

/* Where nobody spins, the other side may need this CPU. */
static inline void plait__stream_linger_longer(const plait_queue *queue)
{
    uint32_t longer = plait__self.stream.linger * 2 + 8;
    if (plait__self.spin_limit) plait__self.stream.linger = longer < queue->linger_most ? longer : queue->linger_most;
}

/* A look has found so many units of messages, or of room. */
static inline void plait__stream_looked(const plait_queue *queue, uint64_t units)
{
    if (units > PLAIT__LINGER_FEW * queue->linger_most) plait__self.stream.linger /= 2;
    else if (units) plait__stream_linger_longer(queue);
}

/* A wait is over that began with a look in vain. */
static inline void plait__stream_waited(const plait_queue *queue, const struct plait__wait *wait)
{
    if (PLAIT__UNLIKELY(wait->slept)) plait__self.stream.linger = 0;
    else if (PLAIT__UNLIKELY(wait->spins)) plait__stream_linger_longer(queue);
    plait__wait_end(wait);
}

#endif
