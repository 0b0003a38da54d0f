/* base/fault.h - where tests step in.  All of it is nothing in the library that users get (PLAIT_TESTING is not set).
 *
 * A *point* is a named place between two steps: a test stops, kills or runs somebody else there.  `without` makes the kernel
 * look older than it is.  A *failure* makes the next call of one kind fail.
 */
#ifndef PLAIT_BASE_FAULT_H
#define PLAIT_BASE_FAULT_H

#include <stdbool.h>

enum plait__point {
    PLAIT__POINT_SLEEP,                /* wait: looked for the last time, about to sleep */
    PLAIT__POINT_REPAIR,               /* repair: the dead one's pulse is ours, nothing is done yet */
    PLAIT__POINT_REPAIR_ENDED,         /* repair: the life is marked as ended, nothing is un-owned yet */
    PLAIT__POINT_REPAIR_WOKEN,         /* repair: everybody was woken, the heap is not swept yet */
    PLAIT__POINT_WOKEN,                /* wait: a sleep is over, the next look is to come */
    PLAIT__POINT_UNHEARD,              /* owned semaphore: a wake has found nobody, the flag that somebody sleeps is still up */
    PLAIT__POINT_GONE,                 /* semaphore: an acquirer has written the word, and has not passed the wake on */
    PLAIT__POINT_QUEUE_OWNED,          /* queue: the cursor is owned */
    PLAIT__POINT_QUEUE_COMMITTED,      /* queue: published, the sleepers are not yet woken */
    PLAIT__POINT_CHUNK,                /* pool: a worker has claimed a chunk */
    PLAIT__POINT_SEAT_TAKEN,           /* forkserver: a child of the stock is taken, but not yet woken */
    PLAIT__POINT_ASKED,                /* forkserver: it was asked for a child, which is not yet watched */
    PLAIT__POINT_BELL_ARMED,           /* bell: whoever changes one of its words rings it, no word has its flag yet */
    PLAIT__POINT_BELL_RING,            /* bell: a word has changed, its sleepers are woken, its bells not yet rung */
    PLAIT__POINT_END_WORKER,           /* pool: the time of a map is up, its worker is about to be killed */
};

enum plait__without {                  /* PLAIT_TEST_WITHOUT=waitv,pidfd,robust,wipe,tmpfile,rings */
    PLAIT__WITHOUT_WAITV = 1,          /* Linux before 5.16, valgrind */
    PLAIT__WITHOUT_PIDFD = 2,          /* Linux before 5.3, valgrind */
    PLAIT__WITHOUT_ROBUST = 4,         /* qemu-user: no robust lists */
    PLAIT__WITHOUT_WIPE = 8,           /* no MADV_WIPEONFORK: only pthread_atfork tells of a fork */
    PLAIT__WITHOUT_TMPFILE = 16,       /* a /dev/shm without O_TMPFILE */
    PLAIT__WITHOUT_RINGS = 32,         /* others' bells are out of reach, as in another network namespace */
};

#ifdef PLAIT_TESTING

extern void (*_Atomic plait__point_hook)(enum plait__point point);
#define PLAIT__POINT(name) plait__at_point(PLAIT__POINT_##name)

static inline void plait__at_point(enum plait__point point)
{
    void (*hook)(enum plait__point) = plait__point_hook;
    if (hook) hook(point);
}

/* What this process pretends to lack; starts as PLAIT_TEST_WITHOUT says. */
extern unsigned plait__without_mask(void);
extern void plait__set_without(unsigned mask);
#define plait__without(feature) ((plait__without_mask() & (feature)) != 0)

/* When not 0: the size of the next arena, instead of 64 GiB. */
extern unsigned long plait__test_arena_size;
/* When not 0: nanoseconds between two questions to the kernel whether the others live, instead of 8, 16, ... s. */
extern long plait__test_backup_interval;

/* When not 0: nanoseconds instead of 5 ms at the begin of a sleep, before it watches the others. */
extern long plait__test_short_sleep;

/* When not 0: nanoseconds between the rounds of those who sleep where no death ends the sleep, instead of 5 to 100 ms. */
extern long plait__test_round;

/* When not 0: nanoseconds instead of 10 s in which there has to be room at a door. */
extern long plait__test_room_within;

/* When not 0: the longest message with a short header on a connection, instead of 2 GiB - 1. */
extern unsigned plait__test_short_frames;

/* When not NULL: a folder in place of /, for the files by which the kernel tells of itself (base/file.h). */
extern const char *plait__test_root;

/* Who joins from now on sleeps at once, as on a single CPU: single steps through a spin take long, and show nothing. */
extern bool plait__test_never_spin;

#else

#define PLAIT__POINT(name) ((void)0)
#define plait__without(feature) false
#define plait__test_arena_size 0UL
#define plait__test_backup_interval 0L
#define plait__test_short_sleep 0L
#define plait__test_round 0L
#define plait__test_room_within 0L
#define plait__test_never_spin false
#define plait__test_short_frames 0u

#endif
#endif
