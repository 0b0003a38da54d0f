/* value/pickle_names.h - what Python 2 called modules, and what is in them. */
#ifndef PLAIT_VALUE_PICKLE_NAMES_H
#define PLAIT_VALUE_PICKLE_NAMES_H

#include <stddef.h>

struct plait__pickle_name {
    const char *module, *name;
    size_t module_size, name_size;
};

/* Protocols below 3 have the names of Python 2: from them, and to them.  Other names stay. */
void plait__pickle_name_from_2(struct plait__pickle_name *name);
void plait__pickle_name_to_2(struct plait__pickle_name *name);

#endif
