/* contract_message.h - the rows of test_contract for queues. */
#ifndef PLAIT_TEST_CONTRACT_MESSAGE_H
#define PLAIT_TEST_CONTRACT_MESSAGE_H

#include "harness.h"

#include <stdlib.h>
#include <sys/socket.h>

#include <plait.h>

static struct {
    plait_queue *plain, *leased;                           /* one message in each */
} queues;

static void make_queues(void)
{
    CHECK((queues.plain = plait_queue_new(NULL)) && (queues.leased = plait_queue_new(&(plait_queue_options){ .leases = 1 })));
    CHECK(plait_queue_put(queues.plain, "hello", 5, PLAIT_NOW) == 0);
    CHECK(plait_queue_put(queues.leased, "hello", 5, PLAIT_NOW) == 0);
}

static void free_queues(void)
{
    CHECK(plait_queue_free(queues.plain) == 0 && plait_queue_free(queues.leased) == 0);
}

static char buffer[64];

static void lease_and(int (*settle)(plait_queue *queue, plait_lease lease))
{
    plait_lease lease;
    CHECK(plait_queue_lease(queues.leased, buffer, sizeof buffer, &lease, PLAIT_NOW) == 5);
    CHECK(settle(queues.leased, lease) == 0);
    if (settle == plait_queue_ack) CHECK(plait_queue_put(queues.leased, "hello", 5, PLAIT_NOW) == 0);
}

static void put_and_get(void)
{
    CHECK(plait_queue_put(queues.plain, "hello", 5, PLAIT_NOW) == 0);
    CHECK(plait_queue_get(queues.plain, buffer, sizeof buffer, PLAIT_NOW) == 5);
}

static void put_and_get_many(void)
{
    char many[10 * 5] = "";
    CHECK(plait_queue_put_many(queues.plain, many, 5, 10, PLAIT_NOW) == 10);
    CHECK(plait_queue_get_many(queues.plain, many, 5, NULL, 10, PLAIT_NOW) == 10);
    CHECK(plait_queue_get(queues.plain, buffer, sizeof buffer, PLAIT_NOW) == 5);
    CHECK(plait_queue_put(queues.plain, "hello", 5, PLAIT_NOW) == 0);
}

/* Joined in vain, and at rest. */
static void do_a_task(void)
{
    plait_queue *tasks = plait_queue_new(&(plait_queue_options){ .joinable = 1 });
    CHECK(plait_queue_put(tasks, "hello", 5, PLAIT_NOW) == 0);
    CHECK(plait_queue_get(tasks, buffer, sizeof buffer, PLAIT_NOW) == 5);
    CHECK(plait_queue_join(tasks, plait_after(0.02)) == -ETIMEDOUT);
    CHECK(plait_queue_task_done(tasks) == 0 && plait_queue_join(tasks, PLAIT_FOREVER) == 0);
    CHECK(plait_queue_free(tasks) == 0);
}

/* Put, leased, given back, and taken. */
static void use_values(void)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .leases = 1 }), *by_priority;
    plait_lease lease;
    CHECK((by_priority = plait_queue_new(&(plait_queue_options){ .order = PLAIT_PRIORITY })));
    CHECK(plait_queue_put_value(queue, plait_list(2, plait_int(42), plait_string("hello")), PLAIT_NOW) == 0);
    plait_value *value = plait_queue_lease_value(queue, &lease, PLAIT_NOW);
    CHECK(value && plait_queue_giveback(queue, lease) == 0);
    CHECK(plait_queue_put_value_priority(by_priority, 7, value, PLAIT_NOW) == 0);
    for (int i = 0; i < 2; i++) plait_value_free(plait_queue_get_value(i ? queue : by_priority, PLAIT_NOW));
    CHECK(plait_queue_free(queue) == 0 && plait_queue_free(by_priority) == 0);
}

static void use_priorities(void)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .unbounded = 1, .order = PLAIT_PRIORITY });
    for (int i = 0; i < 100; i++) CHECK(plait_queue_put_priority(queue, -i, "hello", 5, PLAIT_NOW) == 0);
    for (int i = 0; i < 100; i++) CHECK(plait_queue_get(queue, buffer, sizeof buffer, PLAIT_NOW) == 5);
    CHECK(plait_queue_free(queue) == 0);
}

static void give_and_take(void *block)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .unbounded = 1 });
    void *taken = NULL;
    CHECK(plait_queue_give(queue, block, 100, PLAIT_NOW) == 0);
    CHECK(plait_queue_take(queue, &taken, PLAIT_NOW) == 100 && taken == block);
    CHECK(plait_free(taken) == 0 && plait_queue_free(queue) == 0);
}

static void close_one(void)
{
    plait_queue *queue = plait_queue_new(NULL);
    CHECK(plait_queue_close(queue) == 0 && plait_queue_get(queue, buffer, sizeof buffer, PLAIT_FOREVER) == PLAIT_ECLOSED);
    CHECK(plait_queue_free(queue) == 0);
}

/* A message that never comes: it sleeps, first on one word, then on many. */
static void get_in_vain(void)
{
    plait_queue *queue = plait_queue_new(NULL);
    CHECK(plait_queue_get(queue, buffer, sizeof buffer, plait_after(0.02)) == -ETIMEDOUT);
    CHECK(plait_queue_free(queue) == 0);
}

/* ---- connections ---- */

static void pipe_and(void (*use)(plait_connection **ends))
{
    plait_connection *ends[2];
    CHECK(plait_pipe(1, ends) == 0);
    use(ends);
    for (int i = 0; i < 2; i++) CHECK(plait_connection_free(ends[i]) == 0);
}

static void send_and_receive(plait_connection **ends)
{
    void *data;
    CHECK(plait_connection_poll(ends[1], PLAIT_NOW) == 0);
    for (int i = 0; i < 2; i++) CHECK(plait_connection_send_bytes(ends[0], "hello", 5, PLAIT_NOW) == 0);
    CHECK(plait_connection_next_size(ends[1], PLAIT_NOW) == 5);
    CHECK(plait_connection_recv_bytes(ends[1], buffer, sizeof buffer, PLAIT_FOREVER) == 5);
    CHECK(plait_connection_recv_alloc(ends[1], &data, 5, PLAIT_FOREVER) == 5);
    free(data);
    CHECK(plait_connection_recv_bytes(ends[1], buffer, sizeof buffer, plait_after(0.001)) == -ETIMEDOUT);
}

static void send_and_receive_value(plait_connection **ends)
{
    CHECK(plait_connection_send(ends[0], plait_int(42), PLAIT_NOW) == 0);
    plait_value *value = plait_connection_recv(ends[1], PLAIT_FOREVER);
    CHECK(value);
    plait_value_free(value);
}

static void send_and_receive_fd(plait_connection **ends)
{
    CHECK(plait_connection_send_fd(ends[0], plait_connection_fileno(ends[0]), PLAIT_NOW) == 0);
    int fd = plait_connection_recv_fd(ends[1], PLAIT_FOREVER);
    CHECK(fd >= 0 && close(fd) == 0);
}

static void ask_and_close(plait_connection **ends)
{
    CHECK(plait_connection_readable(ends[0]) == 1 && plait_connection_writable(ends[0]) == 1);
    CHECK(plait_connection_closed(ends[0]) == 0 && plait_connection_close(ends[0]) == 0);
    CHECK(plait_connection_closed(ends[0]) == 1);
}

static void connection_of_a_socket(void)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    plait_connection *connection = plait_connection_from_fd(fds[0], 1, 1);
    CHECK(connection && plait_connection_free(connection) == 0 && close(fds[1]) == 0);
}

#define MESSAGE_FUNCTIONS(X)                                                                          \
    X(plait_queue_new, ANY_TIME, CHECK(plait_queue_free(plait_queue_new(NULL)) == 0))                 \
    X(plait_queue_free, ANY_TIME, CHECK(plait_queue_free(NULL) == 0))                                 \
    X(plait_queue_put, 0, put_and_get())                                                              \
    X(plait_queue_get, ANY_TIME, get_in_vain())                                                       \
    X(plait_queue_put_priority, ANY_TIME, use_priorities())                                           \
    X(plait_queue_put_many, 0, put_and_get_many())                                                    \
    X(plait_queue_get_many, 0, put_and_get_many())                                                    \
    X(plait_queue_give, ANY_TIME, give_and_take(plait_alloc(100)))                                    \
    X(plait_queue_take, ANY_TIME, give_and_take(plait_message_alloc(100)))                            \
    X(plait_queue_peek, 0, CHECK(plait_queue_peek(queues.plain, buffer, sizeof buffer, PLAIT_NOW) == 5)) \
    X(plait_queue_lease, 0, lease_and(plait_queue_ack))                                               \
    X(plait_queue_ack, 0, lease_and(plait_queue_ack))                                                 \
    X(plait_queue_giveback, 0, lease_and(plait_queue_giveback))                                       \
    X(plait_queue_next_size, 0, CHECK(plait_queue_next_size(queues.plain, PLAIT_NOW) == 5))           \
    X(plait_queue_put_value, ANY_TIME, use_values())                                                  \
    X(plait_queue_put_value_priority, ANY_TIME, use_values())                                         \
    X(plait_queue_get_value, ANY_TIME, use_values())                                                  \
    X(plait_queue_lease_value, ANY_TIME, use_values())                                                \
    X(plait_queue_task_done, ANY_TIME, do_a_task())                                                   \
    X(plait_queue_join, ANY_TIME, do_a_task())                                                        \
    X(plait_queue_empty, 0, CHECK(plait_queue_empty(queues.plain) == 0))                              \
    X(plait_queue_full, 0, CHECK(plait_queue_full(queues.plain) == 0))                                \
    X(plait_queue_qsize, 0, CHECK(plait_queue_qsize(queues.plain) == 1))                              \
    X(plait_queue_close, ANY_TIME, close_one())                                                       \
    X(plait_pipe, ANY_TIME, pipe_and(send_and_receive))                                               \
    X(plait_connection_from_fd, ANY_TIME, connection_of_a_socket())                                   \
    X(plait_connection_free, ANY_TIME, connection_of_a_socket())                                      \
    X(plait_connection_close, ANY_TIME, pipe_and(ask_and_close))                                      \
    X(plait_connection_closed, ANY_TIME, pipe_and(ask_and_close))                                     \
    X(plait_connection_readable, ANY_TIME, pipe_and(ask_and_close))                                   \
    X(plait_connection_writable, ANY_TIME, pipe_and(ask_and_close))                                   \
    X(plait_connection_send_bytes, ANY_TIME, pipe_and(send_and_receive))                              \
    X(plait_connection_recv_bytes, ANY_TIME, pipe_and(send_and_receive))                              \
    X(plait_connection_recv_alloc, ANY_TIME, pipe_and(send_and_receive))                              \
    X(plait_connection_next_size, ANY_TIME, pipe_and(send_and_receive))                               \
    X(plait_connection_poll, ANY_TIME, pipe_and(send_and_receive))                                    \
    X(plait_connection_send, ANY_TIME, pipe_and(send_and_receive_value))                              \
    X(plait_connection_recv, ANY_TIME, pipe_and(send_and_receive_value))                              \
    X(plait_connection_send_fd, ANY_TIME, pipe_and(send_and_receive_fd))                              \
    X(plait_connection_recv_fd, ANY_TIME, pipe_and(send_and_receive_fd))                              \
    X(plait_connection_fileno, ANY_TIME, pipe_and(send_and_receive_fd))

#endif
