#include "code/function.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "code/loader.h"

_Static_assert(offsetof(struct plait__function, path) == 68, "part of what processes tell each other");

#define SHOWN_OF_PATH 100u                                 /* characters: the end of it, as a detail is short */

/* ---- describing ---- */

/* The folder that a module's name is relative to, with a slash.  If the program has changed it since, it is the wrong one: then the
 * file is not there, or another build. */
static size_t write_folder(const char *name, char path[PATH_MAX])
{
    path[0] = 0;
    if (name[0] == '/' || !name[0] || !getcwd(path, PATH_MAX - 1)) return 0;
    return strlen(strcat(path, "/"));
}

static int write_path(const char *name, struct plait__function *reference)
{
    size_t begin = write_folder(name, reference->path), length = strlen(name);
    if (length >= PATH_MAX - begin) return plait__fail(PLAIT_ENOFUNCTION, "the path of its module is too long: %.100s", name);
    memcpy(reference->path + begin, name, length + 1);
    reference->name = (uint32_t)begin;
    reference->path_length = (uint32_t)(begin + length);
    return (int)(offsetof(struct plait__function, path) + begin + length + 1);
}

int plait__function_describe(plait__code function, struct plait__function *reference)
{
    uintptr_t address = (uintptr_t)function;
    struct plait__module module;
    if (!address) return plait__fail(PLAIT_ENOFUNCTION, "the function is NULL");
    if (!plait__module_at(address, &module))
        return plait__fail(PLAIT_ENOFUNCTION, "no module lies at %p: what is made at run time can not travel", (void *)address);
    if (!plait__module_runs(&module, address))
        return plait__fail(PLAIT_ENOFUNCTION, "at %p is no code, but data of %s", (void *)address,
                           module.is_program ? "the program" : module.name);
    reference->address = address;
    reference->offset = address - module.bias;
    reference->is_program = module.is_program;
    int error = plait__module_build(&module, &reference->build);
    return error ? error : write_path(module.name, reference);
}

/* ---- refusing ---- */

static const char *shown(const struct plait__function *reference)
{
    if (reference->is_program) return "the program";
    return reference->path + (reference->path_length > SHOWN_OF_PATH ? reference->path_length - SHOWN_OF_PATH : 0);
}

/* A detail is there already. */
static int refuse(const struct plait__function *reference)
{
    char why[120];
    snprintf(why, sizeof why, "%s", plait_error_detail());
    return plait__fail(PLAIT_ENOFUNCTION, "%s: %s expected: %s", shown(reference), plait__build_text(&reference->build).text, why);
}

static int refuse_for(const struct plait__function *reference, const char *why)
{
    plait__fail(PLAIT_ENOFUNCTION, "%s", why);
    return refuse(reference);
}

/* ---- finding ---- */

static bool is_same_build(const struct plait__build *one, const struct plait__build *other)
{
    return memcmp(one, other, sizeof *one) == 0;
}

/* The module, or one of the same name, lies here: 0 if it is the same build. */
static int check_build(const struct plait__function *reference, const struct plait__build *build)
{
    if (is_same_build(&reference->build, build)) return 0;
    return plait__fail(PLAIT_ENOFUNCTION, "%s: %s expected, %s found", shown(reference),
                       plait__build_text(&reference->build).text, plait__build_text(build).text);
}

static int find_in(const struct plait__function *reference, const struct plait__module *module, plait__code *function)
{
    struct plait__build build;
    uintptr_t address = module->bias + (uintptr_t)reference->offset;
    int error = plait__module_build(module, &build);
    if (error) return refuse(reference);
    error = check_build(reference, &build);
    if (error) return error;
    if (!plait__module_runs(module, address)) return refuse_for(reference, "the function lies outside of its code");
    *function = (plait__code)address;
    return 0;
}

/* Where it was in the other process: so in all that were forked since its module was opened, without a question to the loader but
 * what lies there. */
static bool find_at_same_address(const struct plait__function *reference, plait__code *function)
{
    struct plait__module module;
    struct plait__build build;
    uintptr_t address = (uintptr_t)reference->address;
    if (!address || !plait__module_at(address, &module) || module.is_program != (reference->is_program != 0)) return false;
    if (!module.is_program && strcmp(module.name, reference->path + reference->name) != 0) return false;
    if (address - module.bias != (uintptr_t)reference->offset || !plait__module_runs(&module, address)) return false;
    if (plait__module_build(&module, &build) != 0 || !is_same_build(&reference->build, &build)) return false;
    *function = (plait__code)address;
    return true;
}

static int find_in_program(const struct plait__function *reference, plait__code *function)
{
    struct plait__module program;
    if (plait__module_of_program(&program)) return find_in(reference, &program, function);
    return refuse_for(reference, "the program of this process is not to be found");
}

/* What an object that is open runs, it has run: so only what is not yet has to be the right one before.  The file may be replaced
 * behind that look; then find_in refuses what was opened. */
static int find_by_path(const struct plait__function *reference, plait__code *function)
{
    const char *why;
    struct plait__module module;
    struct plait__build build;
    if (!plait__loader_opens()) return refuse_for(reference, "this program is static, and can not open modules");
    if (plait__module_is_no_file(reference->path)) return refuse_for(reference, "it is no file");
    uintptr_t inside = plait__loader_open(reference->path, true, &why);
    if (!inside) {
        if (plait__module_build_of_file(reference->path, &build) != 0) return refuse(reference);
        int error = check_build(reference, &build);
        if (error) return error;
        inside = plait__loader_open(reference->path, false, &why);
    }
    if (!inside) return refuse_for(reference, why);
    if (!plait__module_at(inside, &module)) return refuse_for(reference, "it was opened, and is not to be found");
    return find_in(reference, &module, function);
}

static bool is_sane(const struct plait__function *reference, size_t size)
{
    size_t head = offsetof(struct plait__function, path);
    return size > head && reference->path_length < size - head && reference->name <= reference->path_length &&
           reference->path[reference->path_length] == 0 && (reference->is_program || reference->path[0]) &&
           reference->build.kind != PLAIT__NO_BUILD;
}

int plait__function_find(const struct plait__function *reference, size_t size, plait__code *function)
{
    if (!is_sane(reference, size)) return plait__fail(PLAIT_ENOFUNCTION, "the reference to a function is damaged");
    if (find_at_same_address(reference, function)) return 0;
    return reference->is_program ? find_in_program(reference, function) : find_by_path(reference, function);
}
