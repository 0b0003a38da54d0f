/* lease.pml - message/lease.c: messages that come back when their taker dies.
 *
 * MESSAGES lie in a closed queue.  The members lease them, acknowledge or (GIVEBACKS times in all) give them back, until the queue
 * says that nothing more can come.  They die at any moment.
 *
 * Checked: a message is nobody's or one living member's; it is acknowledged once; and all who live learn of the end, when everything
 * is acknowledged and its room is free again.
 */
#ifndef N
#define N 2
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef GIVEBACKS
#define GIVEBACKS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define STOPS 0
#define ENDINGS

#define HEAD 0
#define DONE 1
#define FREE(cursor) (1 + (cursor))                 /* their bells, as words to sleep on */
#define TAIL_BELL 3

byte owner[2], place[2];
bool want[3], again;                                /* WANT_FREE by bell; AGAIN of `done` */
bool bell_news[4 * (N + 1)], change_news[2 * (N + 1)];

#define WAITING 0
#define HELD 1
#define RETURNED 2
#define SETTLED 3
byte state[MESSAGES + 1], holder[MESSAGES + 1];     /* the claims in the records */
byte givebacks, settled;                            /* of the queue; `settled` is compared with endings + givebacks */

#define UNOWN(slot) \
    atomic { if :: owner[HEAD] == slot -> owner[HEAD] = 0 :: else fi }; \
    atomic { if :: owner[DONE] == slot -> owner[DONE] = 0 :: else fi }

#include "family.pml"

bool done[N + 1];

#define CHANGES (endings + givebacks)
#define RUNG(bell) bell_news[(bell) * (N + 1) + me]
#define CHANGED(cursor) change_news[(cursor) * (N + 1) + me]
#if N == 3
#define ALL(news, of) news[(of) * (N + 1) + 1] = true; news[(of) * (N + 1) + 2] = true; news[(of) * (N + 1) + 3] = true
#else
#define ALL(news, of) news[(of) * (N + 1) + 1] = true; news[(of) * (N + 1) + 2] = true
#endif
#define OWNED (seen && pulse[seen] == seen)

/* plait__cursor_ring, as in cursor.pml. */
inline ring(cursor)
{
    for_all = false;
    do
    :: atomic { want[FREE(cursor)] = false; CHANGED(cursor) = false };
        d_step { ALL(bell_news, FREE(cursor)) };
        atomic { more = SLEEPERS_ON(FREE(cursor)); if :: for_all -> wake_all(FREE(cursor)) :: else -> wake_one(FREE(cursor)) fi };
        if :: !more -> break :: else fi;
        atomic { want[FREE(cursor)] = true; more = CHANGED(cursor); for_all = true; if :: !more -> break :: else fi }
    od;
    for_all = false; more = false
}

/* The commit; with 0, plait__cursor_disown. */
inline move(cursor, messages)
{
    atomic {
        assert(owner[cursor] == me);
        owner[cursor] = 0; place[cursor] = place[cursor] + messages; ALL(change_news, cursor);
        more = want[FREE(cursor)]
    };
    if :: more -> ring(cursor) :: else fi
}

inline own(cursor)
{
    do
    :: RUNG(FREE(cursor)) = false;
        seen = owner[cursor];
        if
        :: !OWNED -> atomic { if :: owner[cursor] == seen -> owner[cursor] = me; seen = 0; break :: else -> seen = 0 fi }
        :: else ->
            atomic { want[FREE(cursor)] = true; if :: owner[cursor] != seen -> seen = 0; goto look_again :: else -> seen = 0 fi };
            park(FREE(cursor), !RUNG(FREE(cursor)))
        fi;
look_again:  skip
    od
}

/* plait__cursor_ring_all(&queue->tail) */
inline ring_tail()
{
    d_step { ALL(bell_news, TAIL_BELL) };
    atomic { wake_all(TAIL_BELL) }
}

/* With `done` ours. */
inline pass_settled()
{
    at = place[DONE]; end = place[HEAD];
    do
    :: at < end && state[at] == SETTLED -> at++
    :: else -> break
    od;
    at = at - place[DONE]; end = 0;
    move(DONE, at);
    at = 0
}

/* plait__reclaim */
inline reclaim()
{
    do
    :: !again || (owner[DONE] && pulse[owner[DONE]] == owner[DONE]) -> break
    :: else ->
        atomic {
            seen = owner[DONE];
            if :: again && !OWNED -> owner[DONE] = me; again = false; seen = 0 :: else -> seen = 0; goto not_now fi
        };
        pass_settled();
not_now: skip
    od;
    if :: place[DONE] == place[HEAD] -> ring_tail() :: else fi       /* it is closed */
}

#define IS_FREE_TO_TAKE (state[at] == RETURNED || (state[at] == HELD && TAKER_ENDED))
#ifdef MUTANT_TAKEN_FROM_THE_LIVING
#define TAKER_ENDED (holder[at] != me)
#elif defined MUTANT_NOT_TAKEN_OVER
#define TAKER_ENDED false
#else
#define TAKER_ENDED (pulse[holder[at]] != holder[at])
#endif

inline hold(message)
{
    assert(state[message] != SETTLED && !(state[message] == HELD && pulse[holder[message]] == holder[message]));
    state[message] = HELD; holder[message] = me
}

/* plait__take_returned: `got` is the message + 1. */
inline take_returned()
{
    do
    :: before = CHANGES;
        if
        :: settled == before -> break
        :: else ->
            own(DONE);
            at = place[DONE]; end = place[HEAD];
            do
            :: at < end && !IS_FREE_TO_TAKE -> at++
            :: else -> break
            od;
            if
            :: at < end -> atomic { if :: IS_FREE_TO_TAKE -> hold(at); got = at + 1 :: else -> tried = true fi }
            :: else ->
#ifdef MUTANT_SETTLED_AFTER_THE_LOOK
                settled = CHANGES
#else
                settled = before
#endif
            fi;
            at = 0; end = 0;
            pass_settled();
            reclaim();
            if :: tried -> tried = false :: else -> break fi
        fi
    od;
    before = 0
}

inline settle()
{
    if
    :: true ->                                      /* plait_queue_ack */
        atomic { assert(state[got - 1] == HELD && holder[got - 1] == me); state[got - 1] = SETTLED };
        got = 0;
#ifndef MUTANT_ROOM_FORGOTTEN
        again = true;
#endif
        reclaim()
    :: givebacks < GIVEBACKS ->                     /* plait_queue_giveback */
        atomic { assert(state[got - 1] == HELD && holder[got - 1] == me); state[got - 1] = RETURNED };
        got = 0;
        givebacks++;
        ring_tail()
    fi
}

proctype member(byte me)
{
    MEMBER_NOTES;
    byte seen, before, at, end, got;
    bool for_all, more, tried;
    {
        do
        :: take_returned();
            if
            :: got -> settle()
            :: else ->
                own(HEAD);
                if
                :: place[HEAD] < MESSAGES ->
                    at = place[HEAD];
                    atomic { hold(at) };
                    got = at + 1; at = 0;
                    move(HEAD, 1);
                    settle()
                :: else ->
                    move(HEAD, 0);
                    RUNG(TAIL_BELL) = false;        /* wait_for_message */
                    if
                    :: settled != CHANGES
                    :: else ->
                        if
                        :: place[DONE] == MESSAGES -> break              /* PLAIT_ECLOSED */
                        :: else -> park(TAIL_BELL, !RUNG(TAIL_BELL))
                        fi
                    fi
                fi
            fi
        od;
        done[me] = true
    } unless { dead[me] };
    d_step { locked = false; repaired = false; seen = 0; before = 0; at = 0; end = 0; got = 0; for_all = false; more = false; tried = false;
        epoch_news[me] = false; CHANGED(HEAD) = false; CHANGED(DONE) = false; RUNG(1) = false; RUNG(2) = false; RUNG(3) = false }
}

init
{
    byte i;
    atomic { for (i : 1 .. N) { pulse[i] = i; run member(i) } }
}

/* When nobody can do anything any more. */
active proctype judge()
{
    byte i;
    timeout;
    for (i : 1 .. N) { assert(done[i] || dead[i]); assert(dead[i] || place[DONE] == MESSAGES) }
}
