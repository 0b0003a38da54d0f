/* wait.pml - family/wait.c and family/repair.c: whoever sleeps, watches; repair can be done again; then everybody looks.
 *
 * N members want a word for themselves, one after the other: own it, give it up, wake one of those who sleep for it.  It stands for
 * any word of an owned object, such as a cursor.  They die at any moment, also as repairers in the middle of a repair, and some are
 * stopped in their sleep.
 *
 * Checked: never do two own it; and all who live and go on get it.
 */
#ifndef N
#define N 4
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef STOPS
#define STOPS 1
#endif

byte owner;                             /* the word */
bool wanted;                            /* its flag: somebody sleeps */
bool bell_news[N + 1], moved_news[N + 1];    /* its bell was counted up, the word was given up, since the member looked */
#define BELL 1                          /* as a word to sleep on */

#define UNOWN(slot) atomic { if :: owner == slot -> owner = 0 :: else fi }

#include "family.pml"

bool done[N + 1], inside[N + 1];

/* plait__is_owned: the life that the word names goes on. */
#define OWNER_LIVES (s_owner && pulse[s_owner] == s_owner)

/* plait__cursor_own_slowly: the caller wants it, and gets it. */
inline own()
{
    do
    :: bell_news[me] = false;
        s_owner = owner;
        if
        :: !OWNER_LIVES ->              /* free, or a dead one's */
            atomic {
                if
                :: owner == s_owner ->
                    assert(!s_owner || !inside[s_owner] || dead[s_owner]);
                    owner = me; inside[me] = true; s_owner = 0;
                    break
                :: else
                fi
            }
        :: else ->
            atomic { wanted = true; if :: owner != s_owner -> goto again :: else -> s_owner = 0 fi };
            if                          /* plait__park */
            :: !watching ->             /* short_sleep: on the bell alone, and it ends by itself */
                atomic { if :: !bell_news[me] -> asleep[me] = SHORT; sleeps_on[me] = BELL :: else fi };
                atomic { if :: asleep[me] == NOT :: asleep[me] == SHORT -> awake(me) fi; if :: watching = true :: skip fi }
            :: watching -> sleep_long(BELL, !bell_news[me])
            fi;
            epoch_news[me] = false
        fi;
again:  skip
    od
}

/* The commit gives it up; plait__cursor_ring wakes.  Whoever gives it up while the flag is down is rung for as well. */
inline give_up()
{
    atomic { assert(owner == me); inside[me] = false; owner = 0; more = wanted; TELL(moved_news) };
    for_all = false;
    do
    :: !more -> break
    :: else ->
        atomic { wanted = false; moved_news[me] = false };
        TELL(bell_news);
#ifdef MUTANT_FORGOTTEN_WAKE
        more = false;
#else
        atomic { more = SLEEPERS_ON(BELL); if :: for_all -> wake_all(BELL) :: else -> wake_one(BELL) fi };
#endif
        if
        :: more ->
#ifdef MUTANT_BATON_LOST
            wanted = true; more = false
#else
            atomic { wanted = true; more = moved_news[me] }
#endif
        :: else
        fi;
        for_all = true
    od
}

/* Member 1 has it at first. */
proctype member(byte me)
{
    MEMBER_NOTES;
    byte s_owner;
    bool watching, more, for_all;
    {
        if :: me != 1 -> own() :: else fi;
        give_up();
        done[me] = true
    } unless { dead[me] };
    d_step { locked = false; repaired = false; s_owner = 0; watching = false; more = false; for_all = false;
        inside[me] = false; epoch_news[me] = false; bell_news[me] = false; moved_news[me] = false }
}

init
{
    byte i;
    atomic {
        for (i : 1 .. N) { pulse[i] = i; run member(i) }
        owner = 1; inside[1] = true
    }
}

active proctype judge()
{
    byte i;
    timeout;
    for (i : 1 .. N) { assert(done[i] || dead[i] || asleep[i] == STOPPED) }
}
