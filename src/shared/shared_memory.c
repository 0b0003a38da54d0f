/* shared/shared_memory.c - the face of named shared memory: a handle in private memory, as a mapping is a process's own. */
#include <plait/shared_memory.h>

#include <stdlib.h>

#include "base/error.h"
#include "shared/shared_memory.h"

struct plait_shared_memory {
    struct plait__segment segment;
};

static int no_memory(void)
{
    return plait__fail(-EINVAL, "the shared memory is NULL");
}

static plait_shared_memory *new_handle(void)
{
    plait_shared_memory *memory = calloc(1, sizeof *memory);
    if (!memory) plait__null(plait__fail(-ENOMEM, "no private memory for a handle"));
    return memory;
}

/* The handle, unless it is not to be. */
static plait_shared_memory *handle_or(plait_shared_memory *memory, int error)
{
    if (!error) return memory;
    free(memory);
    return plait__null(error);
}

plait_shared_memory *plait__shared_memory_make(const char *name, size_t size, struct plait__content content)
{
    plait_shared_memory *memory = new_handle();
    return memory ? handle_or(memory, plait__segment_make(&memory->segment, name, size, content)) : NULL;
}

plait_shared_memory *plait_shared_memory_create(const char *name, size_t size)
{
    return plait__shared_memory_make(name, size, (struct plait__content){ .fill = NULL });
}

plait_shared_memory *plait_shared_memory_attach(const char *name)
{
    plait_shared_memory *memory = new_handle();
    return memory ? handle_or(memory, plait__segment_attach(&memory->segment, name)) : NULL;
}

int plait_shared_memory_close(plait_shared_memory *memory)
{
    if (!memory) return no_memory();
    plait__segment_unmap(&memory->segment);
    return 0;
}

int plait_shared_memory_free(plait_shared_memory *memory)
{
    if (!memory) return 0;
    plait__segment_unmap(&memory->segment);
    free(memory);
    return 0;
}

int plait_shared_memory_unlink(plait_shared_memory *memory)
{
    return memory ? plait__segment_unlink(&memory->segment) : no_memory();
}

void *plait_shared_memory_data(const plait_shared_memory *memory)
{
    if (!memory) return plait__null(no_memory());
    return memory->segment.data ? memory->segment.data : plait__null(plait__fail(PLAIT_ECLOSED, "it was closed"));
}

size_t plait_shared_memory_size(const plait_shared_memory *memory)
{
    return memory ? memory->segment.size : 0;
}

const char *plait_shared_memory_name(const plait_shared_memory *memory)
{
    return memory ? memory->segment.name : plait__null(no_memory());
}
