/* shared/shared_memory.h - what a shareable list needs of named shared memory. */
#ifndef PLAIT_SHARED_SHARED_MEMORY_H
#define PLAIT_SHARED_SHARED_MEMORY_H

#include <plait/shared_memory.h>

#include "shared/segment.h"

/* As plait_shared_memory_create, with something in it from the beginning. */
plait_shared_memory *plait__shared_memory_make(const char *name, size_t size, struct plait__content content);

#endif
