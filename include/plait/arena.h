/* plait/arena.h - memory that all processes of a family share, at the same address.
 *
 * A plain pointer to it is valid in every member, may be stored in shared structs and sent in messages.  Nothing has a name in
 * the file system, so nothing can be left behind.
 *
 * ```c
 * struct counter { plait_lock lock; long value; };
 * struct counter *counter = (struct counter *)plait_alloc(sizeof *counter);
 * if (!counter) return;
 * if (plait_lock_acquire(&counter->lock, PLAIT_FOREVER) >= 0) {
 *     counter->value++;
 *     plait_lock_release(&counter->lock);
 * }
 * plait_free(counter);
 * ```
 */
#ifndef PLAIT_ARENA_H
#define PLAIT_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include <plait/export.h>

PLAIT_BEGIN

/* `size` bytes of zeroed shared memory, aligned to 16 bytes (to 64 where size is a multiple of 64, to 64 KiB above 32 KiB).
 * The family owns the block: it stays when the process that asked for it ends, until somebody frees it or the last member is
 * gone.  Returns NULL with errno ENOMEM (the arena is full; nothing is lost, and it works again after a free), EINVAL (size 0),
 * or PLAIT_ENOARENA / PLAIT_ETOOMANY with a detail.  Full is when the blocks, touched or not, have as many bytes as the machine
 * has memory (or about 57 GiB, where that is less); limits of a container are not known to it.
 * Thread-safe; not for signal handlers; does not block.
 * Python: multiprocessing.RawValue, RawArray, or heap.BufferWrapper. */
PLAIT_API void *plait_alloc(size_t size);

/* `size` bytes of shared memory that belong to the calling thread: when it ends, however it ends, they are freed.  Not zeroed.
 * plait_block_share gives such a block to the family.  Otherwise as plait_alloc. */
PLAIT_API void *plait_message_alloc(size_t size);

/* From now on the family owns the block of plait_message_alloc: it survives its maker.  If that dies before it has stored the
 * address where others find it, nobody knows the block, and it stays until the family ends.
 * 0; PLAIT_ENOTOURS, PLAIT_EFREED (its maker may have died); PLAIT_ENOARENA, PLAIT_ETOOMANY. */
PLAIT_API int plait_block_share(void *block);

/* Give a block back.  Any member may free any block, once; but one of plait_message_alloc that belongs to another thread may be
 * freed by that one's death at the same moment.  NULL is fine.
 * Returns 0; PLAIT_EFREED or PLAIT_ENOTOURS (freed before, or no start of a block: which of the two is told depends on what the
 * memory serves for now); PLAIT_ENOARENA, PLAIT_ETOOMANY.  After an error nothing has been changed.  Two threads that free the
 * same block at the same moment may both be told 0.  Does not block. */
PLAIT_API int plait_free(void *block);

/* How many bytes the block really has (at least what was asked for); 0 when it is no live block. */
PLAIT_API size_t plait_block_size(const void *block);

/* Whether the address lies in the family's shared memory, so that every member sees the same there. */
PLAIT_API bool plait_is_shared(const void *address);

PLAIT_END
#endif
