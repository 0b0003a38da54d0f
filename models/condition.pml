/* condition.pml - sync/condition.c: two groups of those who wait, written by who has the lock; deaths make all look again.
 *
 * Members 1 to N - 1 take a thing each, and wait by the condition until there is one; with GIVING_UP, the time of member 1 may be up.
 * Member N brings a thing for each of them, and notifies one each time.  They die at any moment, with the lock or without.  The lock
 * itself is lock.pml's: here it is had in one step, when it is free or its holder is dead.
 *
 * Checked: nobody who lives and goes on waits while there are things; without deaths, no more waits end than were notified; and all
 * are told at once who were there before.
 */
#ifndef N
#define N 3
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef GIVING_UP
#define GIVING_UP 0
#endif
#ifndef STOPS
#define STOPS 0
#endif

#define ENDINGS
#define UNOWN(slot) skip
#define WORD(group) 1 + group

byte lock, things;
byte count[2], closed[2], notified[2], newer, endings_then;
bool asleep_in[2];                      /* ASLEEP, in the words; these are counted up: */
bool news_0[4], news_1[4];
byte all_notified, ended_waits;         /* for the checks */

#include "family.pml"

bool done[N + 1];

inline acquire()
{
    atomic { (lock == 0 || dead[lock]) -> lock = me }
}

inline release()
{
    lock = 0
}

#define NO_NEWS group == 0 && !news_0[me] || group == 1 && !news_1[me]

inline close_group(which)
{
    closed[which]++;
    notified[which] = 0;
    count[which] = 0
}

inline begin_anew()
{
    seen_endings = endings;
    if
    :: endings_then != seen_endings ->
        close_group(0);
        close_group(1);
        endings_then = seen_endings
    :: else
    fi
}

/* ---- plait_condition_wait, with the lock ---- */

inline come()
{
    begin_anew();
    group = newer;
    count[group]++;
    my_closed = closed[group];
    my_endings = endings_then
}

#ifdef MUTANT_DEATHS_UNSEEN
#define LIFE_HAS_ENDED false
#else
#define LIFE_HAS_ENDED (endings != my_endings)
#endif

inline sleep_until_told()
{
    late = false;
    do
    :: atomic { if :: group == 0 -> news_0[me] = false :: else -> news_1[me] = false fi };
        if
        :: closed[group] != my_closed -> break
        :: else
        fi;
        if
        :: notified[group] > 0 || LIFE_HAS_ENDED -> break
        :: else
        fi;
        if :: GIVING_UP && me == 1 -> late = true; break :: true fi;
#ifndef MUTANT_SLEEPS_UNANNOUNCED
        atomic { if :: NO_NEWS -> asleep_in[group] = true :: else -> goto again fi };
#endif
        park(WORD(group), NO_NEWS);
again:  skip
    od
}

/* True: it goes. */
inline go()
{
    begin_anew();
    if
    :: endings_then != my_endings || closed[group] != my_closed -> goes = true
    :: else ->
        goes = late || notified[group] > 0;
        if :: notified[group] > 0 -> notified[group]--; late = false :: else fi;
        if :: goes && count[group] > 0 -> count[group]-- :: else fi
    fi
}

inline wait()
{
#ifdef MUTANT_COUNTED_TOO_LATE
    release();
    come();
#else
    come();
    release();
#endif
    goes = false;
    do
    :: sleep_until_told();
        acquire();
        go();
        if
        :: goes -> break
        :: else -> release()
        fi
    od;
    atomic { goes = false; if :: !late -> ended_waits++ :: else fi };
    assert(deaths > 0 || ended_waits <= all_notified)
}

proctype taker(byte me)
{
    MEMBER_NOTES;
    byte group, my_closed, my_endings, seen_endings;
    bool late, goes;
    {
        acquire();
        do
        :: things > 0 -> things--; break
        :: things == 0 && late -> break
        :: things == 0 && !late -> wait()
        od;
        release();
        done[me] = true
    } unless { dead[me] };
    d_step { locked = false; repaired = false; group = 0; my_closed = 0; my_endings = 0; seen_endings = 0; late = false; goes = false;
        news_0[me] = false; news_1[me] = false; epoch_news[me] = false }
}

/* ---- plait_condition_notify, of one ---- */

inline tell(which, all)
{
    d_step {
        ringing = asleep_in[which];
        if
        :: which == 0 -> news_0[1] = true; news_0[2] = true; news_0[3] = true
        :: else -> news_1[1] = true; news_1[2] = true; news_1[3] = true
        fi;
#ifdef MUTANT_FLAG_FORGOTTEN
        asleep_in[which] = false
#else
        if :: all -> asleep_in[which] = false :: else fi
#endif
    };
#ifndef MUTANT_FORGOTTEN_WAKE
    atomic {
        if
        :: ringing && all -> wake_all(WORD(which))
        :: ringing && !all -> wake_one(WORD(which))
        :: else
        fi;
        ringing = false
    }
#endif
}

inline serve(which)
{
    served = count[which] > notified[which];
    if
    :: served ->
        d_step { all_notified++ };
        if
        :: count[which] - notified[which] == 1 -> close_group(which); tell(which, true)
        :: else -> notified[which]++; tell(which, false)
        fi
    :: else
    fi
}

proctype bringer(byte me)
{
    MEMBER_NOTES;
    byte brought, seen_endings, older;
    bool served, ringing;
    {
        do
        :: brought == N - 1 -> break
        :: else ->
            acquire();
            things++;
            begin_anew();
            older = 1 - newer;
            serve(older);
            if
            :: !served && count[1 - older] > 0 -> newer = older; serve(1 - older)
            :: else
            fi;
            release();
            d_step { brought++; served = false; older = 0 }
        od;
        done[me] = true
    } unless { dead[me] };
    d_step { locked = false; repaired = false; brought = 0; seen_endings = 0; older = 0; served = false; ringing = false;
        epoch_news[me] = false }
}

init
{
    byte i;
    atomic {
        for (i : 1 .. N) { pulse[i] = i }
        for (i : 1 .. N - 1) { run taker(i) }
        run bringer(N)
    }
}

active proctype judge()
{
    byte i;
    timeout;
    for (i : 1 .. N) { assert(done[i] || dead[i] || asleep[i] == STOPPED || things == 0) }
}
