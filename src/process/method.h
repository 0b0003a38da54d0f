/* process/method.h - the program that a child which begins anew runs, and the start method. */
#ifndef PLAIT_PROCESS_METHOD_H
#define PLAIT_PROCESS_METHOD_H

#include <plait/start_method.h>

/* In a child: as its parent's. */
void plait__inherit_method(int method);

/* What to execute, and what it finds as argv[0]. */
const char *plait__executable(void);
const char *plait__executable_name(void);

/* plait_init was called: 0, or PLAIT_ENOINIT with a detail. */
int plait__check_init(void);

/* argv[0] of this program, which plait_init was called with. */
void plait__note_init(const char *name);

#endif
