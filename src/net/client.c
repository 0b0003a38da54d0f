/* net/client.c - Client: connect, and prove to have the key. */
#include <errno.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <plait/net.h>

#include "base/error.h"
#include "net/address.h"
#include "net/connection.h"
#include "net/handshake.h"
#include "net/socket.h"

static int connect_to(const char *text, plait_deadline deadline)
{
    struct plait__address found[PLAIT__ADDRESSES];
    const int count = plait__address_parse(text, false, found);
    return count < 0 ? count : plait__socket_connect(found, count, deadline);
}

static int authenticate(int fd, const plait_client_options *options, plait_deadline deadline)
{
    struct plait__handshake handshake;
    int error = plait__handshake_begin(&handshake, fd, PLAIT__ANSWERS_FIRST, options->authkey, options->authkey_size);
    if (!error) error = plait__handshake_finish(&handshake, deadline);
    OPENSSL_cleanse(&handshake, sizeof handshake);
    return error;
}

static int check_options(const plait_client_options *options)
{
    const int error = PLAIT__CHECK_RESERVED(options->reserved, 0);
    return error ? error : plait__auth_check_key(options->authkey, options->authkey_size);
}

plait_connection *plait_client(const char *address, const plait_client_options *options, plait_deadline deadline)
{
    static const plait_client_options defaults;
    if (!options) options = &defaults;
    int error = check_options(options);
    if (error) return plait__null(error);
    const int fd = connect_to(address, deadline);
    if (fd < 0) return plait__null(fd);
    if (options->authkey) error = authenticate(fd, options, deadline);
    if (!error) return plait__net_connection(fd);
    close(fd);
    return plait__null(error);
}
