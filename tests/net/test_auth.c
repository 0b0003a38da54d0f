/* The proof that both have the key, message by message: against vectors made with Python, and each way in which it can go wrong. */
#include "harness.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include <plait.h>

#include "net/auth.h"

#define KEY "secret", 6

static unsigned char byte_of_hex(const char *hex)
{
    unsigned value;
    CHECK(sscanf(hex, "%2x", &value) == 1);
    return (unsigned char)value;
}

/* "#CHALLENGE#" or the like, and then bytes in hex. */
static size_t message_of(unsigned char *message, const char *word, const char *hex)
{
    size_t size = strlen(word);
    memcpy(message, word, size);
    for (; *hex; hex += 2) message[size++] = byte_of_hex(hex);
    return size;
}

static void expect(const struct plait__auth *auth, const char *word, const char *hex)
{
    unsigned char expected[PLAIT__AUTH_LONGEST];
    const size_t size = message_of(expected, word, hex);
    assert_int_equal(auth->out.size, size);
    assert_memory_equal(auth->out.bytes, expected, size);
}

static int take(struct plait__auth *auth, const char *word, const char *hex)
{
    unsigned char message[PLAIT__AUTH_LONGEST];
    return plait__auth_take(auth, message, message_of(message, word, hex));
}

static void must_fail(int result, const char *detail)
{
    assert_int_equal(result, PLAIT_EAUTH);
    assert_non_null(strstr(plait_error_detail(), detail));
    assert_null(strstr(plait_error_detail(), "secret"));
}

/* ---- answers ---- */

#define COUNT_20 "000102030405060708090a0b0c0d0e0f10111213"
#define COUNT_40 COUNT_20 "1415161718191a1b1c1d1e1f2021222324252627"
#define COUNT_40_SHA256 "fc57fbe650d6124b98215e7b5d197d5807ad69982d275a9735ea2d56f1fa6989"
#define COUNT_40_MD5 "8e48d2bb349b4b72b9382999ed5b62eb"

static void answer(const char *word, const char *hex, const char *prefix, const char *digest)
{
    struct plait__auth auth;
    assert_int_equal(plait__auth_begin(&auth, PLAIT__ANSWERS, KEY), 0);
    assert_int_equal(auth.out.size, 0);
    assert_int_equal(take(&auth, word, hex), 0);
    expect(&auth, prefix, digest);
    assert_int_equal(take(&auth, "#WELCOME#", ""), 1);
    assert_int_equal(auth.out.size, 0);
}

static void answers_are_those_of_python(void **state)
{
    answer("#CHALLENGE#", COUNT_20, "", "7defa9cc46abc3583325d17ccda75190");
    answer("#CHALLENGE#{sha256}", COUNT_40, "{sha256}", COUNT_40_SHA256);
    answer("#CHALLENGE#{md5}", COUNT_40, "{md5}", "e8928e8cca3ace2d777017168dc6a0b2");
    answer("#CHALLENGE#{sha384}", COUNT_40, "{sha384}",
           "bae78a3376369f7b803a8473318a9b7062495b47434159ac84fc92ddb33c51b277c44c3edd9a5f9cb7d628f21abe2665");
    answer("#CHALLENGE#{sha3_256}", COUNT_40, "{sha3_256}", "82e8fa62f363295b6655abecf0e98e510224c559e9745af9741c357aec358f90");
    answer("#CHALLENGE#{sha3_384}", COUNT_40, "{sha3_384}",
           "bfbe71d4e622f58ebf6cbe049af4c8fe518645b482915af0940d678c37c0b46dd1a2a448f9ee5141c91bba42b46a7862");
}

/* Captured between Pythons. */
static void answers_that_python_has_given(void **state)
{
    answer("#CHALLENGE#", "207cd8bf3efbe195b8a015a1337e33d852a1f8c3", "", "59e5bb2eae65beab73a6b8e2dd2815ec");
    answer("#CHALLENGE#", "e268e6fbc92033e0fa11a32a859b7c512c82f4e6", "", "a196fdf385f0bc430645dc0ed8f2ed1c");
    answer("#CHALLENGE#{sha256}", "e1154a69968a6418766a06b881947d1aeda2cc836f997505640e7c4040dcdc7cb440ef8439a02e03", "{sha256}",
           "5bb6d29d6e6c9b226c85e18060c481b66b855a264ed235ae0d4015db20024ff4");
}

/* 20 bytes are of an old Python, whatever is in them. */
static void twenty_bytes_are_answered_with_md5(void **state)
{
    answer("#CHALLENGE#{md5}", "000102030405060708090a0b0c0d0e", "", "d423ddeba4a6da1463adff31b9fc9621");
}

static void refuse_challenge(const char *word, const char *hex, const char *detail)
{
    struct plait__auth auth;
    assert_int_equal(plait__auth_begin(&auth, PLAIT__ANSWERS, KEY), 0);
    must_fail(take(&auth, word, hex), detail);
    assert_int_equal(auth.out.size, 0);
    must_fail(take(&auth, word, hex), "nothing was to come");
}

static void challenges_that_are_none(void **state)
{
    refuse_challenge("", "", "no challenge");
    refuse_challenge("#CHALLENGE", "", "no challenge");
    refuse_challenge("#WELCOME#", "", "no challenge");
    refuse_challenge("", "80044e2e", "probably no authkey");
    refuse_challenge("#CHALLENGE#", "", "too short");
    refuse_challenge("#CHALLENGE#", "000102030405060708090a0b0c0d0e0f101112", "too short");
    refuse_challenge("#CHALLENGE#", COUNT_40, "names no digest");
    refuse_challenge("#CHALLENGE#{sha1}", COUNT_40, "names no digest");
    refuse_challenge("#CHALLENGE#{sha256", COUNT_40, "names no digest");
    refuse_challenge("#CHALLENGE#{SHA256}", COUNT_40, "names no digest");
}

static void refuse_verdict(const char *word, const char *detail)
{
    struct plait__auth auth;
    assert_int_equal(plait__auth_begin(&auth, PLAIT__ANSWERS_FIRST, KEY), 0);
    assert_int_equal(take(&auth, "#CHALLENGE#", COUNT_20), 0);
    must_fail(take(&auth, word, ""), detail);
    assert_int_equal(auth.out.size, 0);
}

static void verdicts_that_are_no_welcome(void **state)
{
    refuse_verdict("#FAILURE#", "digest sent was rejected: the other side has another authkey");
    refuse_verdict("#WELCOME#?", "digest sent was rejected, or");
    refuse_verdict("#WELCOM", "digest sent was rejected");
    refuse_verdict("", "digest sent was rejected");
}

/* ---- challenges of ours ---- */

/* With random bytes that are known. */
static void begin_with(struct plait__auth *auth, enum plait__auth_role role)
{
    assert_int_equal(plait__auth_begin(auth, role, KEY), 0);
    assert_int_equal(auth->out.size, 11 + 8 + 40);
    assert_memory_equal(auth->out.bytes, "#CHALLENGE#{sha256}", 19);
    assert_memory_equal(auth->out.bytes + 11, auth->challenge, sizeof auth->challenge);
    for (unsigned char i = 0; i < 40; i++) auth->challenge[8 + i] = i;
}

static void accept_response(const char *prefix, const char *hex)
{
    struct plait__auth auth;
    begin_with(&auth, PLAIT__DELIVERS);
    assert_int_equal(take(&auth, prefix, hex), 1);
    expect(&auth, "#WELCOME#", "");
}

static void every_digest_of_python_is_accepted(void **state)
{
    accept_response("{sha256}", COUNT_40_SHA256);
    accept_response("", COUNT_40_MD5);
    accept_response("{md5}", COUNT_40_MD5);
    accept_response("{sha384}", "98030e6b3d09dd7eb5b7cf5f0a8c32b12ddb22d4d698e98b35f0f4690116fa5bcd125f45b2d89a7fc2f902c009a6f961");
    accept_response("{sha3_256}", "4267b9809ac390ef0e6594601ec515dd8b6c2134c01fbdcd90fcc05750ec16ce");
    accept_response("{sha3_384}",
                    "8f7c0b025ef0a88432bc2c75e9272002839245e5afc9d59271c99679e10afcd3bffa25c63dae3cfdeab6bcf4de17d2ac");
}

static void refuse_response(const char *prefix, const char *hex, const char *detail)
{
    struct plait__auth auth;
    begin_with(&auth, PLAIT__DELIVERS_FIRST);
    must_fail(take(&auth, prefix, hex), detail);
    expect(&auth, "#FAILURE#", "");
    must_fail(take(&auth, prefix, hex), "nothing was to come");
}

static void responses_that_are_wrong(void **state)
{
    refuse_response("", "", "digest received was wrong");
    refuse_response("", "80044e2e", "probably no authkey");
    refuse_response("{sha256}", "", "digest received was wrong");
    refuse_response("{sha1}", COUNT_40_SHA256, "digest received was wrong");
    refuse_response("{sha256}", COUNT_40_SHA256 "00", "digest received was wrong");
    refuse_response("", COUNT_40_SHA256, "digest received was wrong");
    refuse_response("#CHALLENGE#{sha256}", COUNT_40, "digest received was wrong");
    refuse_response("{sha384}", COUNT_40_SHA256, "digest received was wrong");
}

/* Each bit of it counts, and each byte has to be there. */
static void a_digest_that_is_nearly_right(void **state)
{
    unsigned char right[PLAIT__AUTH_LONGEST], wrong[PLAIT__AUTH_LONGEST];
    const size_t size = message_of(right, "{sha256}", COUNT_40_SHA256), legacy = message_of(right + size, "", COUNT_40_MD5);
    struct plait__auth auth;
    for (size_t bit = 0; bit < 8 * (size + legacy); bit++) {
        const size_t begin = bit < 8 * size ? 0 : size;
        memcpy(wrong, right, size + legacy);
        wrong[bit / 8] ^= (unsigned char)(1u << bit % 8);
        begin_with(&auth, PLAIT__DELIVERS);
        must_fail(plait__auth_take(&auth, wrong + begin, begin ? legacy : size), "digest received was wrong");
    }
    for (size_t less = 1; less <= size; less++) {
        begin_with(&auth, PLAIT__DELIVERS);
        must_fail(plait__auth_take(&auth, right, size - less), "digest received was wrong");
    }
}

static void challenges_differ(void **state)
{
    struct plait__auth one, other;
    assert_int_equal(plait__auth_begin(&one, PLAIT__DELIVERS, KEY), 0);
    assert_int_equal(plait__auth_begin(&other, PLAIT__DELIVERS, KEY), 0);
    assert_memory_not_equal(one.challenge, other.challenge, sizeof one.challenge);
}

/* ---- both sides ---- */

/* Give each what the other one says, until neither says anything; how many messages that were. */
static int talk(struct plait__auth *one, struct plait__auth *other, int results[2])
{
    struct plait__auth *sides[] = { one, other };
    int messages = 0;
    results[0] = results[1] = 0;
    for (int turn = 0; one->out.size || other->out.size; turn ^= 1) {
        struct plait__auth_message said = sides[turn]->out;
        sides[turn]->out.size = 0;
        if (!said.size) continue;
        messages++;
        results[!turn] = plait__auth_take(sides[!turn], said.bytes, said.size);
    }
    return messages;
}

static void both_have_the_key(void **state)
{
    struct plait__auth listener, client;
    int results[2];
    assert_int_equal(plait__auth_begin(&listener, PLAIT__DELIVERS_FIRST, KEY), 0);
    assert_int_equal(plait__auth_begin(&client, PLAIT__ANSWERS_FIRST, KEY), 0);
    assert_int_equal(talk(&listener, &client, results), 6);
    assert_true(results[0] == 1 && results[1] == 1);
}

static void either_has_another_key(void **state)
{
    struct plait__auth listener, client;
    int results[2];
    assert_int_equal(plait__auth_begin(&listener, PLAIT__DELIVERS_FIRST, KEY), 0);
    assert_int_equal(plait__auth_begin(&client, PLAIT__ANSWERS_FIRST, "secret!", 7), 0);
    assert_int_equal(talk(&listener, &client, results), 3);
    assert_true(results[0] == PLAIT_EAUTH && results[1] == PLAIT_EAUTH);
}

/* Who gives a challenge back to who asked, to be told the answer, is told nothing. */
static void a_challenge_is_not_answered_before_its_own_answer(void **state)
{
    struct plait__auth listener;
    assert_int_equal(plait__auth_begin(&listener, PLAIT__DELIVERS_FIRST, KEY), 0);
    struct plait__auth_message said = listener.out;
    must_fail(plait__auth_take(&listener, said.bytes, said.size), "digest received was wrong");
    expect(&listener, "#FAILURE#", "");
}

static void keys_that_are_none(void **state)
{
    assert_int_equal(plait__auth_check_key(NULL, 0), 0);
    assert_int_equal(plait__auth_check_key("k", 1), 0);
    assert_int_equal(plait__auth_check_key(NULL, 1), -EINVAL);
    assert_int_equal(plait__auth_check_key("", 0), -EINVAL);
    assert_int_equal(plait__auth_check_key("k", (1u << 20) + 1), -EINVAL);
}

/* As in FIPS mode: the last test, for it can not be undone. */
static void without_a_digest(void **state)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    struct plait__auth auth;
    assert_int_equal(plait__auth_begin(&auth, PLAIT__ANSWERS, KEY), 0);
    assert_int_equal(EVP_default_properties_enable_fips(NULL, 1), 1);
    must_fail(take(&auth, "#CHALLENGE#", COUNT_20), "needs MD5, which libcrypto refuses");
    assert_int_equal(ERR_peek_error(), 0);
#else
    skip();
#endif
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(answers_are_those_of_python),
    cmocka_unit_test(answers_that_python_has_given),
    cmocka_unit_test(twenty_bytes_are_answered_with_md5),
    cmocka_unit_test(challenges_that_are_none),
    cmocka_unit_test(verdicts_that_are_no_welcome),
    cmocka_unit_test(every_digest_of_python_is_accepted),
    cmocka_unit_test(responses_that_are_wrong),
    cmocka_unit_test(a_digest_that_is_nearly_right),
    cmocka_unit_test(challenges_differ),
    cmocka_unit_test(both_have_the_key),
    cmocka_unit_test(either_has_another_key),
    cmocka_unit_test(a_challenge_is_not_answered_before_its_own_answer),
    cmocka_unit_test(keys_that_are_none),
    cmocka_unit_test(without_a_digest),
};
TEST_MAIN(tests)
