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
#include <stdint.h>

#include <plait/export.h>

PLAIT_BEGIN

/* `size` bytes of zeroed shared memory, aligned to 16 bytes (to 64 where size is a multiple of 64, to 64 KiB above 32 KiB).
 * The family owns the block: it stays when the process that asked for it ends, until somebody frees it or the last member is
 * gone.  Returns NULL with errno ENOMEM (the limit is reached; nothing is lost, and it works again after a free), EINVAL (size 0),
 * or PLAIT_ENOARENA / PLAIT_ETOOMANY with a detail.  The limit counts what is allocated, touched or not, by 64 KiB.  It is what the
 * machine has, what the control group allows, what the environment variable PLAIT_ARENA_LIMIT said when the family was made (512M
 * or 2G), and what there is address space for (about 57 GiB, less under RLIMIT_AS), whichever is least; see plait_arena_set_limit.
 * One block may be as large as the limit.
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

/* ---- the memory as a whole ---- */

/* From now on the whole family may have so many bytes, rounded up to 64 KiB.  Raised above what the machine has, the end may be the
 * OOM killer; lowered below what is in use, nothing is taken away, but allocating fails until enough is freed.
 * 0; -EINVAL (0, or more than there is address space for, see plait_arena_figures); PLAIT_ENOARENA, PLAIT_ETOOMANY. */
PLAIT_API int plait_arena_set_limit(uint64_t bytes);

/* Give the pages of everything that is free back to the system.  Pages of freed memory go back by themselves, but for a little that
 * is about to be used again: in a family up to 16 freed blocks, together 32 MiB (or an eighth of the limit), in a thread
 * the spans of 64 KiB with small blocks that were freed last.  This is for programs that have done with allocating.
 * 0; PLAIT_ENOARENA, PLAIT_ETOOMANY.  Does not block; takes the longer the more memory is in use. */
PLAIT_API int plait_arena_trim(void);

/* Sizes in bytes. */
typedef struct plait_arena_figures {
    uint64_t mapped;               /* address space for blocks */
    uint64_t limit;                /* as much may be in use */
    uint64_t used;                 /* in use, by 64 KiB: blocks, what lies between them, and what is kept */
    uint64_t shared, owned;        /* in live blocks of the family, and of single members (plait_message_alloc) */
    uint64_t shared_blocks, owned_blocks;
    uint64_t kept;                 /* in freed blocks that still have their pages */
    uint64_t resident;             /* that really take memory, with plait's own tables; 0: unknown, the program has closed our fd */
    uint64_t leaked;               /* owned by nobody who lives: always 0, or plait is broken */
    uint32_t members;              /* threads that are alive */
    uint32_t reserved32;
    uint64_t reserved[8];
} plait_arena_figures;

/* One member's part of it. */
typedef struct plait_arena_member {
    char name[32];
    int32_t pid, tid;
    uint64_t owned, owned_blocks;  /* its private blocks: they die with it */
    uint64_t spans;                /* in spans that it allocates small blocks from, whoever has those */
    uint64_t reserved[4];
} plait_arena_member;

/* How the memory is used.  The dead are repaired first.  It walks over everything that is allocated (a millisecond for some hundred
 * MiB of small blocks), beside members that go on; what they do meanwhile may be in it or not.
 * 0; -ENOMEM (no private memory to count in), -EINVAL (stats is NULL), PLAIT_ENOARENA, PLAIT_ETOOMANY.
 * Python has nothing like it. */
PLAIT_API int plait_arena_stats(plait_arena_figures *stats);

/* The same by members: fills in up to `room` entries of list (which may be NULL if room is 0) and returns how many members there
 * are.  Errors as above. */
PLAIT_API int plait_arena_members(plait_arena_member *list, size_t room);

PLAIT_END
#endif
