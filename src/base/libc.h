/* base/libc.h - what C libraries do in different ways, or not at all: glibc has calls of its own, musl has not. */
#ifndef PLAIT_BASE_LIBC_H
#define PLAIT_BASE_LIBC_H

#include <stdbool.h>

/* The message and the short name of a positive errno; NULL when nobody knows the number. */
const char *plait__errno_text(int number);
const char *plait__errno_name(int number);

/* "SIGTERM"; NULL for a number that has no name. */
const char *plait__signal_name(int number);

/* Whether this is the only thread, so that nobody else holds a lock of the C library.  false: perhaps not. */
bool plait__single_threaded(void);

/* Have handler(status) run at exit, after the handlers that are registered later; it must not return.  musl does not tell a
 * handler the status: there it runs only at plait__exit, and a plain exit() goes on with the handlers registered before. */
void plait__at_exit(void (*handler)(int status));

/* exit(status), so that the handler above learns of the status. */
__attribute__((noreturn)) void plait__exit(int status);

#endif
