/* arena/map.h - the shared mapping and its layout.
 *
 *   | header | roster (rooms above) | span table | owner tags | spans of 64 KiB ... |
 *
 * One memfd, mapped MAP_SHARED at the same address in every member, sized once and sealed.  Pages exist when touched.
 */
#ifndef PLAIT_ARENA_MAP_H
#define PLAIT_ARENA_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAIT__ARENA_MAGIC UINT64_C(0x746961706c613131)
#define PLAIT__ARENA_VERSION 2
#define PLAIT__SPAN_SIZE 65536u
#define PLAIT__SPAN_BLOCKS 4096u                           /* most blocks in a span: of 16 bytes */
#define PLAIT__ROSTER_SIZE (8u << 20)

#define PLAIT__OWNERS 8192u                                /* member slots are below */
#define PLAIT__RUN_SIZES 21u                               /* of runs of up to 2^k spans */
#define PLAIT__KEPT_PLACES 16u

/* One span of 64 KiB.  state: see spans.h.  next, run: notes of whoever the state names as owner. */
struct plait__span {
    _Atomic uint64_t state;
    uint32_t next;                                         /* the owner's list of spans of one class; 0 ends it */
    _Atomic uint32_t run;                                  /* first span of a large block: how many spans; the others: a hint, the
                                                              how manieth it is */
};

/* The first page.  Everything up to the counters is written before the arena is used and never again. */
struct plait__arena {
    uint64_t magic;
    uint32_t version;                                      /* these three stay here in every version, for who is to join */
    uint32_t library, libc;                                /* whose objects are in it: plait_version(); enum plait__libc */
    uint32_t spans;                                        /* how many there is address space for */
    uint64_t base, size;                                   /* where it is mapped, bytes */
    void *roster;
    struct plait__span *table;                             /* [spans]; number 0 is never used, so that 0 can end lists */
    _Atomic uint16_t *tags;                                /* [spans][PLAIT__SPAN_BLOCKS] */
    char *memory;                                          /* span i lies at memory + i * PLAIT__SPAN_SIZE */

    /* How many spans are in use and how many may be, see limit.c. */
    _Alignas(64) _Atomic uint64_t used;
    _Atomic uint32_t limit;

    /* Hints, written by anyone, right or wrong. */
    _Alignas(64) _Atomic uint32_t top;                     /* all spans from here on were never used; never too low */
    _Atomic uint32_t low;                                  /* a free span is probably not below */
    _Atomic uint32_t run_low[PLAIT__RUN_SIZES];            /* nor a free run of 2^k to 2^(k+1) - 1 spans */
    _Atomic uint32_t kept[PLAIT__KEPT_PLACES], kept_next;  /* first spans of kept runs; the place to be used again next */

    _Alignas(64) _Atomic uint32_t reserving[PLAIT__OWNERS];      /* see limit.c */
};

/* Whose mutexes the pulses are. */
enum plait__libc { PLAIT__GLIBC = 1, PLAIT__OTHER_LIBC };

extern struct plait__arena *plait__arena;                  /* NULL before the family is made */
extern int plait__arena_fd;                                /* the memfd, -1 without an arena; the host may have closed it */

/* plait_is_shared, where a call would cost too much. */
static inline bool plait__in_arena(const void *address)
{
    return plait__arena && (uintptr_t)address - plait__arena->base < plait__arena->size;
}

/* Make and map the arena.  0, or PLAIT_ENOARENA with a detail.  The caller sees to it that this runs once per process. */
int plait__arena_make(void);

/* Map the arena of a family that is there, by its memfd, which becomes plait__arena_fd.  As above; -EPROTONOSUPPORT: another
 * version of plait has made it, or a program with another C library. */
int plait__arena_attach(int fd);

/* Let go of it: there is none then.  Nobody in this process may have a pointer into it. */
void plait__arena_detach(void);

/* Whether fd is the memfd of this process's arena. */
bool plait__is_arena_fd(int fd);

/* Whether the memory of no span is in use: nothing was ever made, or all was freed. */
bool plait__arena_is_empty(void);

/* How many bytes of the memfd exist; 0 if it is not open any more. */
uint64_t plait__arena_resident(void);

#endif
