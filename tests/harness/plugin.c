/* A shared object whose functions travel in tests; it is built several times, with different answers. */
#include <stdlib.h>

#include "plugins.h"

int plugin_data = 7;

/* Code of the object that runs when it is opened. */
static __attribute__((constructor)) void leave_a_trace(void)
{
    setenv(PLUGIN_TRACE, "opened", 1);
}

static int add_answer(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in + ANSWER;
    return 0;
}

static int add_up(void *into, const void *from, void *context)
{
    *(int *)into += *(const int *)from;
    return 0;
}

plait_task plugin_task(void)
{
    return add_answer;
}

plait_reduce plugin_reduce(void)
{
    return add_up;
}
