/* lock.pml - sync/lock.c: the lock is one word that names its owner, and nobody repairs it.
 *
 * Members acquire the lock and release it.  They die at any moment; member 1 is followed by another in its slot.  With LEAVING,
 * member 2 may leave with the lock held, and then somebody who is no member releases it; member 3 may give up waiting.
 *
 * Checked: never do two hold it; whoever gets it from a dead one is told, and nobody else; and all who live and go on get it.
 */
#ifndef N
#define N 3
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef STOPS
#define STOPS 0
#endif
#ifndef LEAVING
#define LEAVING 0
#endif

#define LIVES
#define NOBODY 9
#define WORD 1                          /* to sleep on: its low half, slot and flag */

byte w_slot, w_life;                    /* the word; slot 0: unlocked */
bool w_wait;                            /* WAITERS */

byte holder;                            /* for the checks: who is inside; NOBODY: it has left */
bool holder_died, left_locked;
#define AT_DEATH(who) if :: holder == who -> holder_died = true :: else fi
#define UNOWN(slot) skip

#include "family.pml"

bool done[N + 1];

#define SAME (w_slot == s_slot && w_life == s_life && w_wait == s_wait)
#define LOAD s_slot = w_slot; s_life = w_life; s_wait = w_wait

/* plait__fate, of s_slot and s_life. */
#define GOES_ON 1
#define DIED 2
#define LEFT 3
inline ask_fate()
{
    if
    :: s_slot == 0 || s_slot == NOBODY -> fate = LEFT
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

inline take()
{
    w_slot = me; w_life = my_life;
#ifdef MUTANT_BATON_LOST
    w_wait = s_wait;
#else
    w_wait = s_wait || slept;
#endif
    assert(holder == 0 || holder_died);
    assert(holder_died == (s_slot != 0));           /* PLAIT_OWNER_DIED */
    holder = me; holder_died = false
}

inline acquire()
{
    atomic { LOAD };
    do
    :: ask_fate();
        if
        :: s_slot == 0 || fate == DIED ->
            atomic { fate = 0; if :: SAME -> take(); break :: else -> LOAD fi }
        :: s_slot != 0 && s_slot != NOBODY && fate == LEFT ->       /* make_nobodys */
            atomic { fate = 0; if :: SAME -> w_slot = NOBODY; w_life = 0; s_slot = NOBODY; s_life = 0
#ifdef MUTANT_DISOWNED_WITHOUT_WAITERS
                        ; w_wait = false; s_wait = false
#endif
                     :: else -> LOAD fi }
        :: else ->
            if :: LEAVING && me == 3 -> goto gave_up :: true fi;               /* its deadline is over */
            atomic {
                fate = 0;
                if
                :: s_wait
                :: !s_wait && SAME -> w_wait = true; s_wait = true
                :: else -> LOAD; goto again
                fi
            };
            park(WORD, w_slot == s_slot && w_wait);
            atomic { slept = true; LOAD }
        fi;
again:  skip
    od
}

inline wake_if_asked()
{
#ifndef MUTANT_FORGOTTEN_WAKE
    if :: s_wait -> atomic { wake_one(WORD) } :: else fi
#else
    skip
#endif
}

/* A compare-and-swap of what was loaded, again and again: by the time that it works, one atomic step. */
inline release()
{
#ifdef MUTANT_RELEASED_IN_TWO_STEPS
    s_wait = w_wait;
    atomic { w_slot = 0; w_life = 0; w_wait = false; holder = 0 };
#else
    atomic { s_wait = w_wait; w_slot = 0; w_life = 0; w_wait = false; holder = 0 };
#endif
    wake_if_asked()
}

/* plait_leave, with the lock held. */
inline leave()
{
    atomic { holder = NOBODY; left_locked = true; life[me]++ };
    atomic { unlock_pulse(me) }
}

proctype member(byte me)
{
    MEMBER_NOTES;
    byte my_life = 1, s_slot, s_life, fate;
    bool s_wait, slept;
lives:
    {
        acquire();
        if
        :: true -> release()
        :: LEAVING && me == 2 -> leave()
        fi;
gave_up:
        done[me] = true
    } unless { dead[me] };
    d_step { locked = false; repaired = false; s_slot = 0; s_life = 0; fate = 0; s_wait = false; slept = false; epoch_news[me] = false };
    if
    :: me == 1 && my_life == 1 && dead[me] ->
        atomic { pulse[me] == 0 -> pulse[me] = me; dead[me] = false; done[me] = false; my_life = life[me]; epoch_news[me] = false };
        goto lives
    :: else
    fi
}

/* Anybody may release what one who left has locked. */
active proctype somebody()
{
    bool s_wait;
end:
    left_locked;
    assert(w_slot == 2 || w_slot == NOBODY);
    release()
}

init
{
    byte i;
    atomic { for (i : 1 .. N) { pulse[i] = i; life[i] = 1; run member(i) } }
}

/* When nobody can do anything any more. */
active proctype judge()
{
    byte i;
    timeout;
    for (i : 1 .. N) { assert(done[i] || dead[i] || asleep[i] == STOPPED) }
}
