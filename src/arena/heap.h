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
#include "arena/spans.h"
#include "base/atomics.h"

#define PLAIT__TAG_FREE 0u
#define PLAIT__TAG_SHARED 0xffffu
#define PLAIT__TAG_STAMPED 0xfffeu                         /* its last bytes name what it belongs to: see pool/board.h */
#define PLAIT__CLASSES 22u

#define PLAIT__NOTED 123u                                  /* so that a class has 1024 bytes */
#define PLAIT__TABLED_MAX 1024u                            /* up to here a table tells the class of a size */

/* A thread's own notes about the spans it owns. */
struct plait__heap {
    uint64_t mine;                                         /* state of a span of ours, of class 0 */
    uint16_t owner;                                        /* the member's slot */
    bool has_private;                                      /* its slot says that it has blocks which die with it */
    uint32_t freed;                                        /* bytes freed and not noted since the last look for empty spans */
    struct plait__class {
        void **free, **full;                               /* behind the last of the noted blocks; where no more may be noted */
        uint32_t size, inverse;                            /* as in heap.c, beside what is used with them */
        uint32_t first, cursor;                            /* list of spans (struct plait__span.next); where a search goes on */
        uint32_t looked;                                   /* the last span that was looked at for being empty; 0: begin */
        void *noted[PLAIT__NOTED];                         /* free blocks, in any span of ours */
    } classes[PLAIT__CLASSES];
};

void plait__heap_init(struct plait__heap *heap, unsigned owner);

/* `size` bytes with that tag (PLAIT__TAG_SHARED or heap->owner); zeroed if asked for.  NULL: the arena is full, or size is 0. */
void *plait__heap_alloc(struct plait__heap *heap, size_t size, unsigned tag, bool zeroed);

/* Give the pages of all that is free back: kept runs, empty spans of ours and of nobody.  False: there was nothing. */
bool plait__heap_trim(struct plait__heap *heap);

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
unsigned plait__size_of_class(unsigned class);

/* ---- the straight lines ----
 *
 * What plait_alloc and plait_free do nearly always; plait__heap_alloc and plait__heap_free do the rest, and the whole under
 * ThreadSanitizer. */

extern const uint8_t plait__class_of[PLAIT__TABLED_MAX / 16 + 1];        /* by (size + 15) / 16 */

/* offset / size for an offset within a span; a multiplication, because dividing takes as long as the rest of a free. */
static inline unsigned plait__block_index(unsigned offset, uint32_t inverse)
{
    return (unsigned)((uint64_t)offset * inverse >> 32);
}

static inline _Atomic uint16_t *plait__tag_of(const struct plait__arena *arena, uint64_t offset, uint32_t inverse)
{
    return arena->tags + offset / PLAIT__SPAN_SIZE * PLAIT__SPAN_BLOCKS +
           plait__block_index((unsigned)(offset % PLAIT__SPAN_SIZE), inverse);
}

/* A small block from the notes, or NULL. */
static inline void *plait__heap_take(struct plait__heap *heap, size_t size, unsigned tag)
{
    if (PLAIT__UNLIKELY(size - 1 >= PLAIT__TABLED_MAX)) return NULL;
    struct plait__class *class = &heap->classes[plait__class_of[(size + 15) / 16]];
    if (PLAIT__UNLIKELY(class->free == class->noted)) return NULL;
    char *block = *--class->free;
    const struct plait__arena *arena = plait__arena;
    atomic_store_explicit(plait__tag_of(arena, (uint64_t)(block - arena->memory), class->inverse), (uint16_t)tag,
                          memory_order_release);
    return block;
}

/* Free a small block in a span of our own, and note it.  False: nothing has been done.
 *
 * Where a program frees what it has just allocated, the next allocation waits for what is noted here, and that for the class: so
 * the way from the address to there is as short as it can be, and all that is checked lies beside it. */
static inline bool plait__heap_put(struct plait__heap *heap, void *block)
{
    const struct plait__arena *arena = plait__arena;
    uint64_t offset = (uint64_t)((uintptr_t)block - (uintptr_t)arena->memory), span = offset / PLAIT__SPAN_SIZE;
    if (PLAIT__UNLIKELY(span >= arena->spans)) return false;
    uint64_t number = atomic_load_explicit(&arena->table[span].state, memory_order_relaxed) - heap->mine;
    if (PLAIT__UNLIKELY(number % 65536 || number >= (uint64_t)PLAIT__CLASSES << 16)) return false;
    struct plait__class *class = &heap->classes[number >> 16];
    _Atomic uint16_t *tag = plait__tag_of(arena, offset, class->inverse);
    uint32_t starts = plait__block_index((unsigned)(offset % PLAIT__SPAN_SIZE), class->inverse) * class->size;
    if (PLAIT__UNLIKELY(starts != offset % PLAIT__SPAN_SIZE || class->free == class->full)) return false;
    uint16_t seen = atomic_load_explicit(tag, memory_order_relaxed);
    if (PLAIT__UNLIKELY(seen != PLAIT__TAG_SHARED && seen != heap->owner)) return false;
    atomic_store_explicit(tag, PLAIT__TAG_FREE, memory_order_release);
    *class->free++ = block;
    return true;
}

#endif
