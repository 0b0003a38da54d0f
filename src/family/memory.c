/* family/memory.c - the face of the allocator: who asks is a member, and has a heap. */
#include <stdlib.h>
#include <string.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/repair.h"
#include "family/roster.h"

static int my_heap(struct plait__heap **heap)
{
    int error = plait__member();
    if (error) return error;
    if (PLAIT__UNLIKELY(!plait__self.heap)) {
        plait__self.heap = malloc(sizeof *plait__self.heap);
        if (!plait__self.heap) return plait__fail(-ENOMEM, "no private memory for the notes of the allocator");
        plait__heap_init(plait__self.heap, plait__self.slot);
        plait__set_me(plait__self.slot, (struct plait__me){ plait__self.owner, plait__self.heap });
    }
    *heap = plait__self.heap;
    return 0;
}

/* Before a block is ours: who sweeps up after us has to know that there are some. */
static void note_private(void)
{
    _Atomic uint32_t *flags = &plait__slot(plait__self.slot)->flags;
    uint32_t now = atomic_load_explicit(flags, memory_order_relaxed);
    if (!(now & PLAIT__HAS_PRIVATE)) atomic_store(flags, now | PLAIT__HAS_PRIVATE);
    plait__in_order();
    if (plait__self.heap) plait__self.heap->has_private = true;
}

/* All that the straight lines leave. */
static __attribute__((noinline)) void *allocate(size_t size, bool private)
{
    struct plait__heap *heap = NULL;
    int error = my_heap(&heap);
    if (error) return plait__null(error);
    if (size == 0) return plait__null(plait__fail(-EINVAL, "a block of 0 bytes was asked for"));
    if (private) note_private();
    unsigned tag = private ? plait__self.slot : PLAIT__TAG_SHARED;
    void *block = plait__heap_alloc(heap, size, tag, !private);
    if (PLAIT__UNLIKELY(!block) && plait__reap_all())      /* what the dead had may be enough */
        block = plait__heap_alloc(heap, size, tag, !private);
    if (PLAIT__UNLIKELY(!block)) {
        plait__fail(-ENOMEM, "the family's memory has no room for %zu bytes", size);
        return plait__null(-ENOMEM);
    }
    return block;
}

/* The calling thread's heap, or NULL. */
static inline struct plait__heap *heap_at_hand(void)
{
    return ((const struct plait__me *)plait__me)->heap;
}

/* Up to 64 bytes without a call.  `size` is the block's own or somewhat less, so that there is room for all of 16, 32, or the
 * size rounded up to 16. */
static inline void clear(char *block, size_t size)
{
    if (PLAIT__UNLIKELY(size > 64)) {
        memset(block, 0, size);
        return;
    }
    memset(block, 0, 16);
    if (size <= 16) return;
    memset(block + 16, 0, 16);
    if (size <= 32) return;
    size = (size + 15) & ~(size_t)15;
    memset(block + size - 16, 0, 16);
    memset(block + size - 32, 0, 16);
}

void *plait_alloc(size_t size)
{
    struct plait__heap *heap = heap_at_hand();
    char *block = PLAIT__LIKELY(heap != NULL) ? plait__heap_take(heap, size, PLAIT__TAG_SHARED) : NULL;
    if (PLAIT__UNLIKELY(!block)) return allocate(size, false);
    clear(block, size);
    return block;
}

void *plait_message_alloc(size_t size)
{
    struct plait__heap *heap = heap_at_hand();
    void *block = PLAIT__LIKELY(heap && heap->has_private) ? plait__heap_take(heap, size, heap->owner) : NULL;
    return PLAIT__LIKELY(block != NULL) ? block : allocate(size, true);
}

int plait_block_share(void *block)
{
    int error = plait__member();
    return error ? error : plait__heap_retag(block, PLAIT__TAG_SHARED);
}

int plait__block_take(void *block)
{
    note_private();
    return plait__heap_retag(block, plait__self.slot);
}

static __attribute__((noinline)) int free_otherwise(void *block)
{
    if (!block) return 0;
    struct plait__heap *heap = NULL;
    int error = my_heap(&heap);
    if (PLAIT__UNLIKELY(error) && error != -ENOMEM) return error;
    return plait__heap_free(heap, block, plait__self.slot);      /* without notes too, only less tidy */
}

int plait_free(void *block)
{
    struct plait__heap *heap = heap_at_hand();
    return PLAIT__LIKELY(heap && plait__heap_put(heap, block)) ? 0 : free_otherwise(block);
}

int plait_arena_trim(void)
{
    struct plait__heap *heap = NULL;
    int error = my_heap(&heap);
    if (error) return error;
    plait__heap_trim(heap);
    return 0;
}
