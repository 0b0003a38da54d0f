#include "net/auth.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/error.h"

#define CHALLENGE "#CHALLENGE#"
#define WELCOME "#WELCOME#"
#define FAILURE "#FAILURE#"
#define PREFIX "{sha256}"

enum {
    WORD = sizeof CHALLENGE - 1,
    LEGACY_CHALLENGE = 20, LEGACY_RESPONSE = 16,           /* up to Python 3.11: HMAC-MD5, and neither names it */
    RANDOM_BYTES = PLAIT__CHALLENGE_SIZE - (sizeof PREFIX - 1)
};

/* Those that Python knows. */
static const struct digest {
    const char *prefix;
    const EVP_MD *(*method)(void);
} digests[] = {
    { "", EVP_md5 },
    { "{md5}", EVP_md5 }, { PREFIX, EVP_sha256 }, { "{sha384}", EVP_sha384 }, { "{sha3_256}", EVP_sha3_256 },
    { "{sha3_384}", EVP_sha3_384 },
};
static const struct digest *const legacy = &digests[0];

/* ---- messages ---- */

static void put(struct plait__auth_message *message, const void *bytes, size_t size)
{
    memcpy(message->bytes + message->size, bytes, size);
    message->size += (uint32_t)size;
}

static void say(struct plait__auth_message *message, const char *word)
{
    message->size = 0;
    put(message, word, strlen(word));
}

static bool is_word(const void *message, size_t size, const char *word)
{
    return size == strlen(word) && memcmp(message, word, size) == 0;
}

static bool begins_with(const void *message, size_t size, const char *prefix)
{
    return size >= strlen(prefix) && memcmp(message, prefix, strlen(prefix)) == 0;
}

/* The digest that a challenge or a response begins with; NULL: none that is known. */
static const struct digest *named(const void *message, size_t size)
{
    for (size_t i = 1; i < sizeof digests / sizeof digests[0]; i++)
        if (begins_with(message, size, digests[i].prefix)) return &digests[i];
    return NULL;
}

/* ---- digests ---- */

/* The bytes of the HMAC; 0: libcrypto does not have that digest, or must not use it, and the detail says so.  Whatever it notes
 * about that stays out of the program's queue of errors. */
static unsigned digest_of(const struct plait__auth *auth, const struct digest *digest, const void *data, size_t size,
                          unsigned char result[EVP_MAX_MD_SIZE])
{
    unsigned length = 0;
    ERR_set_mark();
    if (!HMAC(digest->method(), auth->key, (int)auth->key_size, data, size, result, &length)) length = 0;
    ERR_pop_to_mark();
    if (length) return length;
    if (digest == legacy)
        plait__fail(PLAIT_EAUTH, "the other side (Python 3.11 or older) needs MD5, which libcrypto refuses here, as in FIPS mode");
    else
        plait__fail(PLAIT_EAUTH, "the other side uses %s, which libcrypto does not have here", digest->prefix);
    return 0;
}

/* ---- to deliver ---- */

static int deliver(struct plait__auth *auth)
{
    memcpy(auth->challenge, PREFIX, sizeof PREFIX - 1);
    ERR_set_mark();
    const int random = RAND_bytes(auth->challenge + sizeof PREFIX - 1, RANDOM_BYTES);
    ERR_pop_to_mark();
    if (random != 1) return plait__fail(-EIO, "libcrypto has no random numbers");
    say(&auth->out, CHALLENGE);
    put(&auth->out, auth->challenge, sizeof auth->challenge);
    auth->wants = PLAIT__WANTS_RESPONSE;
    return 0;
}

/* 0: the response is right. */
static int check(const struct plait__auth *auth, const void *response, size_t size)
{
    unsigned char expected[EVP_MAX_MD_SIZE];
    const struct digest *digest = size == LEGACY_RESPONSE ? legacy : named(response, size);
    if (!digest)
        return plait__fail(PLAIT_EAUTH, "digest received was wrong: it is none at all (%zu bytes), so the other side has probably "
                           "no authkey", size);
    const unsigned length = digest_of(auth, digest, auth->challenge, sizeof auth->challenge, expected);
    if (!length) return PLAIT_EAUTH;
    const size_t prefix = strlen(digest->prefix);
    const bool right = size == prefix + length && CRYPTO_memcmp((const char *)response + prefix, expected, length) == 0;
    OPENSSL_cleanse(expected, sizeof expected);
    return right ? 0 : plait__fail(PLAIT_EAUTH, "digest received was wrong: the other side has another authkey");
}

static int take_response(struct plait__auth *auth, const void *response, size_t size)
{
    const int error = check(auth, response, size);
    auth->wants = PLAIT__WANTS_NOTHING;
    say(&auth->out, error ? FAILURE : WELCOME);
    if (error) return error;
    if (!auth->mirror) return 1;
    auth->mirror = false;
    auth->wants = PLAIT__WANTS_CHALLENGE;
    return 0;
}

/* ---- to answer ---- */

/* The digest that a challenge asks for. */
static const struct digest *asked_for(const void *challenge, size_t size)
{
    return size == LEGACY_CHALLENGE ? legacy : size < LEGACY_CHALLENGE ? NULL : named(challenge, size);
}

static int take_challenge(struct plait__auth *auth, const void *message, size_t size)
{
    unsigned char answer[EVP_MAX_MD_SIZE];
    auth->wants = PLAIT__WANTS_NOTHING;
    if (!begins_with(message, size, CHALLENGE))
        return plait__fail(PLAIT_EAUTH, "what came is no challenge (%zu bytes), so the other side has probably no authkey", size);
    const void *challenge = (const char *)message + WORD;
    const struct digest *digest = asked_for(challenge, size - WORD);
    if (!digest)
        return plait__fail(PLAIT_EAUTH, "the challenge (%zu bytes) is too short, or names no digest that is known", size - WORD);
    const unsigned length = digest_of(auth, digest, challenge, size - WORD, answer);
    if (!length) return PLAIT_EAUTH;
    say(&auth->out, digest->prefix);
    put(&auth->out, answer, length);
    auth->wants = PLAIT__WANTS_VERDICT;
    return 0;
}

static int take_verdict(struct plait__auth *auth, const void *verdict, size_t size)
{
    auth->wants = PLAIT__WANTS_NOTHING;
    if (!is_word(verdict, size, WELCOME))
        return plait__fail(PLAIT_EAUTH, "digest sent was rejected%s", is_word(verdict, size, FAILURE)
                           ? ": the other side has another authkey" : ", or the other side is something else");
    if (!auth->mirror) return 1;
    auth->mirror = false;
    return deliver(auth);
}

/* ---- both ---- */

int plait__auth_begin(struct plait__auth *auth, enum plait__auth_role role, const void *key, size_t key_size)
{
    auth->key = key;
    auth->key_size = key_size;
    auth->mirror = role == PLAIT__DELIVERS_FIRST || role == PLAIT__ANSWERS_FIRST;
    auth->out.size = 0;
    auth->wants = PLAIT__WANTS_CHALLENGE;
    return role == PLAIT__DELIVERS || role == PLAIT__DELIVERS_FIRST ? deliver(auth) : 0;
}

int plait__auth_take(struct plait__auth *auth, const void *message, size_t size)
{
    auth->out.size = 0;
    switch (auth->wants) {
    case PLAIT__WANTS_RESPONSE: return take_response(auth, message, size);
    case PLAIT__WANTS_CHALLENGE: return take_challenge(auth, message, size);
    case PLAIT__WANTS_VERDICT: return take_verdict(auth, message, size);
    case PLAIT__WANTS_NOTHING: break;
    }
    return plait__fail(PLAIT_EAUTH, "nothing was to come");
}

const char *plait__auth_missing(const struct plait__auth *auth)
{
    static const char *const missing[] = {
        [PLAIT__WANTS_RESPONSE] = "no answer to the challenge, so the other side has probably no authkey",
        [PLAIT__WANTS_CHALLENGE] = "no challenge, so the other side has probably no authkey, or accepts nobody at present",
        [PLAIT__WANTS_VERDICT] = "no verdict on the digest that was sent",
        [PLAIT__WANTS_NOTHING] = "nothing",
    };
    return missing[auth->wants];
}

int plait__auth_check_key(const void *key, size_t size)
{
    if (!key && size) return plait__fail(-EINVAL, "the authkey is NULL, of %zu bytes", size);
    if (key && !size) return plait__fail(-EINVAL, "the authkey is empty: NULL is for none (Pythons differ about an empty one)");
    if (size <= PLAIT__AUTHKEY_LONGEST) return 0;
    return plait__fail(-EINVAL, "the authkey has %zu bytes, the limit is %u", size, PLAIT__AUTHKEY_LONGEST);
}
