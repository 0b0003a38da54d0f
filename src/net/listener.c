#include "net/listener_internal.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/error.h"
#include "net/socket.h"

enum { BACKLOG = 128 };
static const double handshake_seconds = 10;

/* ---- the lock ---- */

static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

void plait__listener_lock(void)
{
    pthread_mutex_lock(&changing);
}

void plait__listener_unlock(void)
{
    pthread_mutex_unlock(&changing);
}

static __attribute__((constructor)) void register_for_forks(void)
{
    (void)pthread_atfork(plait__listener_lock, plait__listener_unlock, plait__listener_unlock);
}

/* ---- from new to free ---- */

/* $TMPDIR, from the root: others find it, and it is removed, wherever they and this process have gone.  NULL: errno. */
static const char *temporary_folder(char room[PATH_MAX])
{
    const char *folder = getenv("TMPDIR");
    const size_t longest = sizeof ((struct sockaddr_un *)NULL)->sun_path - sizeof "/pymp-XXXXXX/listener";
    if (!folder || !*folder) return "/tmp";
    if (*folder != '/' && !(folder = realpath(folder, room))) return NULL;
    return strlen(folder) <= longest ? folder : "/tmp";
}

/* A new path, as Python's arbitrary_address('AF_UNIX'): in a folder of its own. */
static int choose_path(struct plait_listener *listener, struct plait__address *address)
{
    char path[PLAIT__ADDRESS_TEXT], room[PATH_MAX];
    const char *temporary = temporary_folder(room);
    if (!temporary) return plait__fail(-errno, "$TMPDIR, %s: %s", getenv("TMPDIR"), plait_strerror(errno));
    const int length = snprintf(path, sizeof path, "%s/pymp-XXXXXX", temporary);
    if (!mkdtemp(path)) return plait__fail(-errno, "a folder %s: %s", path, plait_strerror(errno));
    listener->folder = strdup(path);
    if (!listener->folder) {
        rmdir(path);
        return plait__fail(-ENOMEM, "no memory for a listener");
    }
    snprintf(path + length, sizeof path - (size_t)length, "/listener");
    return plait__address_of_path(path, address);
}

static int check_options(const plait_listener_options *options)
{
    const int error = PLAIT__CHECK_RESERVED(options->reserved, 0);
    if (error) return error;
    if (options->backlog < 0) return plait__fail(-EINVAL, "a backlog of %d", options->backlog);
    if (!(options->handshake_timeout >= 0)) return plait__fail(-EINVAL, "a handshake_timeout of %g s", options->handshake_timeout);
    if (options->permissions & ~0777u) return plait__fail(-EINVAL, "permissions of 0%o", options->permissions);
    return plait__auth_check_key(options->authkey, options->authkey_size);
}

static int copy_key(struct plait_listener *listener, const plait_listener_options *options)
{
    if (!options->authkey) return 0;
    listener->key = malloc(options->authkey_size);
    if (!listener->key) return plait__fail(-ENOMEM, "no memory for the authkey");
    memcpy(listener->key, options->authkey, options->authkey_size);
    listener->key_size = options->authkey_size;
    return 0;
}

/* What is to be removed in the end, wherever the process has gone by then. */
static int note_path(struct plait_listener *listener, const char *path)
{
    struct stat status;
    listener->path = realpath(path, NULL);
    if (!listener->path || lstat(listener->path, &status) < 0) {
        const int error = -errno;
        unlink(path);
        return plait__fail(error, "%s: %s", path, plait_strerror(error));
    }
    listener->file = (struct plait__file){ status.st_dev, status.st_ino };
    return 0;
}

/* At the first of the addresses of that name: an IPv4 one, if it has any. */
static int find_address(struct plait_listener *listener, const char *text, struct plait__address *address)
{
    struct plait__address found[PLAIT__ADDRESSES];
    if (!text) return choose_path(listener, address);
    const int count = plait__address_parse(text, true, found);
    if (count < 0) return count;
    *address = found[0];
    return 0;
}

static int open_listener(struct plait_listener *listener, const char *text, const plait_listener_options *options)
{
    struct plait__address address;
    int error = find_address(listener, text, &address);
    if (error) return error;
    if (options->permissions && !plait__address_is_path(&address)) return plait__fail(-EINVAL, "only paths have permissions");
    listener->fd = plait__socket_listen(&address, options->backlog ? options->backlog : BACKLOG, options->permissions);
    if (listener->fd < 0) return listener->fd;
    plait__address_text(&address, listener->address);
    if (plait__address_is_path(&address) && (error = note_path(listener, listener->address))) return error;
    return plait__listener_watch(listener);
}

plait_listener *plait_listener_new(const char *address, const plait_listener_options *options)
{
    static const plait_listener_options defaults;
    if (!options) options = &defaults;
    int error = check_options(options);
    struct plait_listener *listener = error ? NULL : calloc(1, sizeof *listener);
    if (error) return plait__null(error);
    if (!listener) return plait__null(plait__fail(-ENOMEM, "no memory for a listener"));
    listener->fd = listener->epoll = listener->clock = -1;
    listener->owner = listener->maker = getpid();
    listener->timeout = options->handshake_timeout > 0 ? options->handshake_timeout : handshake_seconds;
    error = copy_key(listener, options);
    if (!error) error = open_listener(listener, address, options);
    if (!error) return listener;
    plait_listener_free(listener);
    return plait__null(error);
}

const char *plait_listener_address(const plait_listener *listener)
{
    return listener ? listener->address : plait__null(plait__fail(-EINVAL, "the listener is NULL"));
}

int plait_listener_last_accepted(const plait_listener *listener, char *text, size_t size)
{
    if (!listener || (!text && size)) return plait__fail(-EINVAL, "the %s is NULL", listener ? "text" : "listener");
    plait__listener_lock();
    const int length = snprintf(text, size, "%s", listener->last);
    plait__listener_unlock();
    return length;
}

int plait_listener_fileno(plait_listener *listener)
{
    if (!listener) return plait__fail(-EINVAL, "the listener is NULL");
    plait__listener_lock();
    const int error = listener->fd < 0 ? plait__fail(PLAIT_ECLOSED, "the listener is closed") : plait__listener_adopt(listener);
    plait__listener_unlock();
    return error ? error : listener->epoll;
}

static bool is_same(const struct plait__file *file, const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && status.st_dev == file->device && status.st_ino == file->inode;
}

/* By who made it, and only if nobody has put another one into its place. */
static void remove_path(const struct plait_listener *listener)
{
    if (listener->maker != getpid()) return;
    if (listener->path && is_same(&listener->file, listener->path)) unlink(listener->path);
    if (listener->folder) rmdir(listener->folder);
}

static void close_it(struct plait_listener *listener)
{
    if (listener->fd < 0) return;
    const bool ours = listener->owner == getpid();
    remove_path(listener);                                 /* before others may listen at another one of that name */
    close(listener->fd);
    listener->fd = -1;
    plait__listener_send_away(listener);
    if (ours) plait__listener_set_clock(listener, 1);
}

int plait_listener_close(plait_listener *listener)
{
    if (!listener) return plait__fail(-EINVAL, "the listener is NULL");
    plait__listener_lock();
    close_it(listener);
    plait__listener_unlock();
    return 0;
}

int plait_listener_free(plait_listener *listener)
{
    if (!listener) return 0;
    const int saved = errno;
    plait_listener_close(listener);
    if (listener->folder) rmdir(listener->folder);         /* if it never came to listen */
    if (listener->epoll >= 0) close(listener->epoll);
    if (listener->clock >= 0) close(listener->clock);
    if (listener->key) OPENSSL_cleanse(listener->key, listener->key_size);
    free(listener->key);
    free(listener->path);
    free(listener->folder);
    OPENSSL_cleanse(listener, sizeof *listener);
    free(listener);
    errno = saved;
    return 0;
}
