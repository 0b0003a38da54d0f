/* Structs of C as objects. */
#include "value/object.h"

int plait__object_state_now(const plait_value *object, plait_value **state)
{
    *state = plait_value_ref(object->as.object->state);
    return 0;
}
const char *plait_object_class(const plait_value *object)
{
    return plait_global_name(object->as.object->callable);
}
const plait_class *plait__class_find(const char *name) { (void)name; return NULL; }
