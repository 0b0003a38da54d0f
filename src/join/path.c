#include "join/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "family/wait.h"

/* ---- the folder ---- */

/* The folder, locked: of several who want to replace a name, each looks and replaces by itself.  -1: one of them is about to. */
static int lock_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < 100; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
        plait__wait_fds(NULL, 0, (plait_deadline){ plait__now() + PLAIT__MILLISECOND });
    }
    if (fd >= 0) close(fd);
    return -1;
}

static int lock_folder_of(const char *path)
{
    char folder[sizeof ((struct sockaddr_un *)0)->sun_path];
    const char *last = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", last ? (int)(last - path) + 1 : 1, last ? path : ".");
    return lock_folder(folder);
}

/* ---- taking a path ---- */

/* Whether who listens there, on a socket that we are connected to, has ended: forks of it may have the socket. */
static bool has_lost_its_maker(int fd)
{
    struct ucred maker;
    socklen_t size = sizeof maker;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &size) < 0) return false;
    int watched = plait__watch_maker(fd, maker.pid);
    bool has_ended = plait__maker_has_ended(watched);
    if (watched >= 0) close(watched);
    return has_ended;
}

/* Whether who listened there has ended. */
static bool is_left_behind(const struct plait__address *address)
{
    struct stat status;
    if (lstat(address->socket.sun_path, &status) < 0 || !S_ISSOCK(status.st_mode)) return false;
    int fd = plait__door_socket();
    if (fd < 0) return false;
    bool is_refused = connect(fd, (const struct sockaddr *)&address->socket, address->length) < 0;
    bool is_left = is_refused ? errno == ECONNREFUSED : has_lost_its_maker(fd);
    close(fd);
    return is_left;
}

/* Nobody is there who could listen between bind and listen: who looks then takes it for left behind.  So both are done under the
 * lock, when there is a name to be fought for. */
static int bind_and_listen(int fd, const struct plait__address *address, int backlog)
{
    if (bind(fd, (const struct sockaddr *)&address->socket, address->length) < 0) return -errno;
    return listen(fd, backlog) == 0 ? 0 : -errno;
}

static int replace(int fd, const struct plait__address *address, int backlog)
{
    if (!is_left_behind(address)) return -EADDRINUSE;
    unlink(address->socket.sun_path);
    return bind_and_listen(fd, address, backlog);
}

/* Without the lock: under a name that nobody else wants, until it listens. */
static int bind_aside(int fd, const struct plait__address *address, int backlog)
{
    struct plait__address aside = *address;
    const char *path = address->socket.sun_path;
    char *name = aside.socket.sun_path;
    int length = snprintf(name, sizeof aside.socket.sun_path, "%.100s.%d-%d", path, (int)getpid(), fd);
    if (strlen(path) > 100 || length >= (int)sizeof aside.socket.sun_path) return bind_and_listen(fd, address, backlog);
    aside.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length + 1);
    int error = bind_and_listen(fd, &aside, backlog);
    if (error == -EADDRINUSE) return error;
    if (!error && linkat(AT_FDCWD, name, AT_FDCWD, path, 0) < 0) error = errno == EEXIST ? -EADDRINUSE : -errno;
    unlink(name);
    return error;
}

int plait__take_path(int fd, const struct plait__address *address, int backlog)
{
    fchmod(fd, 0600);                                      /* of the name, too */
    if (!address->socket.sun_path[0]) return bind_and_listen(fd, address, backlog);
    int lock = lock_folder_of(address->socket.sun_path);
    if (lock < 0) return bind_aside(fd, address, backlog);
    int error = bind_and_listen(fd, address, backlog);
    if (error == -EADDRINUSE) error = replace(fd, address, backlog);
    close(lock);
    return error;
}

/* ---- removing what was left behind ---- */

int plait__pin_path(const struct plait__address *address)
{
    if (!address->socket.sun_path[0]) return -1;
    return plait__above_stdio(open(address->socket.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

void plait__remove_left_behind(const struct plait__address *address, int pin)
{
    struct stat then, now;
    int lock = pin >= 0 ? lock_folder_of(address->socket.sun_path) : -1;
    if (lock < 0) return;
    bool is_known = fstat(pin, &then) == 0 && lstat(address->socket.sun_path, &now) == 0;
    if (is_known && now.st_dev == then.st_dev && now.st_ino == then.st_ino && S_ISSOCK(now.st_mode))
        unlink(address->socket.sun_path);
    close(lock);
}
