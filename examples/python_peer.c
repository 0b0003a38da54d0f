/* python_peer - a C program talks with stock Python's multiprocessing.connection: first Python is the client, then the server.
 *
 * usage: python_peer [PYTHON]      default: python3
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait.h>
#include <plait/net.h>

#define KEY .authkey = "an open secret", .authkey_size = 14

/* Asks C for the squares of numbers. */
static char client[] =
    "import sys\n"
    "from multiprocessing.connection import Client\n"
    "\n"
    "with Client(sys.argv[1], authkey=b'an open secret') as connection:\n"
    "    for number in b'2', b'12', b'111111':\n"
    "        connection.send_bytes(number)\n"
    "        print('Python asks', number.decode(), 'and hears', connection.recv_bytes().decode())\n";

/* Tells C powers of 2, as many as it is asked for. */
static char server[] =
    "from multiprocessing.connection import Listener\n"
    "\n"
    "with Listener(('localhost', 0), authkey=b'an open secret') as listener:\n"
    "    print('%s:%d' % listener.address, flush=True)\n"
    "    with listener.accept() as connection:\n"
    "        try:\n"
    "            while True: connection.send_bytes(b'%d' % 2 ** int(connection.recv_bytes()))\n"
    "        except EOFError: pass\n";

static int complain(const char *what, int error)
{
    fprintf(stderr, "python_peer: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int join(plait_process *python)
{
    const int error = plait_process_join(python, PLAIT_FOREVER);
    const int failed = error || plait_process_exitcode(python) != 0;
    plait_process_free(python);
    return failed;
}

/* ---- Python is the client ---- */

/* Until it closes its end. */
static int answer(plait_connection *connection)
{
    char text[32];
    ssize_t size;
    int error = 0;
    while (!error && (size = plait_connection_recv_bytes(connection, text, sizeof text - 1, PLAIT_FOREVER)) >= 0) {
        text[size] = 0;
        const long number = strtol(text, NULL, 10);
        const int length = snprintf(text, sizeof text, "%ld", number * number);
        error = plait_connection_send_bytes(connection, text, (size_t)length, PLAIT_FOREVER);
    }
    if (!error && size != PLAIT_ECLOSED) error = (int)size;
    plait_connection_free(connection);
    return error;
}

static int serve(char *python)
{
    static char option[] = "-c";
    char address[128];
    plait_listener *listener = plait_listener_new(NULL, &(plait_listener_options){ KEY });
    if (!listener) return complain("listen", errno);
    snprintf(address, sizeof address, "%s", plait_listener_address(listener));
    char *argv[] = { python, option, client, address, NULL };
    plait_process *process = plait_start_program(argv, NULL);
    if (!process) {
        plait_listener_free(listener);
        return complain(python, errno);
    }
    plait_connection *connection = plait_listener_accept(listener, plait_after(30));
    const int error = connection ? answer(connection) : -errno;
    plait_listener_free(listener);
    if (error) {
        complain("Python as the client", error);
        plait_process_kill(process);
    }
    return join(process) || error;
}

/* ---- Python is the server ---- */

static int ask(plait_connection *connection, const char *exponent)
{
    char text[1024];
    const int error = plait_connection_send_bytes(connection, exponent, strlen(exponent), PLAIT_FOREVER);
    const ssize_t size = error ? error : plait_connection_recv_bytes(connection, text, sizeof text, plait_after(30));
    if (size >= 0) printf("C asks %s and hears %.*s\n", exponent, (int)size, text);
    return size < 0 ? (int)size : 0;
}

static int ask_all(const char *address)
{
    plait_connection *connection = plait_client(address, &(plait_client_options){ KEY }, plait_after(30));
    if (!connection) return -errno;
    int error = ask(connection, "10");
    if (!error) error = ask(connection, "100");
    plait_connection_free(connection);
    return error;
}

/* Where it listens is its first line. */
static void read_line(int fd, char *line, size_t size)
{
    size_t length = 0;
    while (length + 1 < size && read(fd, line + length, 1) == 1 && line[length] != '\n') length++;
    line[length] = 0;
}

static int talk(char *python)
{
    static char option[] = "-c";
    char address[128], *argv[] = { python, option, server, NULL };
    plait_process *process = plait_start_program(argv, &(plait_process_options){ .output = PLAIT_STREAM_PIPE });
    if (!process) return complain(python, errno);
    read_line(plait_process_stream(process, STDOUT_FILENO), address, sizeof address);
    const int error = ask_all(address);
    if (error) {
        complain("Python as the server", error);
        plait_process_kill(process);
    }
    return join(process) || error;
}

int main(int argc, char **argv)
{
    char python3[] = "python3";
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    char *python = argc > 1 ? argv[1] : python3;
    const int failed = serve(python) || talk(python);
    if (fflush(stdout) != 0) return complain("standard output", -errno);
    return failed;
}
