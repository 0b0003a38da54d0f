/* base/error.h - returning an error and saying more about it. */
#ifndef PLAIT_BASE_ERROR_H
#define PLAIT_BASE_ERROR_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <plait/error.h>

/* Set this thread's detail to the formatted text and return `error`, so that a function can end in it. */
PLAIT__API int plait__fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Append to the detail what this layer knows, after a colon. */
void plait__add_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The detail, as it is, for a while: a call that succeeds leaves it alone, even if something in it did not. */
#define PLAIT__DETAIL_SIZE 640
struct plait__detail {
    char text[PLAIT__DETAIL_SIZE];
};
void plait__keep_detail(struct plait__detail *kept);
void plait__restore_detail(const struct plait__detail *kept);

/* The fields of an option struct that are kept for later, and another one, have to be zero.  0, -EINVAL. */
PLAIT__API int plait__check_reserved(const uint64_t *fields, size_t count, int other);
#define PLAIT__CHECK_RESERVED(fields, other) plait__check_reserved(fields, sizeof (fields) / sizeof (fields)[0], other)

/* At no address for an object: NULL, or not aligned.  -EINVAL.  what: "lock". */
int plait__misplaced(const char *what, const void *at, unsigned alignment);

/* For constructors: errno = the positive code, return NULL. */
PLAIT__API void *plait__null(int error);

#endif
