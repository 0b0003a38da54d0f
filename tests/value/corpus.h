/* corpus.h - real pickles (make_pickles.py), and some that were found by breaking them. */
#ifndef PLAIT_TEST_CORPUS_H
#define PLAIT_TEST_CORPUS_H

#include <stdlib.h>
#include <string.h>

#include "harness.h"

#include <plait/error.h>
#include <plait/pickle.h>

static const struct pickle {
    const char *name, *by;                                  /* what it is; the Pythons that write it so */
    int protocol;
    const char *repr;                                       /* NULL: not plain data */
    const char *hex;
} pickles[] = {
#include "pickles.inc"
};

enum { PICKLES = sizeof pickles / sizeof pickles[0] };

static inline int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The bytes that are written so, in memory that ends with them, so that a sanitizer sees who reads on; free() it. */
static inline unsigned char *from_hex(const char *hex, size_t *size)
{
    *size = strlen(hex) / 2;
    unsigned char *bytes = malloc(*size ? *size : 1);
    CHECK(bytes);
    for (size_t i = 0; i < *size; i++) bytes[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    return bytes;
}

static inline plait_value *loads_hex(const char *hex)
{
    size_t size;
    unsigned char *bytes = from_hex(hex, &size);
    plait_value *value = plait_pickle_loads(bytes, size, NULL);
    free(bytes);
    return value;
}

/* The value in another protocol and back. */
static inline plait_value *there_and_back(const plait_value *value, int protocol)
{
    size_t size;
    void *bytes = plait_pickle_dumps(value, &(plait_pickle_options){ .protocol = protocol }, &size);
    if (!bytes) return NULL;
    plait_value *back = plait_pickle_loads(bytes, size, NULL);
    free(bytes);
    return back;
}

#endif
