/* Addresses: what their texts mean, and which texts are none. */
#include "harness.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include <plait.h>

#include "net/address.h"

static struct plait__address found[PLAIT__ADDRESSES];
static char text[PLAIT__ADDRESS_TEXT];

static const char *again(void)
{
    plait__address_text(&found[0], text);
    return text;
}

/* It is one address, of that family, and its text is... */
static void parse(const char *address, bool for_listener, int family, const char *same)
{
    assert_int_equal(plait__address_parse(address, for_listener, found), 1);
    assert_int_equal(found[0].is.any.sa_family, family);
    assert_string_equal(again(), same);
}

static void paths(void **state)
{
    parse("/tmp/socket", true, AF_UNIX, "/tmp/socket");
    assert_int_equal(found[0].size, offsetof(struct sockaddr_un, sun_path) + sizeof "/tmp/socket");
    assert_true(plait__address_is_path(&found[0]));
    parse("./@socket", false, AF_UNIX, "./@socket");
    parse("socket", true, AF_UNIX, "socket");
    parse("./host:80", true, AF_UNIX, "./host:80");
    parse("/tmp/[::1]:80", true, AF_UNIX, "/tmp/[::1]:80");
}

static void abstract_names(void **state)
{
    parse("@name", false, AF_UNIX, "@name");
    assert_int_equal(found[0].size, offsetof(struct sockaddr_un, sun_path) + 5);
    assert_memory_equal(found[0].is.path.sun_path, "\0name", 5);
    assert_false(plait__address_is_path(&found[0]));
    parse("@a:/b", true, AF_UNIX, "@a:/b");
    parse("@", true, AF_UNIX, "");
    assert_int_equal(found[0].size, sizeof(sa_family_t));
}

static void hosts(void **state)
{
    parse("127.0.0.1:6000", false, AF_INET, "127.0.0.1:6000");
    parse("127.0.0.1:0", true, AF_INET, "127.0.0.1:0");
    parse("127.0.0.1:65535", true, AF_INET, "127.0.0.1:65535");
    parse("127.0.0.1:00080", true, AF_INET, "127.0.0.1:80");
    parse(":6000", true, AF_INET, "0.0.0.0:6000");
    parse(":6000", false, AF_INET, "127.0.0.1:6000");
    parse("[127.0.0.1]:80", false, AF_INET, "127.0.0.1:80");
    parse("[::1]:6000", false, AF_INET6, "[::1]:6000");
    parse("[::]:0", true, AF_INET6, "[::]:0");
    parse("[fe80::1%lo]:80", false, AF_INET6, "[fe80::1%lo]:80");
    assert_int_equal(((struct sockaddr_in6 *)&found[0].is)->sin6_scope_id, 1);
    assert_true(plait__address_parse("localhost:80", false, found) >= 1);
}

static struct sockaddr_in ipv4(uint32_t address)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
}

static const struct sockaddr_in6 loopback = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

static struct addrinfo entry(const void *address, size_t size, struct addrinfo *next)
{
    return (struct addrinfo){
        .ai_family = ((const struct sockaddr *)address)->sa_family, .ai_addr = (void *)(uintptr_t)address,
        .ai_addrlen = (socklen_t)size, .ai_next = next,
    };
}

static void the_first_is(const char *expected)
{
    assert_string_equal(again(), expected);
}

/* "localhost" is ::1 first, where /etc/hosts says so, but Python would not come there. */
static void python_comes_over_ipv4(void **state)
{
    const struct sockaddr_un other = { .sun_family = AF_UNIX };
    const struct sockaddr_in first = ipv4(0x7f000001), second = ipv4(0x7f000002);
    struct addrinfo last = entry(&second, sizeof second, NULL), middle = entry(&first, sizeof first, &last);
    struct addrinfo list = entry(&loopback, sizeof loopback, &middle), strange = entry(&other, sizeof other, &list);
    assert_int_equal(plait__addresses_of_list(&strange, found), 3);
    the_first_is("127.0.0.1:0");
    found[0] = found[1];
    the_first_is("127.0.0.2:0");
    found[0] = found[2];
    the_first_is("[::1]:0");
    list.ai_next = NULL;
    assert_int_equal(plait__addresses_of_list(&list, found), 1);
    the_first_is("[::1]:0");
    strange.ai_next = NULL;
    assert_int_equal(plait__addresses_of_list(&strange, found), 0);
}

/* However many IPv6 addresses come before it. */
static void ipv4_is_among_the_many(void **state)
{
    enum { MANY = 2 * PLAIT__ADDRESSES };
    const struct sockaddr_in first = ipv4(0x7f000001);
    struct addrinfo list[MANY + 1] = { [MANY] = entry(&first, sizeof first, NULL) };
    for (unsigned i = 0; i < MANY; i++) list[i] = entry(&loopback, sizeof loopback, &list[i + 1]);
    assert_int_equal(plait__addresses_of_list(list, found), PLAIT__ADDRESSES);
    the_first_is("127.0.0.1:0");
}

static void must_fail(const char *address, bool for_listener, int error)
{
    assert_int_equal(plait__address_parse(address, for_listener, found), error);
    assert_string_not_equal(plait_error_detail(), "");
}

static void texts_that_are_none(void **state)
{
    static const char *const wrong[] = {
        "host:", "host:x", "host:80x", "host:65536", "host:-1", "host:+1", "host: 80", "host:000080", ":", "::1:80", "::1",
        "[::1]", "[::1]:", "[::1:80", "::1]:80", "[]::1:80", "[:80", "]:80", "a:b:80", "host:http",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) must_fail(wrong[i], true, -EINVAL);
    must_fail(NULL, true, -EINVAL);
    must_fail("", true, -EINVAL);
    must_fail("@", false, -EINVAL);
    must_fail("999.0.0.1.:80", true, -EADDRNOTAVAIL);
    must_fail("[fe80::1%no-such-interface]:80", true, -EADDRNOTAVAIL);
}

static void texts_that_are_too_long(void **state)
{
    char path[2000];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[107] = 0;
    parse(path, true, AF_UNIX, path);
    path[107] = 'a';
    path[108] = 0;
    must_fail(path, true, -ENAMETOOLONG);
    path[0] = '@';
    path[108] = 'a';
    path[109] = 0;
    must_fail(path, true, -ENAMETOOLONG);
    path[108] = 0;
    assert_int_equal(plait__address_parse(path, true, found), 1);
    assert_string_equal(again(), path);
    memset(path, 'a', sizeof path);
    memcpy(path + 1900, ":80", 4);
    must_fail(path, true, -EINVAL);
}

static void addresses_without_a_name(void **state)
{
    found[0] = (struct plait__address){ .size = sizeof(sa_family_t), .is.any.sa_family = AF_UNIX };
    assert_string_equal(again(), "");
    found[0] = (struct plait__address){ 0 };
    assert_string_equal(again(), "");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(paths),
    cmocka_unit_test(abstract_names),
    cmocka_unit_test(hosts),
    cmocka_unit_test(python_comes_over_ipv4),
    cmocka_unit_test(ipv4_is_among_the_many),
    cmocka_unit_test(texts_that_are_none),
    cmocka_unit_test(texts_that_are_too_long),
    cmocka_unit_test(addresses_without_a_name),
};
TEST_MAIN(tests)
