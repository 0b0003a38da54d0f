/* plait/event.h - something that happens once, or again and again, and that many may wait for.
 *
 * An event may stand inside your own shared struct: all-zero bytes are a cleared event.
 *
 * ```c
 * struct house { plait_event open; int price; };
 * struct house *house = (struct house *)plait_alloc(sizeof *house);
 * plait_event_set(&house->open);                                          // one process
 * int waited = plait_event_wait(&house->open, plait_after(2.0));          // any number of others
 * if (waited == -ETIMEDOUT) puts("2 s are over");
 * if (plait_event_is_set(&house->open) == 1) puts("still open");
 * plait_event_clear(&house->open);
 * ```
 *
 * Who waits is let through by every set() that comes after the wait began, also if a clear() follows at once; so is a
 * threading.Event of Python.  A multiprocessing.Event looks at the flag again after it was woken, and may return False then.
 * Not for signal handlers, as all of plait (docs/guidelines.md).
 */
#ifndef PLAIT_EVENT_H
#define PLAIT_EVENT_H

#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>

/* Eight bytes, aligned to four.  The fields are plait's; zero them to make a cleared event, never while it is in use.
 * Inside memory of the arena it works between all members; elsewhere between the threads of this process only. */
typedef struct plait_event {
    uint32_t word;
    uint32_t reserved;
} plait_event;

PLAIT_BEGIN

/* A new event in shared memory, cleared, owned by the family; free it with plait_event_free.  NULL: errno as plait_alloc.
 * Python: multiprocessing.Event(). */
PLAIT_API plait_event *plait_event_new(void);

/* Free an event of plait_event_new; the caller must know that nobody uses it any more.  NULL is fine.  A set touches the event no
 * more once it is set: the last of those who see that may free its memory, even if the set has not returned yet.
 * 0, or what plait_free says. */
PLAIT_API int plait_event_free(plait_event *event);

/* From now on nobody waits for it, and all who do go on.  What was written before is seen by them.  That it was set already
 * changes nothing.  0, -EINVAL (NULL or misaligned).  Does not block.
 * Python: event.set(). */
PLAIT_API int plait_event_set(plait_event *event);

/* From now on everybody waits for it again.  0, -EINVAL.  Does not block.
 * Python: event.clear(). */
PLAIT_API int plait_event_clear(plait_event *event);

/* 1 or 0, -EINVAL.  Only a momentary picture.
 * Python: event.is_set(). */
PLAIT_API int plait_event_is_set(const plait_event *event);

/* Wait until it is set, or until the deadline.
 * Returns 0 (it is set, or was, since this call began); -ETIMEDOUT; -EINVAL (NULL or misaligned); PLAIT_ENOARENA, PLAIT_ETOOMANY.
 * Signals do not end the wait.
 * Python: event.wait(timeout). */
PLAIT_API PLAIT_MUST_CHECK int plait_event_wait(plait_event *event, plait_deadline deadline);

PLAIT_END
#endif
