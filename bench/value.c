/* Values as bytes and back: pickles beside msgpack. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>
#include <plait.h>

#define SMALL 1000000L
#define LARGE 200L
#define ENTRIES 10000

/* ---- [42, None, 'hello'], and 10,000 entries {'key0': 0, ...} ---- */

static plait_value *small(void)
{
    return plait_list(3, plait_int(42), plait_none(), plait_string("hello"));
}

static plait_value *large(void)
{
    plait_value *dict = plait_dict(0);
    for (int i = 0; i < ENTRIES; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        NEED(plait_dict_set_string(dict, key, plait_int(i)) == 0);
    }
    return dict;
}

static void pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str(packer, strlen(text));
    msgpack_pack_str_body(packer, text, strlen(text));
}

static void pack_small(msgpack_packer *packer)
{
    msgpack_pack_array(packer, 3);
    msgpack_pack_int64(packer, 42);
    msgpack_pack_nil(packer);
    pack_text(packer, "hello");
}

/* ---- plait ---- */

static double encode(plait_value *value, long n)
{
    size_t size;
    const double from = now();
    for (long i = 0; i < n; i++) {
        void *bytes = plait_pickle_dumps(value, NULL, &size);
        NEED(bytes);
        free(bytes);
    }
    const double seconds = now() - from;
    plait_value_free(value);
    return seconds / (double)n;
}

static double decode(plait_value *value, long n)
{
    size_t size;
    void *bytes = plait_pickle_dumps(value, NULL, &size);
    plait_value_free(value);
    const double from = now();
    for (long i = 0; i < n; i++) {
        plait_value *loaded = plait_pickle_loads(bytes, size, NULL);
        NEED(loaded);
        plait_value_free(loaded);
    }
    const double seconds = now() - from;
    free(bytes);
    return seconds / (double)n;
}

/* A pickle as Python writes it, which numbers every string. */
static double decode_pythons(const char *script, long n)
{
    static char bytes[1 << 20];
    char command[256];
    snprintf(command, sizeof command, "/usr/bin/python3 -c \"import pickle, sys; sys.stdout.buffer.write(pickle.dumps(%s))\"", script);
    FILE *stream = popen(command, "re");
    NEED(stream);
    const size_t size = fread(bytes, 1, sizeof bytes, stream);
    NEED(pclose(stream) == 0 && size > 0);
    const double from = now();
    for (long i = 0; i < n; i++) {
        plait_value *loaded = plait_pickle_loads(bytes, size, NULL);
        NEED(loaded);
        plait_value_free(loaded);
    }
    return (now() - from) / (double)n;
}

static double encode_small(void) { return encode(small(), SMALL) * 1e9; }
static double decode_small(void) { return decode(small(), SMALL) * 1e9; }
static double encode_large(void) { return encode(large(), LARGE) * 1e6; }
static double decode_large(void) { return decode(large(), LARGE) * 1e6; }
static double decode_pythons_small(void) { return decode_pythons("[42, None, 'hello']", SMALL) * 1e9; }
static double decode_pythons_large(void) { return decode_pythons("{'key%d' % i: i for i in range(10000)}", LARGE) * 1e6; }

/* ---- msgpack: a dict comes back as pairs in a row, without a table, and its strings lie in what was decoded ---- */

static msgpack_sbuffer packed_dict(void)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        pack_text(&packer, key);
        msgpack_pack_int64(&packer, i);
    }
    return buffer;
}

static double pack(const msgpack_object *dict, long n)
{
    const double from = now();
    for (long i = 0; i < n; i++) {
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        msgpack_sbuffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
        if (dict) msgpack_pack_object(&packer, *dict);
        else pack_small(&packer);
        NEED(buffer.size);
        msgpack_sbuffer_destroy(&buffer);
    }
    return (now() - from) / (double)n;
}

static double unpack(msgpack_sbuffer buffer, long n)
{
    const double from = now();
    for (long i = 0; i < n; i++) {
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        NEED(msgpack_unpack_next(&unpacked, buffer.data, buffer.size, NULL) == MSGPACK_UNPACK_SUCCESS);
        msgpack_unpacked_destroy(&unpacked);
    }
    const double seconds = now() - from;
    msgpack_sbuffer_destroy(&buffer);
    return seconds / (double)n;
}

static double pack_a_small_one(void) { return pack(NULL, SMALL) * 1e9; }

static double unpack_a_small_one(void)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    pack_small(&packer);
    return unpack(buffer, SMALL) * 1e9;
}

static double pack_a_dict(void)
{
    msgpack_sbuffer buffer = packed_dict();
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    NEED(msgpack_unpack_next(&unpacked, buffer.data, buffer.size, NULL) == MSGPACK_UNPACK_SUCCESS);
    const double seconds = pack(&unpacked.data, LARGE);
    msgpack_unpacked_destroy(&unpacked);
    msgpack_sbuffer_destroy(&buffer);
    return seconds * 1e6;
}

static double unpack_a_dict(void) { return unpack(packed_dict(), LARGE) * 1e6; }

static const struct bench benches[] = {
    { "value-encode-small", "plait", "ns", encode_small },
    { "value-encode-small", "msgpack", "ns", pack_a_small_one },
    { "value-decode-small", "plait", "ns", decode_small },
    { "value-decode-small", "plait-pythons", "ns", decode_pythons_small },
    { "value-decode-small", "msgpack", "ns", unpack_a_small_one },
    { "value-encode-dict", "plait", "us", encode_large },
    { "value-encode-dict", "msgpack", "us", pack_a_dict },
    { "value-decode-dict", "plait", "us", decode_large },
    { "value-decode-dict", "plait-pythons", "us", decode_pythons_large },
    { "value-decode-dict", "msgpack", "us", unpack_a_dict },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
