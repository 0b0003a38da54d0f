/* arena/heap.h - blocks of shared memory.
 *
 * The truth about a block is its owner tag, 16 bits beside the spans: 0 free, n it belongs to member n and dies with it, SHARED
 * it belongs to the family.  Allocating is one store of the tag by the thread that owns the span, freeing one store of 0 by
 * anybody.  Everything else (which blocks of a span are free) is private memory of the thread and vanishes with it, so that
 * there is nothing to repair: a dead member's blocks are those with its tag.
 */
#ifndef PLAIT_ARENA_HEAP_H
#define PLAIT_ARENA_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena/map.h"

#define PLAIT__TAG_FREE 0u
#define PLAIT__TAG_SHARED 0xffffu
#define PLAIT__TAG_STAMPED 0xfffeu                         /* its last bytes name what it belongs to: see pool/board.h */
#define PLAIT__CLASSES 22u

/* A thread's own notes about the spans it owns. */
struct plait__heap {
    uint16_t owner;                                        /* the member's slot */
    uint32_t freed;                                        /* bytes freed since the last look for empty spans */
    struct plait__class {
        uint32_t span;                                     /* the one the free list is about */
        uint32_t first, cursor;                            /* list of spans (struct plait__span.next); where a search goes on */
        uint32_t looked;                                   /* the last span that was looked at for being empty; 0: begin */
        uint16_t count;                                    /* free blocks noted */
        uint16_t blocks[128];                              /* their numbers within the span */
    } classes[PLAIT__CLASSES];
};

/* `size` bytes with that tag (PLAIT__TAG_SHARED or heap->owner); zeroed if asked for.  NULL: the arena is full, or size is 0. */
void *plait__heap_alloc(struct plait__heap *heap, size_t size, unsigned tag, bool zeroed);

/* 0, PLAIT_EFREED or PLAIT_ENOTOURS.  heap: the calling thread's, or NULL if it has none. */
int plait__heap_free(struct plait__heap *heap, void *block, unsigned me);

/* Give the block another owner.  As plait__heap_free. */
int plait__heap_retag(void *block, unsigned tag);

/* Whose the live block is that starts here: PLAIT__TAG_FREE if there is none. */
unsigned plait__heap_tag(const void *block);

/* A member is gone, or goes: free its private blocks (if it had any) and abandon its spans to whoever wants them.
 * Under its pulse; idempotent.  `me` does it: the member itself, or the repairer. */
void plait__heap_sweep(unsigned gone, bool has_private, unsigned me);

/* The tag of the block that this address lies in; PLAIT__TAG_FREE: in none. */
unsigned plait__heap_tag_at(const void *address);

/* Call visit for every live block with that tag; `size` is its real size.  visit may free blocks. */
void plait__heap_visit(unsigned tag, void (*visit)(void *block, size_t size, void *argument), void *argument);

/* For tests: how many blocks are live, of one tag, or of all (tag 0). */
size_t plait__heap_count(unsigned tag);

static inline _Atomic uint16_t *plait__tags_of(uint32_t span)
{
    return plait__arena->tags + (uint64_t)span * PLAIT__SPAN_BLOCKS;
}

unsigned plait__blocks_in_span(unsigned class);

#endif
