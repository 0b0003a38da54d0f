/* cursor.pml - message/cursor.c, and put and get of message/queue.c: a ring with room for CAPACITY messages and two cursors.
 *
 * Member 1 .. PUTTERS put PUTS messages each, one after the other; the others get GETS each.  SHORT_BUFFER is a getter (or 0) whose
 * buffer is too short, so that it leaves the message that it was woken for; GIVES_UP is one whose time may be over.  All may die at
 * any moment.
 *
 * Checked: one owner at a time; a message is wholly written before it can be seen, and got once; and in the end nobody sleeps for a
 * message that is there, for room that is there, or for a cursor.
 */
#ifndef N
#define N 3
#endif
#ifndef PUTTERS
#define PUTTERS 2
#endif
#ifndef PUTS
#define PUTS 1
#endif
#ifndef GETS
#define GETS 2
#endif
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef SHORT_BUFFER
#define SHORT_BUFFER 0
#endif
#ifndef GIVES_UP
#define GIVES_UP 0
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define STOPS 0

#define TAIL 0
#define HEAD 1
#define FREE(cursor) (2 * (cursor) + 1)             /* their bells, as words to sleep on */
#define MOVE(cursor) (2 * (cursor) + 2)

byte owner[2], place[2];                            /* the cursors; a place counts messages */
bool want[5];                                       /* their flags, by bell */
bool bell_news[5 * (N + 1)];                        /* a bell was rung since the member read it */
bool change_news[2 * (N + 1)];                      /* a cursor has moved, or `passed` was counted up, since */
byte record[8];                                     /* what was written where: who wrote it */

#define UNOWN(slot) \
    atomic { if :: owner[TAIL] == slot -> owner[TAIL] = 0 :: else fi }; \
    atomic { if :: owner[HEAD] == slot -> owner[HEAD] = 0 :: else fi }

#include "family.pml"

bool done[N + 1];

#define RUNG(bell) bell_news[(bell) * (N + 1) + me]
#define CHANGED(cursor) change_news[(cursor) * (N + 1) + me]

#if N == 3
#define ALL(news, of) news[(of) * (N + 1) + 1] = true; news[(of) * (N + 1) + 2] = true; news[(of) * (N + 1) + 3] = true
#else
#define ALL(news, of) news[(of) * (N + 1) + 1] = true; news[(of) * (N + 1) + 2] = true
#endif

#define OWNED (seen && pulse[seen] == seen)

/* plait__cursor_ring */
inline ring(cursor, bell)
{
    for_all = false;
    do
    :: atomic { want[bell] = false; CHANGED(cursor) = false };
        d_step { ALL(bell_news, bell) };
#ifdef MUTANT_FORGOTTEN_WAKE
        more = false;
#else
        atomic { more = SLEEPERS_ON(bell); if :: for_all -> wake_all(bell) :: else -> wake_one(bell) fi };
#endif
        if :: !more -> break :: else fi;
#ifdef MUTANT_FLAG_STAYS_DOWN
        break;
#endif
#ifdef MUTANT_CHANGES_UNSEEN
        want[bell] = true; more = false; break;
#endif
        atomic { want[bell] = true; more = CHANGED(cursor); for_all = true; if :: !more -> break :: else fi }
    od;
    for_all = false; more = false
}

inline pass_on(cursor, bell)
{
    d_step { ALL(change_news, cursor) };
    if :: want[bell] -> ring(cursor, bell) :: else fi
}

inline disown(cursor)
{
    d_step { ALL(change_news, cursor) };
    atomic { assert(owner[cursor] == me); owner[cursor] = 0; more = want[FREE(cursor)] };
    if :: more -> ring(cursor, FREE(cursor)) :: else fi
}

inline commit(cursor)
{
#ifdef MUTANT_GIVEN_UP_BEFORE_IT_MOVES
    atomic { owner[cursor] = 0; more = want[MOVE(cursor)]; also_free = want[FREE(cursor)] };
    atomic { place[cursor]++; ALL(change_news, cursor) };
#else
    atomic {
        assert(owner[cursor] == me);
        owner[cursor] = 0; place[cursor]++; ALL(change_news, cursor);
        more = want[MOVE(cursor)]; also_free = want[FREE(cursor)]
    };
#endif
    if :: more -> ring(cursor, MOVE(cursor)) :: else fi;
    if :: also_free -> also_free = false; ring(cursor, FREE(cursor)) :: else fi
}

/* plait__cursor_own */
inline own(cursor)
{
    do
    :: RUNG(FREE(cursor)) = false;
        seen = owner[cursor];
        if
        :: !OWNED -> atomic { if :: owner[cursor] == seen -> owner[cursor] = me; seen = 0; break :: else -> seen = 0 fi }
        :: else ->
            atomic { want[FREE(cursor)] = true; looked = (owner[cursor] != seen); seen = 0 };
            if :: !looked -> park(FREE(cursor), !RUNG(FREE(cursor))); slept = true :: else -> looked = false fi
        fi
    od
}

/* The flag, and the sleep, unless the cursor has moved since the look: plait__cursor_wait_move. */
inline wait_move(cursor, before)
{
    atomic { want[MOVE(cursor)] = true;
#ifndef MUTANT_SLEEPS_ON_AN_OLD_LOOK
        if :: place[cursor] != before -> looked = false :: else -> looked = true fi
#else
        looked = true
#endif
    };
    if :: looked -> looked = false; park(MOVE(cursor), !RUNG(MOVE(cursor))); slept = true :: else fi
}

inline put()
{
    do
    :: own(TAIL);
        if
        :: place[TAIL] - place[HEAD] < CAPACITY -> break
        :: else ->
            disown(TAIL);
            RUNG(MOVE(HEAD)) = false;
            before = place[HEAD];
            if
            :: place[TAIL] - before >= CAPACITY ->
                if :: slept -> pass_on(HEAD, MOVE(HEAD)) :: else fi;
                wait_move(HEAD, before)
            :: else
            fi;
            before = 0
        fi
    od;
#ifdef MUTANT_PUBLISHED_UNWRITTEN
    commit(TAIL);
    record[place[TAIL] - 1] = me;
#else
    record[place[TAIL]] = me;
    commit(TAIL);
#endif
#ifndef MUTANT_ROOM_KEPT
    if :: slept -> slept = false; pass_on(HEAD, MOVE(HEAD)) :: else fi
#endif
}

inline get()
{
    do
    :: own(HEAD);
        if
        :: place[HEAD] != place[TAIL] -> break
        :: else ->
            disown(HEAD);
            RUNG(MOVE(TAIL)) = false;
            before = place[TAIL];
            if
            :: before == place[HEAD] ->
                if :: me == GIVES_UP -> goto gave_up :: true fi;
                wait_move(TAIL, before)
            :: else
            fi;
            before = 0
        fi
    od;
    if
    :: me == SHORT_BUFFER ->
        disown(HEAD);
#ifndef MUTANT_BATON_LOST
        pass_on(TAIL, MOVE(TAIL));
#endif
        goto gave_up
    :: else ->
        assert(record[place[HEAD]]);                /* written */
        commit(HEAD)
    fi
}

proctype member(byte me)
{
    MEMBER_NOTES;
    byte seen, before, times;
    bool for_all, more, also_free, looked, slept;
    {
        do
        :: me <= PUTTERS && times < PUTS -> put(); times++
        :: me > PUTTERS && times < GETS -> slept = false; get(); times++
        :: else -> break
        od;
gave_up:
        done[me] = true
    } unless { dead[me] };
    d_step { locked = false; repaired = false; seen = 0; before = 0; times = 0; for_all = false; more = false; also_free = false;
        looked = false; slept = false; epoch_news[me] = false; CHANGED(TAIL) = false; CHANGED(HEAD) = false;
        RUNG(1) = false; RUNG(2) = false; RUNG(3) = false; RUNG(4) = false }
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
    for (i : 1 .. N) {
        assert(done[i] || dead[i] || (i <= PUTTERS -> sleeps_on[i] == MOVE(HEAD) && place[TAIL] - place[HEAD] >= CAPACITY
                                                   : sleeps_on[i] == MOVE(TAIL) && place[TAIL] == place[HEAD]))
    }
}
