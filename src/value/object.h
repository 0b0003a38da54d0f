/* value/object.h - objects, for this room only. */
#ifndef PLAIT_VALUE_OBJECT_H
#define PLAIT_VALUE_OBJECT_H

#include "value/value.h"

#endif
