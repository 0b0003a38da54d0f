/* value/pickle.h - pickles, for those who write them into a buffer of their own. */
#ifndef PLAIT_VALUE_PICKLE_H
#define PLAIT_VALUE_PICKLE_H

#include <plait/pickle.h>

#include "value/buffer.h"

/* Append the value's pickle; protocol: 2 to 5, or 0 for the default.  0; or a negative error of plait_pickle_dumps, and the buffer
 * has what it had.  A thread may keep one buffer for all that it writes: set its size to 0, not its room. */
int plait__pickle_into(struct plait__buffer *buffer, const plait_value *value, int protocol);

/* 0, or -EINVAL for a protocol that nobody writes. */
int plait__pickle_check_protocol(int protocol);

#endif
