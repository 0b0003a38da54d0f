/* net/address.h - addresses as texts, as users write them (plait/net.h), and as the kernel wants them. */
#ifndef PLAIT_NET_ADDRESS_H
#define PLAIT_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PLAIT__ADDRESS_TEXT 128u                           /* with its 0: every text that plait__address_text makes fits */

struct plait__address {
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_un path;
        struct sockaddr_storage room;
    } is;
};

/* How many at most for one name of a host; others are left out. */
#define PLAIT__ADDRESSES 16u

/* What a text means: how many addresses, more than one if a host's name has several, IPv4 first; for a listener the empty host is
 * any interface.  May ask name servers, unless the host is a number.  -EINVAL, -ENAMETOOLONG, -EADDRNOTAVAIL (no such host),
 * -EAGAIN (the name servers do not answer), -ENOMEM; and what getaddrinfo has as errno. */
int plait__address_parse(const char *text, bool for_listener, struct plait__address found[PLAIT__ADDRESSES]);

/* Of what getaddrinfo has found: IPv4 before IPv6, and each in its order.  Python has nothing but IPv4, so that it is what has to
 * meet, though "localhost" is ::1 as well, and that first, on most machines.  How many. */
struct addrinfo;
unsigned plait__addresses_of_list(const struct addrinfo *list, struct plait__address found[PLAIT__ADDRESSES]);

/* The path's, without a test of what is there.  0, -ENAMETOOLONG. */
int plait__address_of_path(const char *path, struct plait__address *address);

/* The other way round; "" for an address without a name, as that of most who connect to a path. */
void plait__address_text(const struct plait__address *address, char text[PLAIT__ADDRESS_TEXT]);

/* Has it a name in the file system? */
bool plait__address_is_path(const struct plait__address *address);

#endif
