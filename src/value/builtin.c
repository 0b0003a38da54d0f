/* Python's built-in classes that plait knows: what their calls made. */
#include "value/builtin.h"

#include <math.h>
#include <stdio.h>

#include "value/container.h"
#include "value/number.h"
#include "value/repr.h"

const char *plait__called(const plait_value *value)
{
    if (!value || value->type != PLAIT_OBJECT) return NULL;
    const struct plait__object *object = value->as.object;
    const bool plain = object->made == PLAIT__BY_CALL && object->callable->type == PLAIT_GLOBAL && object->arguments;
    return plain ? object->callable->as.global.name : NULL;
}

static bool is_called(const plait_value *value, const char *name)
{
    const char *called = plait__called(value);
    return called && strcmp(called, name) == 0;
}

const plait_value *plait__argument(const plait_value *object, uint32_t i)
{
    const plait_value *arguments = object->as.object->arguments;
    return i < arguments->as.list.size ? arguments->as.list.items[i] : NULL;
}

static uint32_t argument_count(const plait_value *object)
{
    return object->as.object->arguments->as.list.size;
}

bool plait__is_hashable_builtin(const plait_value *object)
{
    return !is_called(object, "builtins.slice") && !plait__is_array(object);
}

bool plait__is_builtin_number(const plait_value *object)
{
    return is_called(object, "builtins.range") || is_called(object, "builtins.complex");
}

ssize_t plait__builtin_len(const plait_value *object)
{
    int64_t start, stop, step;
    size_t n;
    struct plait__detail detail;
    plait__keep_detail(&detail);
    ssize_t len = -1;
    if (plait__is_array(object)) {
        if (plait_array_get(object, NULL, &n)) len = (ssize_t)n;
    } else if (plait_range_get(object, &start, &stop, &step) == 0) {
        const uint64_t distance = step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
        const uint64_t stride = step > 0 ? (uint64_t)step : -(uint64_t)step;
        const bool empty = step > 0 ? start >= stop : start <= stop;
        const uint64_t count = empty ? 0 : (distance - 1) / stride + 1;
        len = count <= INT64_MAX ? (ssize_t)count : -1;
    }
    plait__restore_detail(&detail);
    return len;
}

/* ---- ranges ---- */

plait_value *plait_range(int64_t start, int64_t stop, int64_t step)
{
    if (step) return plait_object_of_call("builtins.range", plait_tuple(3, plait_int(start), plait_int(stop), plait_int(step)));
    plait__fail(-EINVAL, "a range of step 0");
    return plait__null(EINVAL);
}

/* range(stop), range(start, stop), range(start, stop, step): Python always sends the last. */
int plait_range_get(const plait_value *range, int64_t *start, int64_t *stop, int64_t *step)
{
    if (!is_called(range, "builtins.range")) return plait__is_no(range, "range");
    const uint32_t count = argument_count(range);
    int64_t numbers[3] = { 0, 0, 1 };
    if (count < 1 || count > 3) return plait__fail(-EINVAL, "a range of %u arguments", count);
    for (uint32_t i = 0; i < count; i++) {
        const int error = plait_int_get(plait__argument(range, i), &numbers[count == 1 ? 1 : i]);
        if (error) return error;
    }
    if (!numbers[2]) return plait__fail(-EINVAL, "a range of step 0");
    if (start) *start = numbers[0];
    if (stop) *stop = numbers[1];
    if (step) *step = numbers[2];
    return 0;
}

/* How many numbers, the first one and the step; 0 for what makes no difference. */
static bool range_numbers(const plait_value *range, int64_t numbers[3])
{
    int64_t start, stop, step;
    const ssize_t len = is_called(range, "builtins.range") ? plait__builtin_len(range) : -1;
    if (len < 0) return false;
    (void)plait_range_get(range, &start, &stop, &step);
    numbers[0] = len;
    numbers[1] = len ? start : 0;
    numbers[2] = len > 1 ? step : 0;
    return true;
}

bool plait__range_hash(const plait_value *object, uint64_t *word)
{
    int64_t numbers[3];
    if (!range_numbers(object, numbers)) return false;
    *word = plait__string_hash(numbers, sizeof numbers);
    return true;
}

int plait__range_equal(const plait_value *a, const plait_value *b)
{
    int64_t of_a[3], of_b[3];
    if (!range_numbers(a, of_a) || !range_numbers(b, of_b)) return -1;
    return memcmp(of_a, of_b, sizeof of_a) == 0;
}

static void put_range(struct plait__text *text, const plait_value *range, struct plait__work *work)
{
    int64_t start, stop, step;
    if (plait_range_get(range, &start, &stop, &step) == 0) {
        plait__put_formatted(text, "range(%lld, %lld", (long long)start, (long long)stop);
        if (step != 1) plait__put_formatted(text, ", %lld", (long long)step);
    } else {
        plait__put(text, "range(");
        plait__put_items(text, range->as.object->arguments, work);
    }
    plait__put(text, ")");
}

/* ---- slices ---- */

static bool is_index(const plait_value *value)
{
    return !value || value->type == PLAIT_NONE || value->type == PLAIT_INT || value->type == PLAIT_BOOL;
}

plait_value *plait_slice(plait_value *start, plait_value *stop, plait_value *step)
{
    plait_value *arguments = plait_tuple(3, start, stop, step);
    if (!arguments) return NULL;
    plait_value **items = arguments->as.list.items;
    if (is_index(items[0]) && is_index(items[1]) && is_index(items[2])) return plait_object_of_call("builtins.slice", arguments);
    plait_value_free(arguments);
    plait__fail(-EINVAL, "a slice of other things than ints and None");
    return plait__null(EINVAL);
}

int plait_slice_get(const plait_value *slice, plait_value **start, plait_value **stop, plait_value **step)
{
    if (!is_called(slice, "builtins.slice")) return plait__is_no(slice, "slice");
    if (argument_count(slice) != 3) return plait__fail(-EINVAL, "a slice of %u arguments", argument_count(slice));
    plait_value **items = slice->as.object->arguments->as.list.items;
    if (start) *start = items[0];
    if (stop) *stop = items[1];
    if (step) *step = items[2];
    return 0;
}

/* ---- complex numbers ---- */

/* Without the ".0" of a whole one. */
static void put_short_float(struct plait__text *text, double real)
{
    char digits[40];
    struct plait__text number = plait__text_begin(digits, sizeof digits);
    plait__put_float(&number, real);
    const size_t length = number.length;
    const bool whole = length > 2 && strcmp(digits + length - 2, ".0") == 0;
    plait__put_bytes(text, digits, whole ? length - 2 : length);
}

static bool complex_get(const plait_value *object, double *real, double *imaginary)
{
    const plait_value *first = plait__argument(object, 0), *second = plait__argument(object, 1);
    return first && second && plait_float_get(first, real) == 0 && plait_float_get(second, imaginary) == 0;
}

bool plait__builtin_truth(const plait_value *object)
{
    double real, imaginary;
    struct plait__detail detail;
    if (!is_called(object, "builtins.complex")) return plait__builtin_len(object) != 0;
    plait__keep_detail(&detail);
    const bool is_zero = complex_get(object, &real, &imaginary) && real == 0 && imaginary == 0;
    plait__restore_detail(&detail);
    return !is_zero;
}

static bool put_complex(struct plait__text *text, const plait_value *object)
{
    double real, imaginary;
    if (!complex_get(object, &real, &imaginary)) return false;
    const bool alone = real == 0 && !signbit(real);
    if (!alone) {
        plait__put(text, "(");
        put_short_float(text, real);
        if (!signbit(imaginary) || isnan(imaginary)) plait__put(text, "+");
    }
    put_short_float(text, imaginary);
    plait__put(text, alone ? "j" : "j)");
    return true;
}

/* ---- exceptions ---- */

static bool ends_in(const char *name, const char *end)
{
    const size_t length = strlen(name), wanted = strlen(end);
    return length >= wanted && strcmp(name + length - wanted, end) == 0;
}

/* Those of Python itself have names by which they are known; NULL: it is none.  The name without the module. */
static const char *exception_name(const plait_value *object)
{
    static const char *const others[] = { "KeyboardInterrupt", "SystemExit", "StopIteration", "StopAsyncIteration",
                                          "GeneratorExit" };
    const char *name = plait__called(object);
    if (!name || strncmp(name, "builtins.", 9) != 0) return NULL;
    name += 9;
    bool is_one = ends_in(name, "Error") || ends_in(name, "Exception") || ends_in(name, "Warning");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) is_one |= strcmp(name, others[i]) == 0;
    return is_one ? name : NULL;
}

/* Errors with a number, a message, and perhaps a file, which is no argument in Python. */
static bool is_os_error(const plait_value *object, const char *name)
{
    static const char *const os_errors[] = {
        "OSError", "BlockingIOError", "ChildProcessError", "ConnectionError", "BrokenPipeError", "ConnectionAbortedError",
        "ConnectionRefusedError", "ConnectionResetError", "FileExistsError", "FileNotFoundError", "InterruptedError",
        "IsADirectoryError", "NotADirectoryError", "PermissionError", "ProcessLookupError", "TimeoutError",
    };
    bool is_one = false;
    for (size_t i = 0; i < sizeof os_errors / sizeof os_errors[0]; i++) is_one |= strcmp(name, os_errors[i]) == 0;
    return is_one && (argument_count(object) == 2 || argument_count(object) == 3);
}

static void put_exception(struct plait__text *text, const char *name, const plait_value *object, struct plait__work *work)
{
    plait__put(text, name);
    plait__put(text, "(");
    if (is_os_error(object, name)) {
        plait__put_repr(text, plait__argument(object, 0), work);
        plait__put(text, ", ");
        plait__put_repr(text, plait__argument(object, 1), work);
    } else {
        plait__put_items(text, object->as.object->arguments, work);
    }
    plait__put(text, ")");
}

static void put_str(struct plait__text *text, const plait_value *value, struct plait__work *work)
{
    size_t size;
    if (value->type == PLAIT_STRING) {
        const char *bytes = plait__bytes_of(value, &size);
        plait__put_bytes(text, bytes, size);
        return;
    }
    const bool goes_on = plait__deeper(work) == 0;
    if (!goes_on) plait__put(text, "...");
    else if (value->type != PLAIT_OBJECT || !plait__put_builtin_str(text, value, work)) plait__put_repr(text, value, work);
    work->depth--;
}

/* "[Errno 2] No such file or directory: 'x'" */
static void put_os_error(struct plait__text *text, const plait_value *object, struct plait__work *work)
{
    plait__put(text, "[Errno ");
    put_str(text, plait__argument(object, 0), work);
    plait__put(text, "] ");
    put_str(text, plait__argument(object, 1), work);
    if (argument_count(object) == 2) return;
    plait__put(text, ": ");
    plait__put_repr(text, plait__argument(object, 2), work);
}

bool plait__put_builtin_str(struct plait__text *text, const plait_value *object, struct plait__work *work)
{
    const char *name = exception_name(object);
    if (!name) return false;
    const uint32_t count = argument_count(object);
    if (is_os_error(object, name)) put_os_error(text, object, work);
    else if (count > 1) plait__put_repr(text, object->as.object->arguments, work);
    else if (count == 1 && strcmp(name, "KeyError") == 0) plait__put_repr(text, plait__argument(object, 0), work);
    else if (count == 1) put_str(text, plait__argument(object, 0), work);
    return true;
}

/* ---- all of them ---- */

static bool put_slice(struct plait__text *text, const plait_value *slice, struct plait__work *work)
{
    if (argument_count(slice) != 3) return false;
    plait__put(text, "slice(");
    plait__put_items(text, slice->as.object->arguments, work);
    plait__put(text, ")");
    return true;
}

bool plait__put_builtin(struct plait__text *text, const plait_value *object, struct plait__work *work)
{
    const char *name = exception_name(object);
    if (name) {
        put_exception(text, name, object, work);
        return true;
    }
    if (is_called(object, "builtins.range")) {
        put_range(text, object, work);
        return true;
    }
    if (is_called(object, "builtins.slice")) return put_slice(text, object, work);
    if (is_called(object, "builtins.complex")) return put_complex(text, object);
    return plait__is_array(object) && plait__put_array(text, object);
}
