/* family/memory.c - the face of the allocator: who asks is a member, and has a heap. */
#include <stdlib.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/repair.h"
#include "family/roster.h"

static int my_heap(struct plait__heap **heap)
{
    int error = plait__member();
    if (error) return error;
    if (PLAIT__UNLIKELY(!plait__self.heap)) {
        plait__self.heap = calloc(1, sizeof *plait__self.heap);
        if (!plait__self.heap) return plait__fail(-ENOMEM, "no private memory for the notes of the allocator");
        plait__self.heap->owner = (uint16_t)plait__self.slot;
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
}

static void *allocate(size_t size, bool private)
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

void *plait_alloc(size_t size)
{
    return allocate(size, false);
}

void *plait_message_alloc(size_t size)
{
    return allocate(size, true);
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

int plait_free(void *block)
{
    if (!block) return 0;
    struct plait__heap *heap = NULL;
    int error = my_heap(&heap);
    if (PLAIT__UNLIKELY(error) && error != -ENOMEM) return error;
    return plait__heap_free(heap, block, plait__self.slot);      /* without notes too, only less tidy */
}
