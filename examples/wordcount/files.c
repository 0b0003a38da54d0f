/* files.c - the list of files. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <plait.h>

/* --- the list --------------------------------------------------------------------------------------------------------- */

/* Shared memory cannot be made larger where it is, so the list moves. */
static int make_room(struct files *files)
{
    if (files->count < files->room) return 0;
    const size_t room = files->room ? files->room * 2 : 1024;
    struct file *all = plait_alloc(room * sizeof *all);
    if (!all) return -errno;
    if (files->count) memcpy(all, files->all, files->count * sizeof *all);
    plait_free(files->all);
    files->all = all;
    files->room = room;
    return 0;
}

static int add(struct files *files, const char *name, int64_t size, int error)
{
    const int full = make_room(files);
    if (full) return full;
    char *copy = plait_alloc(strlen(name) + 1);
    if (!copy) return -errno;
    files->all[files->count++] = (struct file){ .name = strcpy(copy, name), .size = size, .error = error };
    return 0;
}

void files_free(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) plait_free((char *)files->all[i].name);
    plait_free(files->all);
    *files = (struct files){ 0 };
}

/* --- folders ---------------------------------------------------------------------------------------------------------- */

/* Folders that have yet to be looked into.  One is open at a time, however deep they lie. */
struct folders {
    char **names;
    size_t count, room;
};

static int push(struct folders *folders, char *name)
{
    if (folders->count == folders->room) {
        const size_t room = folders->room ? folders->room * 2 : 64;
        char **names = realloc(folders->names, room * sizeof *names);
        if (!names) {
            free(name);
            return -ENOMEM;
        }
        folders->names = names;
        folders->room = room;
    }
    folders->names[folders->count++] = name;
    return 0;
}

static char *join(const char *folder, const char *name)
{
    const size_t length = strlen(folder);
    const char *slash = length && folder[length - 1] == '/' ? "" : "/";
    char *path = malloc(length + strlen(name) + 2);
    if (path) sprintf(path, "%s%s%s", folder, slash, name);
    return path;
}

/* The name in the folder; `path` is both together, and becomes the list's or is freed. */
static int add_entry(struct files *files, struct folders *folders, DIR *folder, const struct dirent *entry, char *path)
{
    struct stat status;
    int error = 0;
    if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) error = add(files, path, 0, errno);
    else if (S_ISDIR(status.st_mode)) return push(folders, path);
    else if (S_ISREG(status.st_mode)) error = add(files, path, status.st_size, 0);
    free(path);
    return error;
}

static int add_folder(struct files *files, struct folders *folders, const char *name)
{
    DIR *folder = opendir(name);
    if (!folder) return add(files, name, 0, errno);
    int error = 0;
    errno = 0;
    for (const struct dirent *entry; !error && (entry = readdir(folder)); errno = 0) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char *path = join(name, entry->d_name);
        error = path ? add_entry(files, folders, folder, entry, path) : -ENOMEM;
    }
    if (!error && errno) error = add(files, name, 0, errno);
    closedir(folder);
    return error;
}

static int add_folders(struct files *files, const char *name)
{
    struct folders folders = { 0 };
    char *first = strdup(name);
    int error = first ? push(&folders, first) : -ENOMEM;
    while (!error && folders.count) {
        char *next = folders.names[--folders.count];
        error = add_folder(files, &folders, next);
        free(next);
    }
    while (folders.count) free(folders.names[--folders.count]);
    free(folders.names);
    return error;
}

/* --- what the user named ---------------------------------------------------------------------------------------------- */

int files_add(struct files *files, const char *name)
{
    struct stat status;
    if (stat(name, &status) < 0) return add(files, name, 0, errno);
    if (S_ISDIR(status.st_mode)) return add_folders(files, name);
    return add(files, name, status.st_size, S_ISREG(status.st_mode) ? 0 : NOT_A_FILE);
}

int files_add_lines(struct files *files, FILE *stream)
{
    char *line = NULL;
    size_t size = 0;
    int error = 0;
    for (ssize_t length; !error && (length = getline(&line, &size, stream)) >= 0;) {
        if (length && line[length - 1] == '\n') line[--length] = '\0';
        if (length) error = files_add(files, line);
    }
    if (!error && ferror(stream)) error = -errno;
    free(line);
    return error;
}
