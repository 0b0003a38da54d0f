/* Random values beside the stock Pythons of the machine: what is printed, equality, hashes of numbers. */
#include "values.h"

#include <math.h>

#include "python.h"

enum { VALUES = 1000 };

static uint64_t random_state;

static uint64_t below(uint64_t limit)
{
    return test_random(&random_state) % limit;
}

/* Numbers near the limits of types, and anywhere. */
static plait_value *random_int(void)
{
    unsigned char bytes[40];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(below(4) ? below(256) : below(2) * 255);
    if (below(3) == 0) return plait_int((int64_t)below(7) - 3);
    if (below(3) == 0) return plait_int((int64_t)((UINT64_C(1) << below(64)) + below(5) - 2));
    return plait_int_from_bytes(bytes, below(sizeof bytes + 1));
}

static plait_value *random_float(void)
{
    const uint64_t bits = test_random(&random_state);
    double number;
    memcpy(&number, &bits, sizeof number);
    if (below(3) == 0) number = ldexp((double)(int64_t)below(2000) - 1000, (int)below(200) - 100);
    if (below(3) == 0) number = (double)(int64_t)below(1000) / 100;
    return plait_float(isnan(number) ? 0.1 : number);
}

/* Characters that Python escapes, and some that it does not. */
static plait_value *random_string(void)
{
    static const char *const pieces[] = { "a", "Z", "0", " ", "'", "\"", "\\", "\n", "\r", "\t", "\x01", "\x7f", "\xc2\x80",
                                          "\xc2\xa0",
                                          "\xc3\xa9", "\xc2\xad", "\xe2\x82\xac", "\xe2\x80\xa8", "\xe3\x80\x80", "\xef\xbb\xbf",
                                          "\xee\x80\x80", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xf4\x8f\xbf\xbf", "\xe4\xb8\xad" };
    char text[256] = "";
    for (uint64_t n = below(20); n > 0; n--) strcat(text, pieces[below(sizeof pieces / sizeof pieces[0])]);
    return plait_string(text);
}

static plait_value *random_bytes(bool array)
{
    unsigned char bytes[40];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(below(2) ? (char)below(256) : "'\"\\\n az"[below(7)]);
    const size_t size = below(sizeof bytes);
    return array ? plait_bytearray(bytes, size) : plait_bytes(bytes, size);
}

static plait_value *random_key(int depth);

static plait_value *random_scalar(void)
{
    switch (below(8)) {
    case 0: return plait_none();
    case 1: return plait_bool((int)below(2));
    case 2:
    case 3: return random_int();
    case 4:
    case 5: return random_float();
    case 6: return random_bytes(false);
    default: return random_string();
    }
}

static plait_value *random_builtin(void)
{
    switch (below(4)) {
    case 0: return plait_range((int64_t)below(20) - 10, (int64_t)below(20), (int64_t)below(3) + 1);
    case 1: return plait_slice(below(2) ? plait_none() : random_int(), random_int(), plait_none());
    case 2: return plait_array('h', (short[]){ -1, 5, 7 }, below(4));
    default: return random_bytes(true);
    }
}

static plait_value *random_value(int depth)
{
    plait_value *value;
    const uint64_t kind = depth > 0 ? below(8) : 7;
    if (kind > 5) return below(8) ? random_scalar() : random_builtin();
    if (kind == 0) value = plait_dict(0);
    else if (kind == 1) return plait_tuple(2, random_value(depth - 1), random_value(depth - 1));
    else if (kind == 2) return plait_tuple(1, random_value(depth - 1));
    else if (kind == 3) return below(2) ? plait_set(1, random_key(depth - 1)) : plait_frozenset(1, random_key(depth - 1));
    else value = plait_list(0);
    for (uint64_t n = below(4); n > 0; n--) {
        if (kind == 0) assert_int_equal(plait_dict_set(value, random_key(depth - 1), random_value(depth - 1)), 0);
        else assert_int_equal(plait_list_append(value, random_value(depth - 1)), 0);
    }
    return value;
}

static plait_value *random_key(int depth)
{
    if (depth <= 0 || below(3)) return random_scalar();
    if (below(2)) return plait_tuple(2, random_key(depth - 1), random_key(depth - 1));
    return plait_frozenset(1, random_key(depth - 1));
}

/* Its name is in *path; the caller removes it. */
static FILE *open_file(char path[64])
{
    snprintf(path, 64, "%s/plait-values-XXXXXX", getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 40 ? getenv("TMPDIR") : "/tmp");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    return file;
}

static void every_python_must_agree(FILE *file, const char *path, const char *script)
{
    struct python found[PYTHONS];
    const int count = pythons(found);
    assert_int_equal(fclose(file), 0);
    for (int i = 0; i < count; i++) python_must_print(&found[i], script, path, "");
    assert_int_equal(unlink(path), 0);
    if (!count) skip();
}

#define BEGIN                                                                                         \
    "import sys; from array import array; inf = float(\"inf\"); nan = float(\"nan\")\n"               \
    "for line in open(sys.argv[1], encoding=\"utf-8\", newline=\"\\n\"):\n"                           \
    "    line = line[:-1]\n"

static void what_is_printed_reads_back_and_is_printed_alike(void **state)
{
    char path[64];
    random_state = test_seed();
    FILE *file = open_file(path);
    for (int i = 0; i < VALUES; i++) {
        plait_value *value = random_value(4);
        fprintf(file, "%s\n", plait_repr(value));
        plait_value_free(value);
    }
    every_python_must_agree(file, path, BEGIN "    if repr(eval(line)) != line: print(repr(eval(line)), line)\n");
}

/* Half of the pairs are a value and a copy of it. */
static void equality_is_pythons(void **state)
{
    char path[64];
    random_state = test_seed();
    FILE *file = open_file(path);
    for (int i = 0; i < VALUES; i++) {
        plait_value *a = below(2) ? random_scalar() : random_value(3);
        plait_value *b = below(4) == 0 ? plait_value_copy(a) : below(2) ? random_scalar() : random_value(2);
        const int equal = plait_value_equal(a, b);
        assert_true(equal >= 0);
        fprintf(file, "%d %s\t", equal, plait_repr(a));
        fprintf(file, "%s\n", plait_repr(b));
        plait_value_free(a);
        plait_value_free(b);
    }
    every_python_must_agree(file, path, BEGIN "    a, b = line[2:].split(\"\\t\")\n"
                                              "    if (eval(a) == eval(b)) != int(line[0]): print(line)\n");
}

static void hashes_of_numbers_are_pythons(void **state)
{
    char path[64];
    random_state = test_seed();
    FILE *file = open_file(path);
    for (int i = 0; i < VALUES; i++) {
        uint64_t hash;
        plait_value *value = below(2) ? random_int() : random_float();
        assert_int_equal(plait_value_hash(value, &hash), 0);
        fprintf(file, "%lld %s\n", (long long)hash, plait_repr(value));
        plait_value_free(value);
    }
    every_python_must_agree(file, path, BEGIN "    h, n = line.split()\n"
                                              "    if hash(eval(n)) != int(h): print(line, hash(eval(n)))\n");
}

/* Equal among types: a float, and the int that it is. */
static void ints_and_floats_meet_as_in_python(void **state)
{
    char path[64];
    random_state = test_seed();
    FILE *file = open_file(path);
    for (int i = 0; i < VALUES; i++) {
        const double real = ldexp((double)(int64_t)(test_random(&random_state) >> 11), (int)below(900));
        char digits[400];
        snprintf(digits, sizeof digits, "%.0f", below(2) ? real : -real);
        digits[strlen(digits) - 1] = (char)('0' + below(10));
        plait_value *a = plait_int_parse(digits), *b = plait_float(strtod(digits, NULL));
        double back;
        assert_int_equal(plait_float_get(a, &back), 0);
        fprintf(file, "%d %d %s ", plait_value_equal(a, b), back == strtod(digits, NULL), digits);
        fprintf(file, "%s\n", plait_repr(b));
        plait_value_free(a);
        plait_value_free(b);
    }
    every_python_must_agree(file, path, BEGIN "    e, f, a, b = line.split()\n    a, b = int(a), float(b)\n"
                                              "    if (a == b) != int(e) or (float(a) == b) != int(f): print(line)\n");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_printed_reads_back_and_is_printed_alike),
    cmocka_unit_test(equality_is_pythons),
    cmocka_unit_test(hashes_of_numbers_are_pythons),
    cmocka_unit_test(ints_and_floats_meet_as_in_python),
};
TEST_MAIN(tests)
