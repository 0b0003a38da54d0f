/* barrier.pml - sync/barrier.c: who comes takes a cell of the present generation, the last moves the generation on.
 *
 * N members come to a barrier of PARTIES, each TIMES times.  They die at any moment; with GIVING_UP, the time of member 1 may be up;
 * with RESETS, somebody who is no member resets it so often.  Who is told that it is broken comes no more.
 *
 * Checked: who is told that all were there was there with PARTIES - 1 others, each in a place of its own, and none of them is told
 * anything else; and nobody sleeps for ever when all have come, or when one who has come is dead.
 */
#ifndef N
#define N 3
#endif
#ifndef PARTIES
#define PARTIES 2
#endif
#ifndef TIMES
#define TIMES 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef STOPS
#define STOPS 0
#endif
#ifndef RESETS
#define RESETS 0
#endif
#ifndef GIVING_UP
#define GIVING_UP 0
#endif

#define UNOWN(slot) skip
#define STATE 1                         /* to sleep on */
#define GENERATIONS 8

byte cell_slot[PARTIES], cell_generation[PARTIES];
byte generation = 1;                    /* the state, one word: */
bool broken, waiters;
byte history;                           /* a bit for each generation here: all were there */

byte came[GENERATIONS], places[GENERATIONS];                     /* for the checks */
bool told_met[GENERATIONS], told_broken[GENERATIONS];

#include "family.pml"

bool done[N + 1];
byte sleeps_for[N + 1];                 /* a generation */

#define OPEN (generation == mine && !broken)
#define HAS_COME(i) (cell_slot[i] && cell_generation[i] == mine)
#define DEAD(i) (HAS_COME(i) && pulse[cell_slot[i]] != cell_slot[i])

/* wake, with what the state was. */
inline wake_waiters()
{
#ifndef MUTANT_FORGOTTEN_WAKE
    if :: were_waiting -> atomic { wake_all(STATE) } :: else fi
#else
    skip
#endif
}

inline break_it()
{
    atomic {
        were_waiting = false; broke = false;
        if :: OPEN -> broken = true; were_waiting = waiters; waiters = false; broke = true :: else fi
    };
    wake_waiters();
    were_waiting = false
}

inline move_on(all_came)
{
    atomic {
        were_waiting = false;
        if
#ifdef MUTANT_MOVES_ON_BROKEN
        :: generation == mine ->
#else
        :: generation == mine && broken == !all_came ->
#endif
            generation++; broken = false; were_waiting = waiters; waiters = false;
            if :: all_came -> history = history | (1 << mine) :: else fi
        :: else
        fi
    };
    wake_waiters();
    were_waiting = false
}

/* look_for_the_dead: cell by cell. */
inline look_for_the_dead()
{
    missing = false;
#ifndef MUTANT_DEAD_UNSEEN
    missing = DEAD(0);
#if PARTIES > 1
    if :: !missing -> missing = DEAD(1) :: else fi;
#endif
#if PARTIES > 2
    if :: !missing -> missing = DEAD(2) :: else fi;
#endif
#endif
}

/* come(): the number of the cell; PARTIES: all are taken; NONE: not this generation. */
#define NONE 9
inline come()
{
    place = 0;
    do
    :: place == PARTIES -> break
    :: else ->
#ifdef MUTANT_STATE_READ_TOO_EARLY
        if :: !OPEN -> place = NONE; break :: else fi;
        atomic { seen_slot = cell_slot[place]; seen_generation = cell_generation[place] };
#else
        atomic { seen_slot = cell_slot[place]; seen_generation = cell_generation[place] };
        if :: !OPEN -> place = NONE; break :: else fi;
#endif
        if
        :: seen_slot && seen_generation == mine -> place++
        :: else ->
            atomic {
                if
                :: cell_slot[place] == seen_slot && cell_generation[place] == seen_generation ->
                    assert(!seen_slot || seen_generation < mine);
                    cell_slot[place] = me; cell_generation[place] = mine;
                    seen_slot = 0; seen_generation = 0;
                    if :: generation == mine -> came[mine]++ :: else fi;
                    break
                :: else
                fi
            }
        fi
    od
}

inline sleep_until_over()
{
    late = false;
    do
    :: !OPEN -> break
    :: else ->
        look_for_the_dead();
        if
        :: missing -> break_it(); missing = false
        :: else ->
            if :: GIVING_UP && me == 1 -> late = true; break :: true fi;
            atomic { if :: OPEN -> waiters = true :: else -> goto again fi };
            sleeps_for[me] = mine;
            park(STATE, OPEN && waiters);
            sleeps_for[me] = 0
        fi;
again:  skip
    od
}

/* What the history says: by the bit of this generation, whatever came later. */
#ifdef MUTANT_NO_HISTORY
#define MET (generation != mine)
#else
#define MET (generation != mine && ((history >> mine) & 1))
#endif

inline note_outcome()
{
    atomic {
        assert(generation != mine || broken);
        if
        :: MET ->
            assert(came[mine] == PARTIES);
            assert(!((places[mine] >> place) & 1));
            places[mine] = places[mine] | (1 << place);
            told_met[mine] = true
        :: else -> told_broken[mine] = true; hopeless = true
        fi;
        assert(!(told_met[mine] && told_broken[mine]))
    }
}

inline wait()
{
    do
    :: atomic { mine = generation; hopeless = broken };
        if :: hopeless -> break :: else fi;
        come();
        if
        :: place == NONE
        :: place == PARTIES -> sleep_until_over(); if :: late -> hopeless = true; break :: else fi
        :: place < PARTIES - 1 ->
            sleep_until_over();
            broke = false;
            if :: late -> break_it() :: else fi;
            if :: late && broke -> atomic { told_broken[mine] = true; assert(!told_met[mine]); hopeless = true } :: else -> note_outcome() fi;
            break
        :: place == PARTIES - 1 ->
            look_for_the_dead();
            if :: missing -> break_it() :: else -> move_on(true) fi;
            note_outcome();
            break
        fi
    od
}

proctype member(byte me)
{
    MEMBER_NOTES;
    byte mine, place, seen_slot, seen_generation, times;
    bool missing, late, hopeless, were_waiting, broke;
    {
        do
        :: times == TIMES || hopeless -> break
        :: else -> wait(); times++
        od;
        done[me] = true
    } unless { dead[me] };
    d_step { locked = false; repaired = false; mine = 0; place = 0; seen_slot = 0; seen_generation = 0; times = 0; missing = false;
        late = false; hopeless = false; were_waiting = false; broke = false; epoch_news[me] = false; sleeps_for[me] = 0 }
}

/* plait_barrier_reset, by one who is no member. */
active proctype somebody()
{
    byte mine, resets, i, seen_slot, seen_generation;
    bool were_waiting, broke, is_broken;
    do
    :: resets == RESETS -> break
    :: resets < RESETS ->
        atomic { mine = generation; is_broken = broken };
        if :: !is_broken -> break_it() :: else -> broke = true fi;
        if
        :: broke ->
            i = 0;
            do
            :: i == PARTIES -> break
            :: else ->
                atomic { seen_slot = cell_slot[i]; seen_generation = cell_generation[i] };
                if :: generation != mine -> break :: else fi;
                atomic {
                    if :: cell_slot[i] == seen_slot && cell_generation[i] == seen_generation -> cell_slot[i] = 0 :: else fi;
                    i++
                }
            od;
            move_on(false);
            resets++
        :: else
        fi
    :: break
    od
}

init
{
    byte i;
    atomic { for (i : 1 .. N) { pulse[i] = i; run member(i) } }
}

/* Who sleeps then is one of a few who have come, all of them alive. */
active proctype judge()
{
    byte i, mine;
    timeout;
    mine = generation;
    for (i : 1 .. N) {
        assert(done[i] || dead[i] || asleep[i] == STOPPED ||
               (sleeps_for[i] == mine && !broken && !HAS_COME(PARTIES - 1) && !DEAD(0)))
    }
}
