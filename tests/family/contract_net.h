/* contract_net.h - the rows of test_contract for listeners and clients, where there is libplait-net. */
#ifndef PLAIT_TEST_CONTRACT_NET_H
#define PLAIT_TEST_CONTRACT_NET_H

#include "harness.h"

#include <plait.h>

#if TEST_HAS_NET
#include <plait/net.h>

static plait_listener *some_listener(const void *key)
{
    plait_listener *listener = plait_listener_new("@", &(plait_listener_options){ .authkey = key, .authkey_size = key ? 6 : 0 });
    CHECK(listener && plait_listener_fileno(listener) >= 0 && *plait_listener_address(listener) == '@');
    return listener;
}

static void accept_in_vain(void)
{
    plait_listener *listener = some_listener("secret");
    CHECK(!plait_listener_accept(listener, PLAIT_NOW) && errno == ETIMEDOUT);
    CHECK(plait_listener_close(listener) == 0 && plait_listener_free(listener) == 0);
}

static void connect_and_accept(void)
{
    char text[8];
    plait_listener *listener = some_listener(NULL);
    plait_connection *client = plait_client(plait_listener_address(listener), NULL, PLAIT_FOREVER);
    plait_connection *connection = plait_listener_accept(listener, PLAIT_NOW);
    CHECK(client && connection && plait_listener_last_accepted(listener, text, sizeof text) == 0);
    CHECK(plait_connection_free(client) == 0 && plait_connection_free(connection) == 0 && plait_listener_free(listener) == 0);
}

static void listen_at_a_path(void)
{
    plait_listener *listener = plait_listener_new(NULL, NULL);
    CHECK(listener && plait_listener_free(listener) == 0);
}

static void challenge_in_vain(void)
{
    plait_connection *ends[2];
    CHECK(plait_pipe(1, ends) == 0);
    CHECK(plait_deliver_challenge(ends[0], "secret", 6, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(plait_answer_challenge(ends[1], "secret", 6, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(plait_connection_free(ends[0]) == 0 && plait_connection_free(ends[1]) == 0);
}

#define NET_FUNCTIONS(X)                                                                              \
    X(plait_listener_new, ANY_TIME, listen_at_a_path())                                               \
    X(plait_listener_free, ANY_TIME, CHECK(plait_listener_free(NULL) == 0))                           \
    X(plait_listener_accept, ANY_TIME, accept_in_vain())                                              \
    X(plait_listener_address, ANY_TIME, CHECK(plait_listener_free(some_listener(NULL)) == 0))         \
    X(plait_listener_last_accepted, ANY_TIME, connect_and_accept())                                   \
    X(plait_listener_fileno, ANY_TIME, CHECK(plait_listener_free(some_listener("secret")) == 0))      \
    X(plait_listener_close, ANY_TIME, accept_in_vain())                                               \
    X(plait_client, ANY_TIME, connect_and_accept())                                                   \
    X(plait_deliver_challenge, ANY_TIME, challenge_in_vain())                                         \
    X(plait_answer_challenge, ANY_TIME, challenge_in_vain())
#else
#define NET_FUNCTIONS(X)
#endif

#endif
