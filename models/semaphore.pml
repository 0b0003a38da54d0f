/* semaphore.pml - sync/owned_semaphore.c: each permit is a word that names its holder, and there is a bell for those who sleep.
 *
 * Members acquire a permit and release it.  They die at any moment; member 1 is followed by another in its slot.  With LEAVING,
 * member 2 may leave with its permit.  With GIVING_UP, member 3 may give up waiting.  With STALE, the bell says at first that somebody
 * sleeps, who has gone.
 *
 * Checked: never do more than PERMITS of the living hold one; whoever gets one from a dead holder is told, and nobody else; all who
 * live and go on get one; and none is lost.
 */
#ifndef N
#define N 3
#endif
#ifndef PERMITS
#define PERMITS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef STOPS
#define STOPS 0
#endif
#ifndef LEAVING
#define LEAVING 0
#endif
#ifndef STALE
#define STALE 0
#endif
#ifndef GIVING_UP
#define GIVING_UP 0
#endif

#define LIVES
#define BELL 1                          /* as a word to sleep on */

byte h_slot[PERMITS], h_life[PERMITS];  /* of each permit; slot 0: nobody */
bool h_died[PERMITS];                   /* for the checks: its holder was killed */
bool bell_wait;                         /* the bell: somebody sleeps */
bool bell_news[N + 1];                  /* its number was counted up since the member read it */

byte holding;                           /* for the checks: how many of the living hold one */
bool holds[N + 1];
#define AT_DEATH(who) \
    if :: holds[who] -> holds[who] = false; holding-- :: else fi; \
    if :: h_slot[0] == who && h_life[0] == life[who] -> h_died[0] = true :: else fi; \
    if :: PERMITS > 1 && h_slot[PERMITS - 1] == who && h_life[PERMITS - 1] == life[who] -> h_died[PERMITS - 1] = true :: else fi
#define UNOWN(slot) skip

#include "family.pml"

bool done[N + 1];

/* plait__fate, of s_slot and s_life; in one step, as lock.pml has it in several. */
#define GOES_ON 1
#define DIED 2
#define LEFT 3
inline ask_fate()
{
    if
    :: s_slot == 0 -> fate = LEFT
    :: else ->
        if
        :: life[s_slot] == s_life ->
            fate = (pulse[s_slot] == s_slot -> GOES_ON : DIED);
            if :: fate == DIED && life[s_slot] != s_life -> fate = 0 :: else fi
        :: else -> fate = 0
        fi;
        if :: fate == 0 -> fate = ((deaths_of[s_slot] >> s_life) & 1 -> DIED : LEFT) :: else fi
    fi
}

/* take_free and take_any in one: the first is a short cut.  `got`: it has one. */
inline take()
{
    i = 0;
    do
    :: atomic {                         /* look */
            s_slot = h_slot[i]; s_life = h_life[i];
            ask_fate();
#ifdef MUTANT_NOT_TAKEN_FROM_THE_DEAD
            if :: fate == DIED -> fate = GOES_ON :: else fi;
#endif
            if
            :: fate == GOES_ON -> s_slot = 0; s_life = 0; fate = 0; i++; if :: i == PERMITS -> i = 0; break :: else -> goto next fi
            :: else
            fi
        };
        atomic {                        /* compare and swap */
            if
            :: h_slot[i] == s_slot && h_life[i] == s_life ->
                assert(h_died[i] == (fate == DIED));        /* PLAIT_OWNER_DIED */
                h_slot[i] = me; h_life[i] = my_life; h_died[i] = false;
                holds[me] = true; holding++;
                assert(holding <= PERMITS);
                got = true
            :: else -> i++
            fi;
            s_slot = 0; s_life = 0; fate = 0;
            if :: got || i == PERMITS -> i = 0; break :: else fi
        };
next:   skip
    od
}

inline acquire()
{
    do
    :: atomic { bell_news[me] = false; s_wait = bell_wait };
        take();
        if
        :: got -> break
        :: GIVING_UP && me == 3 -> goto gave_up
        :: else ->
#ifdef MUTANT_SLEEPS_ON_THE_FIRST_LOOK
            atomic { bell_wait = true; s_wait = true; bell_news[me] = false };
#endif
            if
            :: !s_wait ->               /* a compare-and-swap of what it has read; and look once more */
                atomic { if :: !bell_wait && !bell_news[me] -> bell_wait = true :: else fi }
            :: else ->
                park(BELL, bell_wait && !bell_news[me])
            fi
        fi
    od;
    atomic { got = false; i = 0; s_wait = false }
}

/* Count the number of the bell up: everybody's old look is void. */
inline ring()
{
    atomic { more = bell_wait; if :: more -> TELL(bell_news); TELL(written_news); written_news[me] = false :: else fi };
    if
    :: !more
    :: else ->
#ifdef MUTANT_FORGOTTEN_WAKE
        more = false;
#else
        atomic { more = !SLEEPERS_ON(BELL); wake_one(BELL) };
#endif
        if
        :: !more
        :: else ->                      /* nobody was there: a compare-and-swap takes the flag down */
            atomic {
                more = !written_news[me] && bell_wait;
                if :: more -> bell_wait = false; TELL(bell_news); TELL(written_news) :: else fi
            };
#ifndef MUTANT_WAKES_NOBODY_AFTER_CLEARING
            if :: more -> atomic { wake_all(BELL) } :: else fi
#endif
        fi
    fi;
    more = false; written_news[me] = false
}

inline release()
{
#ifdef MUTANT_BELL_READ_TOO_EARLY
    if
    :: !bell_wait -> give_back()
    :: else -> give_back(); ring()
    fi
#else
    give_back();
    ring()
#endif
}

inline give_back()
{
    atomic {
        i = 0;
        do :: h_slot[i] == me && h_life[i] == my_life -> break :: else -> i++ od;
        assert(i < PERMITS && !h_died[i]);
        h_slot[i] = 0; h_life[i] = 0;
        holds[me] = false; holding--; i = 0
    }
}

/* plait_leave, with a permit. */
inline leave()
{
    atomic { holds[me] = false; holding--; life[me]++ };
#ifndef MUTANT_LEAVES_UNHEARD
    wake_family();
#endif
    atomic { unlock_pulse(me) }
}

bool written_news[N + 1];               /* the bell was changed since the member has written it */

proctype member(byte me)
{
    MEMBER_NOTES;
    byte my_life = 1, s_slot, s_life, fate, i;
    bool s_wait, got, more;
lives:
    {
        acquire();
        if
        :: true -> release()
        :: LEAVING && me == 2 -> leave()
        fi;
gave_up:
        atomic { done[me] = true; i = 0; s_wait = false }
    } unless { dead[me] };
    d_step { locked = false; repaired = false; s_slot = 0; s_life = 0; fate = 0; i = 0; s_wait = false; got = false; more = false;
        epoch_news[me] = false; bell_news[me] = false; written_news[me] = false };
    if
    :: me == 1 && my_life == 1 && dead[me] ->
        atomic { pulse[me] == 0 -> pulse[me] = me; dead[me] = false; done[me] = false; my_life = life[me]; epoch_news[me] = false };
        goto lives
    :: else
    fi
}

init
{
    byte i;
    atomic { bell_wait = STALE; for (i : 1 .. N) { pulse[i] = i; life[i] = 1; run member(i) } }
}

/* When nobody can do anything any more. */
active proctype judge()
{
    byte i;
    timeout;
    for (i : 1 .. N) { assert(done[i] || dead[i] || asleep[i] == STOPPED) }
}
