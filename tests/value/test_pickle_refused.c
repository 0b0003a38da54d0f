/* Pickles that are no values: each is a clear error, whatever it asks for. */
#include "corpus.h"

/* Under a sanitizer a part of it has to do. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { RUNS_SLOWLY = 1 };
#elif defined __has_feature
enum { RUNS_SLOWLY = __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) };
#else
enum { RUNS_SLOWLY = 0 };
#endif

static const struct {
    const char *pickle;
    size_t size;
    int error;
    const char *detail;
} refused[] = {
#define ROW(pickle, error, detail) { pickle, sizeof(pickle) - 1, error, detail }
    ROW("", EBADMSG, "cut off: there is no STOP, at byte 0"),
    ROW("N", EBADMSG, "cut off: there is no STOP, at byte 1"),
    ROW(".", EBADMSG, "too few values"),
    ROW("(.", EBADMSG, "too few values"),
    ROW("\x80\6N.", EBADMSG, "unsupported pickle protocol: 6"),
    ROW("\x80", EBADMSG, "cut off"),
    ROW("\xff.", EBADMSG, "no opcode 0xff, at byte 0"),
    ROW("N\0.", EBADMSG, "no opcode 0x00, at byte 1"),
    ROW("I4x\n.", EBADMSG, "no int"),
    ROW("I\n.", EBADMSG, "no int"),
    ROW("I12", EBADMSG, "a line does not end"),
    ROW("LL\n.", EBADMSG, "no int"),
    ROW("F1.5x\n.", EBADMSG, "no float"),
    ROW("F0x10\n.", EBADMSG, "no float"),
    ROW("F.\n.", EBADMSG, "no float"),
    ROW("Fe5\n.", EBADMSG, "no float"),
    ROW("S'a\n.", EBADMSG, "without quotes"),
    ROW("S'\\'\n.", EBADMSG, "backslash"),
    ROW("S'\\x4'\n.", EBADMSG, "backslash"),
    ROW("V\\u12\n.", EBADMSG, "no character"),
    ROW("V\\U00110000\n.", EBADMSG, "no character"),
    ROW("X\4\0\0\0\xc3(ab.", EBADMSG, "UTF-8"),
    ROW("X\377\377\377\377ab.", EBADMSG, "4294967295 more bytes should follow, and there are 3"),
    ROW("\x8d\0\0\0\0\0\0\0\200ab.", EBADMSG, "9223372036854775808 more bytes"),
    ROW("\x8e\377\377\377\377\377\377\377\377.", EBADMSG, "more bytes"),
    ROW("\x96\0\0\0\0\0\0\0\100.", EBADMSG, "more bytes"),
    ROW("\x95\0\0\0\0\0\0\0\200N.", EBADMSG, "more bytes"),
    ROW("\x95\3\0\0\0\0\0\0\0N.", EBADMSG, "3 more bytes"),
    ROW("T\0\0\0\200.", EBADMSG, "negative"),
    ROW("\x8b\0\0\0\200.", EBADMSG, "negative"),
    ROW("0.", EBADMSG, "too few values"),
    ROW("1.", EBADMSG, "no mark"),
    ROW("2.", EBADMSG, "too few values"),
    ROW("t.", EBADMSG, "no mark"),
    ROW("K\1\x86.", EBADMSG, "too few values"),
    ROW("K\1(\x85.", EBADMSG, "too few values"),
    ROW("(K\1d.", EBADMSG, "no value"),
    ROW("}(K\1u.", EBADMSG, "no value"),
    ROW("}]K\1s.", EBADMSG, "not hashable"),
    ROW("\x8f(]\x90.", EBADMSG, "not hashable"),
    ROW("K\1K\2a.", EBADMSG, "a int has nothing appended"),
    ROW("](K\1K\2u.", EBADMSG, "a list has no pairs"),
    ROW("](K\1\x90.", EBADMSG, "added to a list"),
    ROW("]}b.", EBADMSG, "a list is given a state"),
    ROW("h\0.", EBADMSG, "no entry 0"),
    ROW("Nq\1h\0.", EBADMSG, "no entry 0"),
    ROW("gx\n.", EBADMSG, "no index"),
    ROW("g-1\n.", EBADMSG, "no index"),
    ROW("q\0.", EBADMSG, "too few values"),
    ROW("\x94.", EBADMSG, "too few values"),
    ROW("Nr\377\377\377\377.", EBADMSG, "index 4294967295 of the memo"),
    ROW("Np4000000000\n.", EBADMSG, "index 4000000000 of the memo"),
    ROW("Np999999999999999999999\n.", EBADMSG, "no index"),
    ROW("c\n\n.", EBADMSG, "module or name is empty"),
    ROW("ca\n\xff\n.", EBADMSG, "no text"),
    ROW("X\1\0\0\0aX\2\0\0\0b\n\x93.", EBADMSG, "no text"),
    ROW("ca\n.b\n.", EBADMSG, "module or name is empty"),
    ROW("ca\nb..c\n.", EBADMSG, "module or name is empty"),
    ROW("ca\nb.\n.", EBADMSG, "module or name is empty"),
    ROW("ca\nb", EBADMSG, "a line does not end"),
    ROW("K\1K\2\x93.", EBADMSG, "requires str"),
    ROW("X\1\0\0\0aX\1\0\0\0\0\x93.", EBADMSG, "no text"),
    ROW("K\1)R.", EBADMSG, "a int is called"),
    ROW("ca\nb\n]R.", EBADMSG, "no tuple, but a list"),
    ROW("ca\nb\n)K\1\x92.", EBADMSG, "no dict, but a int"),
    ROW("(o.", EBADMSG, "without a class"),
    ROW("Pid\n.", ENOTSUP, "persistent id"),
    ROW("K\1Q.", ENOTSUP, "persistent id"),
    ROW("\x82\1.", ENOTSUP, "extension registry"),
    ROW("\x83\1\0.", ENOTSUP, "extension registry"),
    ROW("\x84\1\0\0\0.", ENOTSUP, "extension registry"),
    ROW("\x97.", ENOTSUP, "out of band"),
    ROW("\x98.", ENOTSUP, "out of band"),
    ROW("]q\0h\0a.", ENOTSUP, "a list would hold itself, at byte 5"),
    ROW("]2a.", ENOTSUP, "would hold itself"),
    ROW("}q\0K\1h\0s.", ENOTSUP, "a dict would hold itself"),
    ROW("]q\0h\0\x85" "a.", ENOTSUP, "would hold itself"),
    ROW("ca\nb\n)Rq\0}K\1h\0sb.", ENOTSUP, "would hold itself"),
    ROW("]q\0" "2q\1" "0\x85h\1\x85h\0K\1" "aa.", EBADMSG, "a tuple has nothing appended"),
    ROW("cos\nsystem\nS'true'\n\x85R0N.", ENOTSUP, "os.system is called only for what it does"),
    ROW("ca\nb\n)R(]K\1u.", EBADMSG, "not hashable"),
    ROW("ca\nb\n)R(K\1\x90.", ENOTSUP, "items are added"),
};

static void each_says_what_and_where(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        unsigned char *exact = malloc(refused[i].size + 1);        /* a sanitizer sees who reads on */
        memcpy(exact + 1, refused[i].pickle, refused[i].size);
        plait_value *value = plait_pickle_loads(exact + 1, refused[i].size, NULL);
        if (value) fail_msg("row %zu (%s) is %s", i, refused[i].detail, plait_repr(value));
        if (errno != refused[i].error || !strstr(plait_error_detail(), refused[i].detail))
            fail_msg("row %zu: '%s' and %s, not '%s'", i, plait_error_detail(), plait_strerror(errno), refused[i].detail);
        free(exact);
    }
}

/* ---- limits ---- */

static void *repeated(const char *unit, size_t times, const char *end, size_t *size)
{
    const size_t length = strlen(unit);
    char *bytes = malloc(length * times + strlen(end));
    for (size_t i = 0; i < times; i++) memcpy(bytes + i * length, unit, length);
    memcpy(bytes + length * times, end, strlen(end));
    *size = length * times + strlen(end);
    return bytes;
}

static int error_of(void *bytes, size_t size, const plait_pickle_options *options)
{
    plait_value *value = plait_pickle_loads(bytes, size, options);
    const int error = value ? 0 : errno;
    plait_value_free(value);
    return error;
}

static int error_of_nested(size_t depth, uint32_t max_depth)
{
    size_t size;
    void *bytes = repeated("\x85", depth - 1, ".", &size);
    char *whole = malloc(size + 1);
    whole[0] = ')';
    memcpy(whole + 1, bytes, size);
    const int error = error_of(whole, size + 1, &(plait_pickle_options){ .max_depth = max_depth });
    free(whole);
    free(bytes);
    return error;
}

static void depth_is_limited(void **state)
{
    assert_int_equal(error_of_nested(1000, 0), 0);
    assert_int_equal(error_of_nested(1001, 0), EOVERFLOW);
    assert_int_equal(error_of_nested(3, 3), 0);
    assert_int_equal(error_of_nested(4, 3), EOVERFLOW);
    assert_int_equal(error_of_nested(4000, UINT32_MAX), 0);
    assert_int_equal(error_of_nested(1000000, UINT32_MAX), EOVERFLOW);
}

/* A list that is fetched again is as deep as it has become. */
static void depth_cannot_be_hidden_in_the_memo(void **state)
{
    const plait_pickle_options options = { .max_depth = 4 };
    char within[] = "]q\0)\x85\x85" "ah\0\x85.", four[] = "]q\0)\x85" "ah\0\x85.", doubled[] = "]2)\x85\x85" "a.";
    assert_int_equal(error_of(within, sizeof within - 1, &options), EOVERFLOW);
    assert_int_equal(error_of(four, sizeof four - 1, &options), 0);
    assert_int_equal(error_of(doubled, sizeof doubled - 1, &options), ENOTSUP);
}

static void memory_is_limited(void **state)
{
    size_t size;
    const plait_pickle_options options = { .max_memory = 10000 };
    void *lists = repeated("]", 1000, ".", &size);
    assert_int_equal(error_of(lists, size, &options), ENOMEM);
    assert_non_null(strstr(plait_error_detail(), "max_memory"));
    assert_int_equal(error_of(lists, size, NULL), 0);
    free(lists);
    void *marks = repeated("(", 100000, ".", &size);
    assert_int_equal(error_of(marks, size, &options), ENOMEM);
    free(marks);
}

/* A few bytes that fetch a megabyte again and again, and would have it copied: _codecs.encode(text, 'latin1') */
static void copies_are_counted(void **state)
{
    enum { LENGTH = 1 << 20, TIMES = 2000 };
    static const char begin[] = "c_codecs\nencode\nq\0X\6\0\0\0latin1q\1X\0\0\20\0", each[] = "h\0h\2h\1\x86R";
    char *bytes = malloc(sizeof begin + LENGTH + 8 + TIMES * sizeof each), *at = bytes;
    at = (char *)memcpy(at, begin, sizeof begin - 1) + sizeof begin - 1;
    at = (char *)memset(at, 'a', LENGTH) + LENGTH;
    at = (char *)memcpy(at, "q\2", 2) + 2;
    for (int i = 0; i < TIMES; i++) at = (char *)memcpy(at, each, sizeof each - 1) + sizeof each - 1;
    *at++ = '.';
    assert_int_equal(error_of(bytes, (size_t)(at - bytes), &(plait_pickle_options){ .max_memory = 8 * LENGTH }), ENOMEM);
    free(bytes);
}

/* Two towers of tuples, each floor the floor below twice: equal, but to compare them takes 2^40 steps. */
static void keys_that_share_are_limited(void **state)
{
    char bytes[512], *at = bytes;
    *at++ = '(';
    for (int tower = 0; tower < 2; tower++) {
        at = (char *)memcpy(at, "K\1K\2\x86", 5) + 5;
        for (int floor = 0; floor < 40; floor++) at = (char *)memcpy(at, "2\x86", 2) + 2;
        at = (char *)memcpy(at, "K\3", 2) + 2;
    }
    at = (char *)memcpy(at, "d.", 2) + 2;
    assert_int_equal(error_of(bytes, (size_t)(at - bytes), NULL), ENOTSUP);
    assert_non_null(strstr(plait_error_detail(), "keys that hold too much"));
}

/* A large key from the memo, as the key of a pair again and again: 60,000 items, or half a megabyte, 60,000 times. */
static int error_of_key_again(const char *key, size_t length)
{
    enum { TIMES = 60000 };
    char *bytes = malloc(length + 16 + TIMES * 3), *at = bytes;
    at = (char *)memcpy(at, key, length) + length;
    at = (char *)memcpy(at, "q\0}(", 4) + 4;
    for (int i = 0; i < TIMES; i++) at = (char *)memcpy(at, "h\0N", 3) + 3;
    at = (char *)memcpy(at, "u.", 2) + 2;
    const int error = error_of(bytes, (size_t)(at - bytes), NULL);
    free(bytes);
    return error;
}

static void large_keys_again_and_again_are_limited(void **state)
{
    size_t size;
    char *items = repeated("N", 60000, "t", &size), *tuple = malloc(size + 1);
    tuple[0] = '(';
    memcpy(tuple + 1, items, size);
    assert_int_equal(error_of_key_again(tuple, size + 1), ENOTSUP);
    assert_non_null(strstr(plait_error_detail(), "keys that hold too much"));
    char *text = calloc(1, 5 + (1 << 19));
    memcpy(text, "X\0\0\10\0", 5);
    for (int type = 0; type < 3; type++) {                 /* str, bytes, int */
        text[0] = "XB\x8b"[type];
        text[5 + (1 << 19) - 1] = 'a';
        assert_int_equal(error_of_key_again(text, 5 + (1 << 19)), ENOTSUP);
    }
    memcpy(text, "X\0\4\0\0", 5);                         /* 1,000 bytes: nothing out of the common */
    assert_int_equal(error_of_key_again(text, 5 + 1024), 0);
    free(text);
    free(tuple);
    free(items);
}

/* ---- every prefix, and every byte changed ---- */

static void each_prefix_is_an_error_or_a_value(void **state)
{
    for (int i = 0; i < PICKLES; i++) {
        size_t size;
        unsigned char *bytes = from_hex(pickles[i].hex, &size);
        for (size_t cut = 0; cut < size; cut += 1 + cut / 200) {       /* few of those that end in one of thousands of items */
            unsigned char *prefix = malloc(cut + 1);
            memcpy(prefix + 1, bytes, cut);
            if (error_of(prefix + 1, cut, NULL) == 0) fail_msg("%s ends at byte %zu", pickles[i].name, cut);
            free(prefix);
        }
        free(bytes);
    }
}

/* It is a value that can be written and read again, or an error that says something. */
static void check_changed(unsigned char *bytes, size_t size)
{
    plait_value *value = plait_pickle_loads(bytes, size, NULL);
    if (!value) {
        if (errno != EBADMSG && errno != ENOTSUP && errno != EOVERFLOW && errno != ENOMEM) fail_msg("errno %d", errno);
        assert_true(*plait_error_detail());
        return;
    }
    plait_value *back = there_and_back(value, 2 + bytes[0] % 4);
    if (!back) fail_msg("%s: %s", plait_repr(value), plait_error_detail());
    plait_value_free(back);
    plait_value_free(value);
}

/* Of the short ones all; of the others some, other ones in each run. */
static void each_changed_byte_is_an_error_or_a_value(void **state)
{
    uint64_t random = test_seed();
    for (int i = 0; i < PICKLES; i++) {
        size_t size;
        unsigned char *bytes = from_hex(pickles[i].hex, &size);
        for (size_t at = 0; at < size; at++)
            for (unsigned change = 1; change < 256; change++) {
                if ((size > 24 || RUNS_SLOWLY) && test_random(&random) % 128) continue;
                bytes[at] = (unsigned char)(bytes[at] ^ change);
                check_changed(bytes, size);
                bytes[at] = (unsigned char)(bytes[at] ^ change);
            }
        free(bytes);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_says_what_and_where),
    cmocka_unit_test(depth_is_limited),
    cmocka_unit_test(depth_cannot_be_hidden_in_the_memo),
    cmocka_unit_test(memory_is_limited),
    cmocka_unit_test(copies_are_counted),
    cmocka_unit_test(keys_that_share_are_limited),
    cmocka_unit_test(large_keys_again_and_again_are_limited),
    cmocka_unit_test(each_prefix_is_an_error_or_a_value),
    cmocka_unit_test(each_changed_byte_is_an_error_or_a_value),
};
TEST_MAIN(tests)
