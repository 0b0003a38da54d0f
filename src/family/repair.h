/* family/repair.h - what survivors do about the dead. */
#ifndef PLAIT_FAMILY_REPAIR_H
#define PLAIT_FAMILY_REPAIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Repair the slot if the kernel has marked it: everything its member owned is free, the slot too, everybody looks again.
 * Any number of members may call it at a time; one that is killed in the middle leaves it to the next, who does it again.
 * True if this call did it. */
bool plait__reap(uint32_t slot);

/* Lock the pulse of a slot that looks free.  Somebody may have moved in and died since: then it is repaired first.
 * False: somebody lives there. */
bool plait__lock_pulse(uint32_t slot);
void plait__unlock_pulse(uint32_t slot, bool by_hand);

/* The same as plait__reap for all slots.  How many were repaired. */
int plait__reap_all(void);

/* Every sleeper of the family looks again at what it waits for. */
void plait__wake_family(void);

/* Ask the kernel about members whose pulse looks alive, and repair those that are certainly gone: the one that the caller waits
 * for, and `most` others, each call the next ones.  How many were repaired.  The pulse is faster, this is for when it was lost:
 * the OOM killer may take the list that the kernel needs for marking, and where the kernel can't read that list at once it gives
 * up. */
int plait__ask_kernel(uint32_t most);

/* The same for all members whose pulse can't fall by itself, as emulators know no robust lists. */
int plait__ask_kernel_about_unpulsed(void);

/* This thread of this process is certainly gone, although its pulse may not say so.  A pid that has been given to another process
 * looks alive.  pid 0: unknown. */
bool plait__is_gone(pid_t pid, pid_t tid);

/* The parent knows from wait() that this process is gone: if its pulses have not fallen by themselves, make them. */
void plait__process_is_gone(int32_t pid);

#endif
