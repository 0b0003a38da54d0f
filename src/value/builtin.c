/* Python's built-in classes that plait knows: what their calls made. */
#include "value/builtin.h"

const char *plait__called(const plait_value *value)
{
    if (!value || value->type != PLAIT_OBJECT) return NULL;
    const struct plait__object *object = value->as.object;
    const bool plain = object->made == PLAIT__BY_CALL && object->callable->type == PLAIT_GLOBAL && object->arguments;
    return plain ? object->callable->as.global.name : NULL;
}

static bool is_called(const plait_value *value, const char *name)
{
    const char *called = plait__called(value);
    return called && strcmp(called, name) == 0;
}

bool plait__is_hashable_builtin(const plait_value *object)
{
    return !is_called(object, "builtins.slice") && !is_called(object, "array._array_reconstructor") && !is_called(object, "array.array");
}
bool plait__range_hash(const plait_value *object, uint64_t *word) { (void)object; (void)word; return false; }
int plait__range_equal(const plait_value *a, const plait_value *b) { (void)a; (void)b; return -1; }
ssize_t plait__builtin_len(const plait_value *object) { (void)object; return -1; }
