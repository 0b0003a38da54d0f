/* value/repr.h - how values are printed. */
#ifndef PLAIT_VALUE_REPR_H
#define PLAIT_VALUE_REPR_H

#include "value/text.h"
#include "value/walk.h"

/* What repr() gives. */
void plait__put_repr(struct plait__text *text, const plait_value *value, struct plait__work *work);

/* "first, second": the items of a list or a tuple. */
void plait__put_items(struct plait__text *text, const plait_value *list, struct plait__work *work);

/* What stands between items, and nothing before the first one.  false: the text is too long for another one. */
bool plait__go_on(struct plait__text *text, bool *is_first);

#endif
