/* code/loader.h - what the dynamic loader of the C library is asked for.
 *
 * All of its calls are referred to weakly, and dlopen, of which the linker warns even so, only by its name: a static program has no
 * loader, and must not get one for our sake.
 *
 * dl_iterate_phdr is not among them: glibc holds a lock during that call which a fork in another thread copies locked, and the
 * child then waits for ever.  What is asked for here either takes no lock (_dl_find_object, since glibc 2.35) or one that the C
 * library makes new in the child (dladdr).  Only dlopen takes the other one, to add a new object. */
#ifndef PLAIT_CODE_LOADER_H
#define PLAIT_CODE_LOADER_H

#include <stdbool.h>
#include <stdint.h>

/* The object that lies around this address: where its first page is, and its name, which is a path, absolute or relative to what
 * was the current folder, or "" for the program.  The name is the loader's, and lives as long as the object is open. */
bool plait__loader_find(uintptr_t address, uintptr_t *start, const char **name);

/* Whether objects can be opened: not in a static program. */
bool plait__loader_opens(void);

/* Open the object of this file for good, or, if it has to be open by now, find it.  An address in it, or 0: *why is the loader's
 * text, which lives until its next one. */
uintptr_t plait__loader_open(const char *path, bool has_to_be_open, const char **why);

#endif
