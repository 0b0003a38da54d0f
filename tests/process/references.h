/* references.h - for tests of functions that travel: references made here or in another process. */
#ifndef PLAIT_TEST_REFERENCES_H
#define PLAIT_TEST_REFERENCES_H

#include "plugins.h"

#include "code/function.h"

struct reference {
    struct plait__function function;
    int size;
};

static inline struct reference *new_reference(void)
{
    return test_shared(sizeof(struct reference));
}

static inline void describe(plait__code code, struct reference *reference)
{
    reference->size = plait__function_describe(code, &reference->function);
    if (reference->size < 0) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(reference->size > 0);
}

/* Find it from a copy that has no byte more, so that a sanitizer sees who reads on. */
static inline int find(const struct reference *reference, plait__code *code)
{
    const size_t size = (size_t)reference->size;
    struct plait__function *copy = memcpy(malloc(size), &reference->function, size);
    *code = NULL;
    const int error = plait__function_find(copy, size, code);
    CHECK(error == 0 || error == PLAIT_ENOFUNCTION);
    CHECK((error == 0) == (*code != NULL));
    free(copy);
    return error;
}

static inline plait__code must_find(const struct reference *reference)
{
    plait__code code;
    if (find(reference, &code) != 0) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(code);
    return code;
}

static inline void must_not_find(const struct reference *reference, const char *why)
{
    plait__code code;
    CHECK(find(reference, &code) == PLAIT_ENOFUNCTION);
    if (!strstr(plait_error_detail(), why)) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(strstr(plait_error_detail(), why));
}

/* What this task makes of 10. */
static inline int run(plait__code code)
{
    const int in = 10;
    int out = 0;
    CHECK(((plait_task)code)(&in, &out, NULL) == 0);
    return out;
}

#if !TEST_IS_STATIC

struct elsewhere {
    const char *name;                   /* of the plug-in */
    struct reference *reference;
};

static inline int open_and_describe(void *argument)
{
    const struct elsewhere *elsewhere = argument;
    describe((plait__code)task_of(open_plugin(elsewhere->name)), elsewhere->reference);
    return 0;
}

/* Describe the plug-in's task in a process that ends then; this one has not opened it. */
static inline struct reference *describe_elsewhere(const char *name)
{
    struct elsewhere elsewhere = { name, new_reference() };
    host_run(open_and_describe, &elsewhere);
    return elsewhere.reference;
}

/* Here it can't lie where it lay there. */
static inline void be_in_its_place(const struct reference *reference)
{
    be_in_the_place_of((uintptr_t)reference->function.address);
}

#endif
#endif
