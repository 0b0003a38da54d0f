/* value/container.h - what lists, dicts and sets have in common. */
#ifndef PLAIT_VALUE_CONTAINER_H
#define PLAIT_VALUE_CONTAINER_H

#include "value/value.h"

/* -EINVAL, and why: NULL, or of another type than "dict". */
int plait__is_no(const plait_value *value, const char *wanted);

/* The entry goes; its key and value are the caller's now. */
void plait__table_take(plait_value *dict, struct plait__entry *entry);

/* A container gives the value to the caller: who has the only reference took it out of the last one that held it. */
static inline void plait__let_go(plait_value *value)
{
    if (atomic_load_explicit(&value->refs, memory_order_acquire) == 1) atomic_store_explicit(&value->held, 0, memory_order_relaxed);
}

#endif
