/* value/object.h - objects, for this room only. */
#ifndef PLAIT_VALUE_OBJECT_H
#define PLAIT_VALUE_OBJECT_H

#include "value/value.h"

/* The full name of its class; NULL: only a callable without a name made it. */
const char *plait__object_class(const plait_value *object);

/* What a method of its class returns, if that is a string; NULL: there is no such class or method in this process, or it failed.
 * An object without a struct is decoded for it. */
plait_value *plait__object_text(const plait_value *object, const char *method);

#endif
