/* hold.h - hold a process at a named point of the library (base/fault.h), until the tester lets it go on.
 *
 *     in the process:   hold_at(PLAIT__POINT_SLEEP, 2);          at the second time that it comes there
 *     in the tester:    hold_forget() before it starts; hold_until_there(); ...; hold_let_go();
 *
 * One process is held at a time. */
#ifndef PLAIT_TEST_HOLD_H
#define PLAIT_TEST_HOLD_H

#include "base/fault.h"

void hold_forget(void);
void hold_at(enum plait__point point, int times);
void hold_until_there(void);
void hold_let_go(void);

#endif
