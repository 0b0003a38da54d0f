/* family.pml - the members of a family, their ends, and the kernel, as all the models here see them.
 *
 * A model defines, before it includes this:
 *   N            members, 2 to 4, numbered from 1
 *   DEATHS       at most so many die, each at any moment
 *   STOPS        at most so many are stopped in their sleep, and never go on
 *   LIVES        if slots are used again, and owners are told apart by their lives
 *   ENDINGS      if somebody asks whether a life has ended since
 *   AT_DEATH(who)  what the model notes then, for its checks; or nothing
 *   UNOWN(dead)  what a repair frees of the dead one's: the words of the object that it was inside of
 *
 * A member's body stands in { } unless { dead[me] }, so it may die between any two statements.  What one statement does to
 * shared memory, or one atomic, is what one instruction or one system call does.
 *
 * A counter that is only ever compared with what it was before is a bit for each who may compare: "it has changed since".
 *
 * A member that is woken just looks again, and one in its short sleep wakes up by itself.  So the models have only the long sleep,
 * and wait.pml, which is about sleeping, has both.
 */

#ifndef AT_DEATH
#define AT_DEATH(who) skip
#endif

#define FALLEN 100                      /* a pulse: the kernel has marked it */
#define NOT 0                           /* asleep: */
#define SHORT 1                         /* on its word alone */
#define LONG 2                          /* on its word, the epoch and all pulses */
#define STOPPED 3                       /* it was stopped in its sleep, and has left the kernel's queues */

byte pulse[N + 1];                      /* 0 free; who has it: the member, or its repairer; or FALLEN */
bool epoch_news[N + 1];                 /* the epoch was counted up since the member read it */
bool dead[N + 1];
#ifdef LIVES
byte life[N + 1];                       /* which life the slot is in, or waits for */
byte deaths_of[N + 1];                  /* a bit for each life of the slot that is noted as dead */
#endif
#ifdef ENDINGS
byte endings;
#endif
byte asleep[N + 1], sleeps_on[N + 1];
byte deaths, stops;

/* ---- the kernel ---- */

inline awake(who)
{
    asleep[who] = NOT; sleeps_on[who] = 0
}

/* Of those who watch a pulse, one; any one. */
inline wake_a_watcher()
{
    if
    :: asleep[1] == LONG -> awake(1)
    :: asleep[2] == LONG -> awake(2)
#if N > 2
    :: asleep[3] == LONG -> awake(3)
#endif
#if N > 3
    :: asleep[4] == LONG -> awake(4)
#endif
    :: else
    fi
}

/* futex_wake(word, 1). */
inline wake_one(word)
{
    if
    :: sleeps_on[1] == word -> awake(1)
    :: sleeps_on[2] == word -> awake(2)
#if N > 2
    :: sleeps_on[3] == word -> awake(3)
#endif
#if N > 3
    :: sleeps_on[4] == word -> awake(4)
#endif
    :: else
    fi
}

/* futex_wake(word, INT_MAX). */
inline wake_all(word)
{
    if :: sleeps_on[1] == word -> awake(1) :: else fi;
    if :: sleeps_on[2] == word -> awake(2) :: else fi;
#if N > 2
    if :: sleeps_on[3] == word -> awake(3) :: else fi;
#endif
#if N > 3
    if :: sleeps_on[4] == word -> awake(4) :: else fi;
#endif
}

/* TELL counts up what is a bit for each reader. */
#if N == 2
#define SLEEPERS_ON(word) (sleeps_on[1] == word || sleeps_on[2] == word)
#define A_PULSE_FELL (pulse[1] == FALLEN || pulse[2] == FALLEN)
#define TELL(news) d_step { news[1] = true; news[2] = true }
#elif N == 3
#define SLEEPERS_ON(word) (sleeps_on[1] == word || sleeps_on[2] == word || sleeps_on[3] == word)
#define A_PULSE_FELL (pulse[1] == FALLEN || pulse[2] == FALLEN || pulse[3] == FALLEN)
#define TELL(news) d_step { news[1] = true; news[2] = true; news[3] = true }
#elif N == 4
#define SLEEPERS_ON(word) (sleeps_on[1] == word || sleeps_on[2] == word || sleeps_on[3] == word || sleeps_on[4] == word)
#define A_PULSE_FELL (pulse[1] == FALLEN || pulse[2] == FALLEN || pulse[3] == FALLEN || pulse[4] == FALLEN)
#define TELL(news) d_step { news[1] = true; news[2] = true; news[3] = true; news[4] = true }
#endif

/* The thread ends: the kernel marks the pulses that it holds, its own and those of whom it repairs, and wakes one for each. */
inline mark(slot, who)
{
    if
    :: pulse[slot] == who -> pulse[slot] = FALLEN; wake_a_watcher()
    :: else
    fi
}

inline die(who)
{
    atomic {
        deaths++;
        dead[who] = true;
        awake(who);
        AT_DEATH(who);
        mark(1, who);
        mark(2, who);
#if N > 2
        mark(3, who);
#endif
#if N > 3
        mark(4, who);
#endif
    }
}

#define MORTAL(who) (pulse[who] == who && !dead[who] && asleep[who] != STOPPED)

/* SIGKILL, at most DEATHS times, and SIGSTOP, at most STOPS times. */
active proctype outside()
{
    do
    :: deaths < DEATHS && MORTAL(1) -> die(1)
    :: deaths < DEATHS && MORTAL(2) -> die(2)
#if N > 2
    :: deaths < DEATHS && MORTAL(3) -> die(3)
#endif
#if N > 3
    :: deaths < DEATHS && MORTAL(4) -> die(4)
#endif
#if STOPS > 0
    :: atomic { stops < STOPS && asleep[1] == LONG -> asleep[1] = STOPPED; sleeps_on[1] = 0; stops++ }
#endif
#if STOPS > 0
    :: atomic { stops < STOPS && asleep[2] == LONG -> asleep[2] = STOPPED; sleeps_on[2] = 0; stops++ }
#endif
#if STOPS > 0 && N > 2
    :: atomic { stops < STOPS && asleep[3] == LONG -> asleep[3] = STOPPED; sleeps_on[3] = 0; stops++ }
#endif
    :: break                            /* and some day never again */
    od
}

/* ---- family/repair.c ---- */

/* plait__wake_family: everybody looks again. */
inline wake_family()
{
    TELL(epoch_news);
    atomic {
        if :: asleep[1] == LONG -> awake(1) :: else fi;
        if :: asleep[2] == LONG -> awake(2) :: else fi;
#if N > 2
        if :: asleep[3] == LONG -> awake(3) :: else fi;
#endif
#if N > 3
        if :: asleep[4] == LONG -> awake(4) :: else fi;
#endif
    }
}

/* Unlocking wakes one, as the pulse says that somebody sleeps on it. */
inline unlock_pulse(slot)
{
    pulse[slot] = 0; wake_a_watcher()
}

/* note_death, and the next life. */
#ifndef LIVES
#define NOTE_DEATH_AND_COUNT_UP(slot) skip
#elif defined MUTANT_DEATH_NOTED_TOO_LATE
#define NOTE_DEATH_AND_COUNT_UP(slot) life[slot]++; deaths_of[slot] = deaths_of[slot] | (1 << (life[slot] - 1))
#elif defined MUTANT_NO_LIFE_COUNTED_UP
#define NOTE_DEATH_AND_COUNT_UP(slot) deaths_of[slot] = deaths_of[slot] | (1 << life[slot])
#else
#define NOTE_DEATH_AND_COUNT_UP(slot) deaths_of[slot] = deaths_of[slot] | (1 << life[slot]); life[slot]++
#endif

#ifdef ENDINGS
#define COUNT_ENDING() endings++
#else
#define COUNT_ENDING() skip
#endif

/* plait__reap: try_pulse, repair, plait__unlock_pulse.  `locked` is the caller's. */
inline reap(slot)
{
    atomic { locked = (pulse[slot] == FALLEN); if :: locked -> pulse[slot] = me :: else fi };
    if
    :: !locked
    :: else ->
        NOTE_DEATH_AND_COUNT_UP(slot);
        UNOWN(slot);
        COUNT_ENDING();
        wake_family();
        atomic { unlock_pulse(slot); repaired = true }
    fi
}

/* plait__reap_all. */
inline reap_all()
{
    repaired = false;
    if
    :: A_PULSE_FELL ->
        if :: pulse[1] == FALLEN -> reap(1) :: else fi;
        if :: pulse[2] == FALLEN -> reap(2) :: else fi;
#if N > 2
        if :: pulse[3] == FALLEN -> reap(3) :: else fi;
#endif
#if N > 3
        if :: pulse[4] == FALLEN -> reap(4) :: else fi;
#endif
    :: else
    fi
}

/* ---- family/wait.c ---- */

/* What a member keeps in variables of its own. */
#define MEMBER_NOTES bool locked, repaired

#ifdef MUTANT_EPOCH_READ_TOO_LATE
#define EPOCH_AS_SEEN true
#else
#define EPOCH_AS_SEEN !epoch_news[me]
#endif

#ifdef MUTANT_SLEEPS_ON_A_FALLEN_PULSE
#define NO_PULSE_FELL true
#else
#define NO_PULSE_FELL !A_PULSE_FELL
#endif

/* long_sleep on `word`, while `as_expected` (a condition on shared memory) holds. */
inline sleep_long(word, as_expected)
{
    reap_all();
    if
    :: repaired -> repaired = false
    :: else ->
        atomic {
            if
            :: (as_expected) && EPOCH_AS_SEEN && NO_PULSE_FELL -> asleep[me] = LONG; sleeps_on[me] = word
            :: else
            fi
        };
        atomic { asleep[me] == NOT; reap_all() }
    fi
}

/* plait__park, of a member that has slept for some milliseconds already. */
inline park(word, as_expected)
{
    sleep_long(word, as_expected);
    epoch_news[me] = false
}
