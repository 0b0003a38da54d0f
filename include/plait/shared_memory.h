/* plait/shared_memory.h - memory with a name, to be shared with programs that are not of the family: Python's SharedMemory.
 *
 * Within a family it is not needed: plait_alloc's memory lies at the same address in all processes, and ends with them.
 *
 * ```c
 * plait_shared_memory *memory = plait_shared_memory_create("prices", 8 * sizeof(double));
 * if (!memory) return;                                          // errno: EEXIST, ENOSPC, ...
 * double *prices = (double *)plait_shared_memory_data(memory);
 * prices[0] = 3.5;                                              // in Python: SharedMemory("prices").buf.cast("d")[0]
 * plait_shared_memory_unlink(memory);                           // the name is gone, the memory stays while somebody has it
 * plait_shared_memory_free(memory);
 * ```
 *
 * Nothing is unlinked behind your back: what nobody unlinks stays in /dev/shm until the machine is started anew, also if its maker
 * is killed.
 *
 * Not so in Python.  Before 3.13, and later without `track=False`, SharedMemory(name) tells a tracker of its own of every
 * segment that it attaches to, not only of those that it makes; when that Python ends, its tracker unlinks them, with a warning of
 * "leaked shared_memory objects", while others still use the name.  What is mapped goes on to work; who attaches later finds
 * nothing, and unlink says -ENOENT.  To keep the name, a Python program that attaches says:
 *
 *     from multiprocessing import resource_tracker, shared_memory
 *     memory = shared_memory.SharedMemory("prices", track=False)                  # 3.13 and later
 *     memory = shared_memory.SharedMemory("prices")                               # before, these two lines
 *     resource_tracker.unregister("/prices", "shared_memory")
 *
 * and leaves unlinking to you.  (After that it must not unlink it itself: its tracker complains then.)
 */
#ifndef PLAIT_SHARED_MEMORY_H
#define PLAIT_SHARED_MEMORY_H

#include <stddef.h>

#include <plait/export.h>

/* A process's handle, in its private memory: pass the name to others, not this.  A forked child has a copy of it, mapped at the
 * same address.  One thread at a time closes or frees it. */
typedef struct plait_shared_memory plait_shared_memory;

PLAIT_BEGIN

/* Make memory of `size` bytes, all zero, with that name (not empty, up to 255 bytes, no / but one at the begin, which is left off),
 * or with NULL under a new name ("psm_" and 8 hexadecimal digits).  Who may open it: this user.  All of the memory is taken
 * now: with Python's, which is taken when it is touched, a full /dev/shm means SIGBUS then.  Others find it whole, or not yet.
 * NULL: errno EEXIST (the name is taken), EINVAL (size is 0, or negative as a number of bytes; what is no name), ENAMETOOLONG,
 * ENOSPC (/dev/shm has no room for it, or the machine), EFBIG (the process's limit), EACCES, EMFILE, ENOMEM.  It takes as long as
 * it takes to zero the memory.
 * Python: SharedMemory(name, create=True, size=size). */
PLAIT_API plait_shared_memory *plait_shared_memory_create(const char *name, size_t size);

/* Map memory that is there, made by anybody.  NULL: errno ENOENT, EINVAL (NULL or no name; it has 0 bytes, perhaps because it
 * is being made by a Python; no memory at all), EACCES, EMFILE, ENOMEM.  Pages of a segment of Python's that nobody has touched
 * yet may not be there, see above.  And whoever has the memory open can cut it short (ftruncate): to touch what is gone is SIGBUS,
 * here, in the calls of shareable lists and in Python.  Share names only with programs that you trust.
 * Python: SharedMemory(name). */
PLAIT_API plait_shared_memory *plait_shared_memory_attach(const char *name);

/* Unmap it: pointers into it end here.  The handle goes on to know name and size, and can unlink.  Once more is fine.  0; -EINVAL.
 * Python: memory.close(). */
PLAIT_API int plait_shared_memory_close(plait_shared_memory *memory);

/* Unmap it and free the handle.  Nothing is unlinked.  NULL is fine.  0. */
PLAIT_API int plait_shared_memory_free(plait_shared_memory *memory);

/* Take the name away: nobody can attach any more; those who have it keep it.  Once, by one of its users.  0; -ENOENT (there is
 * no such name any more); -EACCES; -EINVAL.  Python: memory.unlink(). */
PLAIT_API int plait_shared_memory_unlink(plait_shared_memory *memory);

/* Where it is mapped in this process.  NULL: errno PLAIT_ECLOSED's positive (it was closed), EINVAL.  Python: memory.buf. */
PLAIT_API void *plait_shared_memory_data(const plait_shared_memory *memory);

/* How many bytes it has: what was asked for; 0: it is NULL.  Python: memory.size. */
PLAIT_API size_t plait_shared_memory_size(const plait_shared_memory *memory);

/* Its name, without a slash; as long as the handle.  NULL: errno EINVAL.  Python: memory.name. */
PLAIT_API const char *plait_shared_memory_name(const plait_shared_memory *memory);

PLAIT_END
#endif
