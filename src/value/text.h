/* value/text.h - values as Python prints them. */
#ifndef PLAIT_VALUE_TEXT_H
#define PLAIT_VALUE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text that is cut where its room ends, and counted to its end, as snprintf does. */
struct plait__text {
    char *at;
    size_t room, length;
};

/* A text without anything in it; with a 0 as soon as there is room for that. */
struct plait__text plait__text_begin(char *at, size_t room);

void plait__put(struct plait__text *text, const char *what);
void plait__put_bytes(struct plait__text *text, const char *what, size_t size);
void plait__put_formatted(struct plait__text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* 0.1, 1e+16, inf: the shortest that reads back as the same double. */
void plait__put_float(struct plait__text *text, double value);

/* b'...' and bytearray(b'...') */
void plait__put_bytes_repr(struct plait__text *text, const void *bytes, size_t size);
void plait__put_bytearray_repr(struct plait__text *text, const void *bytes, size_t size);

bool plait__is_utf8(const char *string, size_t size);

/* UTF-8, or surrogates that are encoded as if they were characters: what a string of Python can be. */
bool plait__is_text(const char *string, size_t size);

/* So many bytes at the beginning are ASCII, but for up to 7. */
size_t plait__ascii_prefix(const char *string, size_t size);

/* '...' of UTF-8, and of code points.  Bytes that are no UTF-8 are written as \x... */
void plait__put_str_repr(struct plait__text *text, const char *string, size_t size);
void plait__put_points_repr(struct plait__text *text, const uint32_t *points, size_t count);

#endif
