#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plait/version.h>

#include "base/libc.h"

static _Thread_local char detail[PLAIT__DETAIL_SIZE];

static const struct {
    int value;
    const char *name, *message;
} own_errors[] = {
#define ROW(name, value, message) { value, "PLAIT_" #name, message },
    PLAIT_ERRORS(ROW)
#undef ROW
    { -PLAIT_OWNER_DIED, "PLAIT_OWNER_DIED", "the lock is yours, but its last holder was killed while it held it" },
};

/* The index of one of plait's own codes, given with either sign, or -1. */
static int own_index(int error)
{
    int value = error > 0 ? -error : error;
    for (size_t i = 0; i < sizeof own_errors / sizeof own_errors[0]; i++)
        if (own_errors[i].value == value) return (int)i;
    return -1;
}

const char *plait_strerror(int error)
{
    int own = own_index(error);
    if (own >= 0) return own_errors[own].message;
    int number = error < 0 && error != -2147483647 - 1 ? -error : error;
    const char *text = plait__errno_text(number);
    if (text) return text;
    static _Thread_local char unknown[32];
    snprintf(unknown, sizeof unknown, "unknown error %d", error);
    return unknown;
}

const char *plait_strerrorname(int error)
{
    int own = own_index(error);
    if (own >= 0) return own_errors[own].name;
    return error == -2147483647 - 1 ? NULL : plait__errno_name(abs(error));
}

const char *plait_error_detail(void)
{
    return detail;
}

int plait__fail(int error, const char *format, ...)
{
    int saved = errno;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    errno = saved;
    return error;
}

void plait__add_detail(const char *format, ...)
{
    int saved = errno;
    size_t length = strlen(detail);
    if (length && length + 3 < sizeof detail) {
        memcpy(detail + length, ": ", 3);
        length += 2;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail + length, sizeof detail - length, format, arguments);
    va_end(arguments);
    errno = saved;
}

void plait__keep_detail(struct plait__detail *kept)
{
    memcpy(kept->text, detail, sizeof detail);
}

void plait__restore_detail(const struct plait__detail *kept)
{
    memcpy(detail, kept->text, sizeof detail);
}

int plait__check_reserved(const uint64_t *fields, size_t count, int other)
{
    uint64_t all = other != 0;
    for (size_t i = 0; i < count; i++) all |= fields[i];
    return all ? plait__fail(-EINVAL, "a reserved field is not zero") : 0;
}

int plait__misplaced(const char *what, const void *at, unsigned alignment)
{
    if (!at) return plait__fail(-EINVAL, "the %s is NULL", what);
    return plait__fail(-EINVAL, "the %s at %p is not aligned to %u bytes", what, at, alignment);
}

void *plait__null(int error)
{
    errno = error < 0 ? -error : error;
    return NULL;
}

int plait_version(void)
{
    return PLAIT_VERSION;
}
