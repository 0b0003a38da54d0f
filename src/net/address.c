#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)
#define PATH_ROOM sizeof(((struct sockaddr_un *)NULL)->sun_path)

_Static_assert(PLAIT__ADDRESS_TEXT > sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1, "every path fits");
_Static_assert(PLAIT__ADDRESS_TEXT > INET6_ADDRSTRLEN + IF_NAMESIZE + sizeof "[%]:65535", "every other one, too");

/* ---- texts to addresses ---- */

/* Paths end with a 0, which has to fit, too; the kernel would do without. */
int plait__address_of_path(const char *path, struct plait__address *address)
{
    const size_t length = strlen(path);
    if (length >= PATH_ROOM)
        return plait__fail(-ENAMETOOLONG, "the path of a socket has at most %zu bytes, not %zu", PATH_ROOM - 1, length);
    *address = (struct plait__address){ .size = (socklen_t)(PATH_OFFSET + length + 1), .is.path.sun_family = AF_UNIX };
    memcpy(address->is.path.sun_path, path, length + 1);
    return 0;
}

/* The name is all that is counted; without one, the kernel gives a listener one. */
static int of_name(const char *name, bool for_listener, struct plait__address *address)
{
    const size_t length = strlen(name);
    if (!length && !for_listener) return plait__fail(-EINVAL, "an address of \"@\" alone is for listeners");
    if (length >= PATH_ROOM)
        return plait__fail(-ENAMETOOLONG, "an abstract name has at most %zu bytes, not %zu", PATH_ROOM - 1, length);
    const size_t size = length ? PATH_OFFSET + 1 + length : sizeof(sa_family_t);
    *address = (struct plait__address){ .size = (socklen_t)size, .is.path.sun_family = AF_UNIX };
    memcpy(address->is.path.sun_path + 1, name, length);
    return 0;
}

/* Decimal, 0 to 65535. */
static bool is_port(const char *text)
{
    unsigned port = 0, digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 6; digits++) port = 10 * port + (unsigned)(text[digits] - '0');
    return digits && digits < 6 && !text[digits] && port <= 65535;
}

/* "host:port", "[host]:port"; false: neither. */
static bool split(const char *text, char host[NI_MAXHOST], const char **port)
{
    const char *colon = strrchr(text, ':'), *begin = text, *end = colon;
    if (!colon || !is_port(colon + 1)) return false;
    if (*text == '[') {
        if (end[-1] != ']') return false;
        begin++;
        end--;
    } else if (memchr(text, ':', (size_t)(colon - text))) {
        return false;                                      /* an IPv6 address without its brackets */
    }
    if (end < begin || (size_t)(end - begin) >= NI_MAXHOST) return false;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = 0;
    if (strpbrk(host, "[]")) return false;
    *port = colon + 1;
    return true;
}

static int unknown_host(const char *host, int problem)
{
    const int of_system = problem == EAI_SYSTEM ? -errno : 0;
    const int error = of_system ? of_system : problem == EAI_MEMORY ? -ENOMEM : problem == EAI_AGAIN ? -EAGAIN : -EADDRNOTAVAIL;
    return plait__fail(error, "the host \"%s\": %s", host, gai_strerror(problem));
}

static unsigned of_family(const struct addrinfo *list, int family, unsigned count, struct plait__address found[PLAIT__ADDRESSES])
{
    for (; list && count < PLAIT__ADDRESSES; list = list->ai_next) {
        if (list->ai_family != family) continue;
        found[count].size = list->ai_addrlen;
        memcpy(&found[count++].is, list->ai_addr, list->ai_addrlen);
    }
    return count;
}

unsigned plait__addresses_of_list(const struct addrinfo *list, struct plait__address found[PLAIT__ADDRESSES])
{
    return of_family(list, AF_INET6, of_family(list, AF_INET, 0, found), found);
}

static int of_host(const char *host, const char *port, bool for_listener, struct plait__address found[PLAIT__ADDRESSES])
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_family = *host ? AF_UNSPEC : AF_INET,              /* an empty host is IPv4, as Python's */
        .ai_flags = AI_NUMERICSERV | (for_listener ? AI_PASSIVE : 0),
    };
    struct addrinfo *list = NULL;
    const int problem = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (problem) return unknown_host(host, problem);
    const unsigned count = plait__addresses_of_list(list, found);
    freeaddrinfo(list);
    return count ? (int)count : plait__fail(-EADDRNOTAVAIL, "the host \"%s\" has no IP address", host);
}

int plait__address_parse(const char *text, bool for_listener, struct plait__address found[PLAIT__ADDRESSES])
{
    char host[NI_MAXHOST];
    const char *port;
    int error;
    if (!text || !*text) return plait__fail(-EINVAL, "the address is %s", text ? "empty" : "NULL");
    if (*text == '@') return (error = of_name(text + 1, for_listener, found)) ? error : 1;
    if (strchr(text, '/') || !strchr(text, ':')) return (error = plait__address_of_path(text, found)) ? error : 1;
    if (!split(text, host, &port))
        return plait__fail(-EINVAL, "the address \"%s\" is none of host:port, [IPv6]:port, @name, or a path with a /", text);
    return of_host(host, port, for_listener, found);
}

/* ---- addresses to texts ---- */

static void text_of_unix(const struct plait__address *address, char text[PLAIT__ADDRESS_TEXT])
{
    const size_t size = address->size > PATH_OFFSET ? address->size - PATH_OFFSET : 0;
    const char *path = address->is.path.sun_path;
    if (!size) *text = 0;
    else if (*path) snprintf(text, PLAIT__ADDRESS_TEXT, "%.*s", (int)size, path);
    else snprintf(text, PLAIT__ADDRESS_TEXT, "@%.*s", (int)size - 1, path + 1);
}

void plait__address_text(const struct plait__address *address, char text[PLAIT__ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1], port[sizeof "65535"];
    *text = 0;
    if (address->size < sizeof address->is.any.sa_family) return;
    if (address->is.any.sa_family == AF_UNIX) {
        text_of_unix(address, text);
    } else if (getnameinfo(&address->is.any, address->size, host, sizeof host, port, sizeof port,
                           NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        const bool brackets = address->is.any.sa_family == AF_INET6;
        snprintf(text, PLAIT__ADDRESS_TEXT, "%s%s%s:%s", brackets ? "[" : "", host, brackets ? "]" : "", port);
    }
}

bool plait__address_is_path(const struct plait__address *address)
{
    return address->is.any.sa_family == AF_UNIX && address->size > PATH_OFFSET && *address->is.path.sun_path;
}
