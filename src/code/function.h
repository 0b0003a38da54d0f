/* code/function.h - how a function travels to another process, which may have other modules, or the same elsewhere.
 *
 *     struct plait__function reference;
 *     int size = plait__function_describe((plait__code)task, &reference);     // these bytes of it travel
 *     ...
 *     plait__code found;                                                      // there
 *     int error = plait__function_find(&reference, (size_t)size, &found);
 */
#ifndef PLAIT_CODE_FUNCTION_H
#define PLAIT_CODE_FUNCTION_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "code/module.h"

/* A function of any type; cast it back before it is called. */
typedef void (*plait__code)(void);

/* A function as it travels, in shared memory or in a message: the module by its path, which build that was, and where in it the
 * function begins.  No pointers.  Who describes writes it, afterwards nobody does. */
struct plait__function {
    uint64_t address;                                      /* where it is there: nearly always it is here, too */
    uint64_t offset;                                       /* from the begin of its module */
    struct plait__build build;
    uint32_t is_program;                                   /* not 0: of the program, whatever that is called by now; no path */
    uint32_t path_length;
    uint32_t name;                                         /* where in the path begins what the loader calls the module */
    char path[PATH_MAX];                                   /* absolute, with its 0; what is behind that does not travel */
};

/* Make the reference to a function.  How many bytes of it are to travel, at least 69; or PLAIT_ENOFUNCTION with a detail: it is
 * NULL, no code, or in no module, as what a program makes at run time.
 * Nobody may be about to close its module.  Does not block, and has no lock that a fork could copy. */
int plait__function_describe(plait__code function, struct plait__function *reference);

/* The function of a reference of so many bytes (aligned to 8), in this process.  If its module is not open yet, it is opened, for
 * good; but only if its file is the same build: nothing in another one is run.
 * 0; or PLAIT_ENOFUNCTION, and the detail names the module, what was expected, and what was found.
 * Blocks only if it has to open the module: as long as dlopen does. */
int plait__function_find(const struct plait__function *reference, size_t size, plait__code *function);

#endif
