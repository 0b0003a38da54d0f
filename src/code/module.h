/* code/module.h - what code comes from: the program and the shared objects, where they lie, and which build each is.
 *
 * Nothing is remembered of a module but of the program, which stays: all else is read where it lies each time (some 100 ns), so
 * that an object that was closed, and another one at its place, can't be confused.  The caller sees to it that nobody closes the
 * one he asks about meanwhile. */
#ifndef PLAIT_CODE_MODULE_H
#define PLAIT_CODE_MODULE_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

/* In this process. */
struct plait__module {
    const ElfW(Phdr) *headers;
    uint32_t count;
    bool is_program;
    uintptr_t bias;                                        /* what to add to the addresses in its file */
    const char *name;                                      /* its path as the loader has it: perhaps relative; "": the program */
};

enum plait__build_kind { PLAIT__NO_BUILD, PLAIT__BUILD_ID, PLAIT__BUILD_HASH };

/* Equal for the same output of a linker, and different for another one.  As bytes, so that all of it can be compared. */
struct plait__build {
    uint32_t kind;                                         /* a hash of code and constants, if the linker gave no id */
    uint32_t length;                                       /* of the id; of a longer one the first bytes are kept */
    uint8_t bytes[32];                                     /* behind it: zero */
};

/* The module that lies around this address; not the kernel's. */
bool plait__module_at(uintptr_t address, struct plait__module *module);

/* The program that this process runs.  It needs no file, and no name: both may have changed since. */
bool plait__module_of_program(struct plait__module *module);

/* Whether the address is in its code. */
bool plait__module_runs(const struct plait__module *module, uintptr_t address);

/* Which build it is.  0, or PLAIT_ENOFUNCTION with a detail: it has no id, and code that was changed when it was loaded. */
int plait__module_build(const struct plait__module *module, struct plait__build *build);

/* The same of a file, before anything in it is run.  0; PLAIT_ENOFUNCTION with a detail: it is not there, cut short, no object. */
int plait__module_build_of_file(const char *path, struct plait__build *build);

/* Whether a folder, a fifo or the like is there, which nobody should try to open as a module. */
bool plait__module_is_no_file(const char *path);

/* "build-id 0123456789abcdef", cut. */
struct plait__build_text {
    char text[40];
};
struct plait__build_text plait__build_text(const struct plait__build *build);

#endif
