/* permits.pml - sync/semaphore.c: the plain semaphore is a number, and a flag that somebody sleeps.
 *
 * BRINGERS members release PERMITS each, one after the other or, with AT_ONCE, all at once; the others take one each.  They die at
 * any moment.  With GIVING_UP, member 2 may give up waiting.  With STALE, the flag says at first that somebody sleeps, who has gone.
 *
 * Who goes after a sleep leaves the flag or clears it, as it likes: that the code goes by the number of sleepers then must not
 * matter.
 *
 * Checked: whoever lives and wants a permit gets one while there are any.
 */
#ifndef N
#define N 3
#endif
#ifndef BRINGERS
#define BRINGERS 1
#endif
#ifndef PERMITS
#define PERMITS 2
#endif
#ifndef AT_ONCE
#define AT_ONCE 0
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef STOPS
#define STOPS 0
#endif
#ifndef STALE
#define STALE 0
#endif
#ifndef GIVING_UP
#define GIVING_UP 0
#endif

#define WORD 1                          /* as a word to sleep on: its low half */

byte value;
bool set;                               /* S: somebody sleeps */

#define UNOWN(slot) skip

#include "family.pml"

bool done[N + 1];

/* A compare-and-swap of what was seen; then, perhaps, the wake. */
inline go(taken)
{
    atomic {
        swapped = (value == s_value && set == s_set);
        if
        :: swapped ->
            value = value - taken;
            if :: s_set && slept -> skip :: set = false fi;
#ifdef MUTANT_CLEARS_SILENTLY
            wakes = false
#elif defined MUTANT_PASSES_NOTHING_ON
            wakes = (!set && s_set)
#else
            wakes = (!set && (s_set || slept))
#endif
        :: else -> wakes = false
        fi;
        s_value = 0; s_set = false
    };
    if :: wakes -> atomic { wake_one(WORD); wakes = false } :: else fi
}

inline acquire()
{
    do
    :: atomic { s_value = value; s_set = set };
        if
        :: s_value > 0 -> go(1); if :: swapped -> break :: else fi
        :: s_value == 0 && GIVING_UP && me == 2 ->
#ifdef MUTANT_GIVES_UP_SILENTLY
            break
#else
            if :: !slept -> break :: else go(0) fi;
            if :: swapped -> break :: else fi
#endif
        :: s_value == 0 ->
            if
            :: !s_set -> atomic { swapped = (value == 0 && !set); if :: swapped -> set = true :: else fi; s_value = 0 }
            :: else -> swapped = true; s_set = false
            fi;
            if
#ifdef MUTANT_SLEEPS_UNANNOUNCED
            :: swapped -> park(WORD, value == 0); slept = true
#else
            :: swapped -> park(WORD, value == 0 && set); slept = true
#endif
            :: else
            fi
        fi
    od
}

inline release(count)
{
    atomic { value = value + count; wakes = set };
#ifndef MUTANT_FORGOTTEN_WAKE
    if :: wakes -> atomic { wake_one(WORD); if :: count > 1 -> wake_one(WORD) :: else fi; if :: count > 2 -> wake_one(WORD) :: else fi } :: else fi;
#endif
    wakes = false
}

proctype member(byte me)
{
    MEMBER_NOTES;
    byte s_value, i;
    bool s_set, slept, swapped, wakes;
    {
        if
        :: me <= BRINGERS && AT_ONCE -> release(PERMITS)
        :: me <= BRINGERS && !AT_ONCE -> for (i : 1 .. PERMITS) { release(1) }
        :: else -> acquire()
        fi;
        done[me] = true
    } unless { dead[me] }
}

init
{
    byte i;
    atomic { set = STALE; for (i : 1 .. N) { pulse[i] = i; run member(i) } }
}

/* When nobody can do anything any more. */
active proctype judge()
{
    byte i;
    timeout;
    for (i : 1 .. N) { assert(done[i] || dead[i] || asleep[i] == STOPPED || value == 0) }
}
