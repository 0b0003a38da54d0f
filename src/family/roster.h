/* family/roster.h - one slot per member thread: who lives, how earlier lives ended, what it is doing.
 *
 * A member holds the robust mutex of its slot, its *pulse*, from joining to its end.  The kernel marks the mutex when the thread
 * ends in whatever way, before its memory is torn down; so "is it alive?" is one load and never a question of pids.
 */
#ifndef PLAIT_FAMILY_ROSTER_H
#define PLAIT_FAMILY_ROSTER_H

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <plait/family.h>

#include "arena/heap.h"
#include "base/atomics.h"
#include "base/futex.h"

#define PLAIT__MEMBERS_MAX 8191u                           /* 13 bits, see short_owner below */
#define PLAIT__NAME_SIZE 32u                               /* of a name in a slot, which may be cut */
#define PLAIT__PROCESS_NAME_SIZE 64u
#define PLAIT__LOG_SIZE 64u
#define PLAIT__NAMES_SIZE 65536u
#define PLAIT__DEATHS_KEPT 22u
#define PLAIT__HANDOVERS 3u
#define PLAIT__NOBODY 0xffffu                              /* as an owner: locked, but by no member */

/* Flags of a slot. */
#define PLAIT__UNPULSED 1u                                 /* the kernel will not mark its pulse: it has to be asked */
#define PLAIT__HAS_PRIVATE 2u                              /* it has made blocks that die with it */

/* A shared object with words that name their owner in the low 16 bits (short_owner).  A member notes in its slot the one it is
 * inside of, and repair frees what the dead one still owned there.  It is the first field of such an object.  The upper half of
 * every such stamp is PLAIT__OWNED_STAMP. */
#define PLAIT__OWNED_STAMP 0x504cu
#define PLAIT__OWNED_WORDS_MAX 8u
struct plait__owned {
    uint32_t stamp;
    uint32_t words;                                        /* how many, from `offset` on, `stride` bytes apart */
    uint32_t offset, stride;
};

struct plait__slot {
    pthread_mutex_t pulse;
    _Atomic uint32_t life;                                 /* number of this life; the next one begins when it is counted up, by
                                                              whoever ends this one, under the pulse */
    _Atomic uint32_t flags;
    _Atomic int32_t pid, tid;
    _Atomic uint32_t pid_namespace;                        /* in which those numbers mean something; 0: unknown */

    /* Written by the member, read by repair and by whoever asks what it is doing. */
    _Alignas(64) _Atomic(struct plait__owned *) inside;    /* the object whose words it may own now */
    _Atomic(plait__word *) waiting;                        /* what it sleeps on */
    _Atomic uint32_t waiting_for;                          /* the slot that has what it waits for; 0: anybody */
    _Atomic uint32_t sleeps;                               /* how often it has begun to sleep, written before `waiting` */
    _Atomic uint32_t waiting_kind;                         /* enum plait__waits_for */
    _Atomic(const void *) waiting_object;                  /* as users know it; NULL: none */
    _Atomic uint64_t handovers[PLAIT__HANDOVERS];          /* see handover.h */

    _Alignas(64) char name[PLAIT__NAME_SIZE];
    _Atomic uint32_t deaths;                               /* how many lives of this slot ended by death */
    _Atomic uint32_t died[PLAIT__DEATHS_KEPT];             /* the last of them: entry deaths % KEPT is the next to be written */
    _Atomic int32_t joining;                               /* the thread whose end it waits for, written by the member; 0: none */
};

/* See bell.h. */
#define PLAIT__BELLS_MAX 1024u
#define PLAIT__INTERESTS 8u
struct plait__bell {
    _Alignas(128) _Atomic uint64_t owner;                  /* life << 32 | slot; 0: nobody has it */
    _Atomic uint64_t address;                              /* | which socket of the family: 32 | its name: 32 |; 0: no rings */
    _Atomic uint32_t network;                              /* the namespace in which that name means something; 0: unknown */
    _Atomic uint32_t armed;                                /* counted up by the holder before it sleeps */
    _Atomic uint32_t rung;                                 /* it has been rung since this was counted */
    _Alignas(64) _Atomic uint64_t interests[PLAIT__INTERESTS];           /* a bit for each hash of a word that is waited for */
};

struct plait__roster {
    int64_t pulse_offset;                                  /* where in a pthread_mutex_t the futex word lies */
    _Atomic uint32_t made;                                 /* slots 1..made are initialised */
    _Atomic uint32_t low;                                  /* hint: slots below are taken */
    _Atomic uint32_t no_waitv;                             /* a member sleeps without futex_waitv: wake it by its word */
    _Atomic uint32_t unpulsed;                             /* there is, or was, a member with PLAIT__UNPULSED */
    _Atomic uint32_t announced;                            /* the sleepers were told of the slots up to this one */
    _Atomic uint32_t pid_namespace, many_namespaces;       /* the first member's; others', or unknown ones, were seen */
    _Atomic uint32_t bells;                                /* so many places of `bell` are, or were, in use; never less */
    _Atomic uint32_t bells_made;                           /* so many sockets, one after the other */
    _Alignas(64) plait__word epoch;                        /* counted up when everybody has to look again */
    _Atomic uint32_t endings;                              /* lives that ended and may be missed: the dead, who owed something */
    _Alignas(64) unsigned char log[PLAIT__LOG_SIZE];       /* zero at first; what is in it only the room of logs knows */
    _Atomic uint32_t joined;                               /* how many processes have come from outside */
    _Alignas(256) struct plait__slot slots[PLAIT__MEMBERS_MAX + 1];      /* number 0 is nobody's */
    struct plait__bell bell[PLAIT__BELLS_MAX];
    unsigned char names[PLAIT__NAMES_SIZE];                /* zero at first; what is in it only the room `join` knows */
};

/* What a thread remembers of the cursor that it used last; see message/stream.h. */
struct plait__stream {
    const void *cursor;
    const void *known;                                     /* the cursor, if it was left as `word`; else NULL */
    uint64_t word;
    uint32_t linger;
};

/* What a thread knows about itself as a member.  All of it is void when `incarnation` differs from *plait__fork_mark. */
struct plait__self {
    uint32_t incarnation;
    uint32_t slot;
    uint64_t owner;                                        /* life << 32 | slot: how 64-bit owner words name us */
    uint32_t short_owner;                                  /* the life's last 3 bits << 13 | slot: how 16 bits do */
    bool by_hand;                                          /* no robust list: pulses are not for the C library, see roster.c */
    void *robust_list;                                     /* the C library's, where a forked child inherits it; see roster.c */
    struct plait__heap *heap;                              /* NULL until it allocates */
    const struct plait__parker *parker;                    /* NULL: the thread itself sleeps; see wait.h */
    uint32_t spin_limit, parks, try_after;                 /* see wait.c */
    struct plait__stream stream;
    uint32_t leases;                                       /* leases not yet acknowledged */
    struct plait__tasks *tasks;                            /* those of plain gets from joinable queues, see message/joinable.c */
    uint32_t parties;                                      /* of so many barriers, or waits for a condition, a lock, a semaphore:
                                                              who waits there has to learn of its end; a wake may go with it */
    uint32_t permits;                                      /* of owned semaphores, not yet released */
    uint32_t reads;                                        /* rwlocks that it reads */
    uint32_t asked;                                        /* the member that plait__ask_kernel asked about last */
    int64_t look_at, ask_at;                               /* when to look, and to ask, next before giving up; see wait.c */
};

extern _Thread_local struct plait__self plait__self;
extern struct plait__roster *plait__roster;
extern _Atomic(_Atomic uint32_t *) plait__fork_mark;       /* points to a word that reads 0 in a forked child, see fork.c */

static inline uint32_t plait__read_fork_mark(void)
{
    return atomic_load_explicit(atomic_load_explicit(&plait__fork_mark, memory_order_acquire), memory_order_relaxed);
}

int plait__join(void);

/* In a forked child, before anything of it is a member. */
void plait__forget_parents_list(void);

static inline bool plait__is_member(void)
{
    return plait__self.incarnation == plait__read_fork_mark();
}

/* Be a member: 0, PLAIT_ENOARENA, PLAIT_ETOOMANY with a detail.  Every call of the face that needs more than its arguments
 * begins with it. */
static inline int plait__member(void)
{
    if (PLAIT__LIKELY(plait__is_member())) return 0;
    return plait__join();
}

static inline struct plait__slot *plait__slot(uint32_t number)
{
    return &plait__roster->slots[number];
}

static inline plait__word *plait__pulse_word(uint32_t number)
{
    return (plait__word *)((char *)&plait__slot(number)->pulse + plait__roster->pulse_offset);
}

/* A pulse's word, as the kernel marks it.  (With a thread id beside the mark a repairer has it, and musl has not cleared that.) */
static inline bool plait__is_fallen(uint32_t word)
{
    return (word & FUTEX_OWNER_DIED) && !(word & FUTEX_TID_MASK);
}

/* The kernel has marked it and nobody has repaired it yet. */
static inline bool plait__pulse_fell(uint32_t number)
{
    return plait__is_fallen(atomic_load(plait__pulse_word(number)));
}

/* The thread that lives in the slot does so no more: the kernel has marked its pulse, or a repairer or the next member has it.
 * To be asked when a life of that slot is known to have begun. */
static inline bool plait__pulse_stopped(uint32_t number)
{
    uint32_t word = atomic_load(plait__pulse_word(number));
    return (word & (FUTEX_OWNER_DIED | FUTEX_TID_MASK)) != (uint32_t)atomic_load(&plait__slot(number)->tid);
}

/* Words without room for a whole life name their owner by 16 bits, of which 3 are its life's.  Repair frees such words before the
 * slot is used again, so these bits need not last; with them nobody has to wait for a repairer that was stopped. */
static inline uint32_t plait__slot_of(uint32_t short_owner)
{
    return short_owner & 0x1fff;
}

static inline bool plait__has_ended(uint32_t short_owner)
{
    uint32_t number = plait__slot_of(short_owner), life = atomic_load(&plait__slot(number)->life);
    return (life & 7) != short_owner >> 13 || plait__pulse_stopped(number);
}

/* How the life that an owner word (life << 32 | slot) names is going. */
enum plait__fate { PLAIT__LIVES, PLAIT__DIED, PLAIT__LEFT };
enum plait__fate plait__fate(uint64_t owner);

/* Where the member may own words, for repair.  Returns the object that it was inside of before, which is to be given back to
 * plait__leave_object: NULL, unless a signal handler has interrupted an operation on that one, which it must not (README.md). */
static inline struct plait__owned *plait__enter_object(struct plait__owned *object)
{
    struct plait__slot *slot = plait__slot(plait__self.slot);
    struct plait__owned *before = atomic_load_explicit(&slot->inside, memory_order_relaxed);
    atomic_store_explicit(&slot->inside, object, memory_order_relaxed);
    plait__in_order();
    return before;
}

static inline void plait__leave_object(struct plait__owned *before)
{
    plait__in_order();
    atomic_store_explicit(&plait__slot(plait__self.slot)->inside, before, memory_order_relaxed);
}

/* In memory.c: make a block, whoever's it was, private to the calling thread, which is a member.  As plait__heap_free. */
int plait__block_take(void *block);

/* The name of this process ("MainProcess" until it is set); the calling thread's slot takes its begin at once.  For a process that
 * has just begun, with one thread: whoever reads the name does it without a lock. */
void plait__set_process_name(const char *name);

/* And later: what plait__process_name has returned stays as it was.  0, -ENOMEM. */
int plait__rename_process(const char *name);
const char *plait__process_name(void);

/* "NAME (pid N)" of a member, for details. */
void plait__describe_member(uint32_t slot, char *text, size_t size);

/* The process of a slot, as a number that means something to this one; 0: nobody's, or of another pid namespace. */
pid_t plait__pid_here(uint32_t slot);

/* In fork.c */
int plait__family_make(void);                              /* arena, roster and fork mark of this process; once */
int plait__family_attach(int fd);                          /* instead, of a process that begins anew, by its family's descriptor */

/* For who joins a family that is there, by its descriptor: instead of this process's own, if that was not used yet (no other thread
 * may be inside a call of plait meanwhile).  0: the descriptor is the family's now; 1: this process has that family already;
 * -EALREADY: it has used its own; or as plait__family_attach, and then it has none. */
int plait__family_change(int fd);

/* It has none any more.  For who alone has just changed to it. */
void plait__family_forget(void);
uint32_t plait__begin_incarnation(void);                   /* the mark to join under, made anew after a fork */
void plait__keep_thread_key(void);                         /* have plait_leave called at the end of this thread */
uint32_t plait__pid_namespace(void);


/* What plait__me points to: what the straight lines of locks and allocator need, and nothing in a forked child. */
struct plait__me {
    uint64_t owner;                                        /* as in plait__self; 0: nobody */
    struct plait__heap *heap;                              /* NULL: none yet, or not to be used by straight lines */
};
void plait__set_me(uint32_t slot, struct plait__me me);

/* In roster.c, for fork.c */
void plait__roster_make(void);

#endif
