/* symbols.h - what a shared library beside the test programs (../libplait.so) exports, and what it needs of others. */
#ifndef PLAIT_TEST_SYMBOLS_H
#define PLAIT_TEST_SYMBOLS_H

#include <stdbool.h>

enum { SYMBOLS_MAX = 1024, SYMBOL_SIZE = 64 };

/* The names of its functions and objects, without their versions.  How many there are. */
int symbols_exported(const char *library, char names[SYMBOLS_MAX][SYMBOL_SIZE]);
int symbols_needed(const char *library, char names[SYMBOLS_MAX][SYMBOL_SIZE]);

#endif
