#include "base/fault.h"

#ifdef PLAIT_TESTING

#include <stdlib.h>
#include <string.h>

void (*_Atomic plait__point_hook)(enum plait__point point);
unsigned long plait__test_arena_size;
long plait__test_backup_interval;
long plait__test_short_sleep;
long plait__test_round;
long plait__test_room_within;
bool plait__test_never_spin;
unsigned plait__test_short_frames;
const char *plait__test_root;

#define NOT_READ_YET (1u << 31)
static unsigned mask = NOT_READ_YET;

unsigned plait__without_mask(void)
{
    if (mask == NOT_READ_YET) {
        static const char *const names[] = { "waitv", "pidfd", "robust", "wipe", "tmpfile", "rings" };
        const char *text = getenv("PLAIT_TEST_WITHOUT");
        mask = 0;
        for (unsigned i = 0; text && i < sizeof names / sizeof names[0]; i++)
            if (strstr(text, names[i])) mask |= 1u << i;
    }
    return mask;
}

void plait__set_without(unsigned new_mask)
{
    mask = new_mask;
}

#else

typedef int plait__nothing_here;       /* a translation unit must not be empty */

#endif
