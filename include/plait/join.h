/* plait/join.h - a program that nobody of the family has started joins it, and finds what it has to share.
 *
 * One program of the family opens a door: a socket, at a path or under an abstract name ("@tasks"). Another program of the same
 * user, of whatever origin, goes through it: from then on it is a member as any other. The memory of the family lies at the same
 * address in both, so that queues, locks and your own structs in it work between them as between parent and child; the death of
 * either is noticed by the other. By a name that one has published, others find where they lie.
 *
 * ```c
 * static int serve_tasks(void)                                            // one program
 * {
 *     plait_door *door = plait_family_listen("@tasks", NULL);
 *     plait_queue *tasks = plait_queue_new(NULL);
 *     if (!door || !tasks) return -errno;
 *     plait_family_publish("tasks", tasks);
 *     plait_process_options in_a_thread = { .kind = PLAIT_THREADS, .daemon = 1 };
 *     plait_process *doorman = plait_start(plait_door_serve, door, 0, &in_a_thread);
 *     int number;
 *     while (plait_queue_get(tasks, &number, sizeof number, PLAIT_FOREVER) >= 0) printf("%d\n", number);
 *     plait_door_close(door);
 *     plait_process_join(doorman, PLAIT_FOREVER);
 *     plait_process_free(doorman);
 *     return plait_door_free(door);
 * }
 *
 * static int send_a_task(int number)                                      // another
 * {
 *     int error = plait_family_join("@tasks", plait_after(1.0));
 *     plait_queue *tasks = error < 0 ? NULL : (plait_queue *)plait_family_find("tasks", plait_after(1.0));
 *     if (tasks) error = plait_queue_put(tasks, &number, sizeof number, PLAIT_FOREVER);
 *     return error;
 * }
 * ```
 *
 * plait starts no thread by itself: somebody has to see to the door. plait_door_serve is made to be run in a thread, or in a forked
 * process; or the program asks now and then (plait_door_admit), or when its own loop finds plait_door_fileno readable.
 *
 * Who may join: programs of the same user (effective user id), and those of root; who joins accepts a door of its own user or of
 * root, no others'. Members trust each other fully: to let a program join is to let it write all memory of the family.
 * Both must have the same version of plait and the same C library. Functions do not travel between programs: each starts
 * processes and pools of functions of its own.
 *
 * A family lives as long as any of its members: whoever made it, and the door, may end before the others. A door ends with the
 * process that made it, however that ends, also if a fork of it saw to it: who goes on opens another. Nothing is left when the last
 * one has ended, but for the name of a door at a path whose program was killed; the next to listen there takes it over, and who
 * comes there to join removes it, also while forks of that program live. An abstract name vanishes with its program and its forks:
 * for workers that may outlive it, a path is better.
 *
 * Python: none. (A BaseManager that is connected to serves one's objects; this shares the memory.)
 * Not for signal handlers, as all of plait (docs/guidelines.md).
 */
#ifndef PLAIT_JOIN_H
#define PLAIT_JOIN_H

#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>

/* Where others come in. In the memory of the process that made it; several threads, and forked children, may use it at once; to
 * children it is closed when that process has ended. */
typedef struct plait_door plait_door;

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_door_options {
    int backlog;              /* so many may have knocked and wait to be let in; 0: 128 */
    int reserved_int;
    uint64_t reserved[3];     /* zero */
} plait_door_options;

/* The longest name that plait_family_publish takes, in bytes without the 0; and how many there may be at a time. */
#define PLAIT_FAMILY_NAME_MAX 55
#define PLAIT_FAMILY_NAMES_MAX 1000

PLAIT_BEGIN

/* ---- doors ---- */

/* Open a door to the family of this process, at a path of at most 107 bytes, or as "@name", which is no file. Only its owner may
 * use a path (mode 0600); it is removed by plait_door_close and at exit of this process, not of others. One that was left behind by
 * a killed program is replaced. The descriptor is closed on exec.
 * The caller owns it: plait_door_free. NULL: errno EINVAL, ENAMETOOLONG, EADDRINUSE (somebody listens there, or a file of another
 * kind lies there), EACCES, ENOENT (of the folder), EMFILE, ENOMEM, ENOARENA (the program has closed the descriptor of the shared
 * memory), ETOOMANY. Blocks for 0.1 s at most, where others open doors in the same folder at the same time. */
PLAIT_API plait_door *plait_family_listen(const char *path, const plait_door_options *options);

/* Let one program in that has knocked; wait for one until the deadline. It never waits for anything that the other does: who is
 * stopped, killed, or sends garbage holds up nobody. Those who may not join are told so, and the wait goes on.
 * 0; -ETIMEDOUT (nobody has come); PLAIT_ECLOSED (also when the process that made the door has ended); -EBADF (the program has
 * closed its descriptor); -EMFILE, -ENOMEM; PLAIT_ENOARENA: as plait_family_listen. PLAIT_ETOOMANY. Who could not be let in because
 * of an error is told. */
PLAIT_API PLAIT_MUST_CHECK int plait_door_admit(plait_door *door, plait_deadline deadline);

/* Let in whoever comes, until the door is closed, or its maker has ended: a body for plait_start, as a thread or as a forked
 * process. door: a plait_door, passed with size 0. 0: it was closed; or an error of plait_door_admit (when descriptors or memory
 * are short it tries again). */
PLAIT_API int plait_door_serve(void *door);

/* The descriptor, for poll(): when it is readable, somebody has knocked. It stays the door's. -EINVAL. */
PLAIT_API int plait_door_fileno(const plait_door *door);

/* Close it for all: the path is removed, those who have knocked are refused, whoever is in plait_door_admit returns PLAIT_ECLOSED.
 * Members stay members. May be repeated. 0, -EINVAL. Does not block. */
PLAIT_API int plait_door_close(plait_door *door);

/* Close and free it; nobody of this process uses it any more. In a process that was forked since it was made, it is only freed, and
 * stays open elsewhere. NULL is fine. 0. Does not block. */
PLAIT_API int plait_door_free(plait_door *door);

/* ---- joining ---- */

/* Join the family whose door is at this path, or under this abstract name ("@name"): waits until it lets us in, or the deadline.
 * The process, and all its threads, are then of that family, for good. Its name becomes "Joined-N", unless it was given another.
 *
 * To be called early, by a process that is of no family yet. plait_init is allowed before, and best (a child that this program
 * spawns does not come back from it); so are other calls as long as nothing was made and no other thread has used plait.
 * Meanwhile no other thread may be in a call of plait.
 *
 * 0 (also if the process is of that family already); -ENOENT, -ECONNREFUSED (nobody listens there, or whoever opened the door has
 * ended); PLAIT_ECLOSED (it was closed while we waited); -EACCES, -EPERM (another user's door, or it does not admit us); -ETIMEDOUT
 * (nobody sees to the door; whatever the deadline, also if so many wait there that for 10 s there is no room for one more);
 * -ECONNRESET (the program there ended before it had let us in); -EPROTO (it is no door of plait); -EPROTONOSUPPORT (it has another
 * version of plait, or another C library); PLAIT_ENOARENA (something lies in this process where the family's memory has to);
 * -EALREADY (this process has a family, and shares something there); PLAIT_ETOOMANY; -EMFILE, -ENOMEM, -EINVAL, -ENAMETOOLONG.
 * After an error it is of no family, or of the one that it was of before. Threads of the process become members by their first
 * calls, as ever. */
PLAIT_API PLAIT_MUST_CHECK int plait_family_join(const char *path, plait_deadline deadline);

/* ---- names ---- */

/* Let all members find this object, which lies in shared memory, by a name. It stays when this process ends, and also when it is
 * killed, as the object itself does; withdraw it before the object is freed.
 * 0 (also if it is published so already); -EEXIST (another object has this name); -EINVAL (no name, or no shared memory);
 * -ENAMETOOLONG; -ENOSPC (PLAIT_FAMILY_NAMES_MAX are published); PLAIT_ENOARENA, PLAIT_ETOOMANY. Blocks only for as long as another
 * member looks at the names. */
PLAIT_API int plait_family_publish(const char *name, const void *object);

/* The object of this name; waits until somebody has published it.
 * NULL: errno ETIMEDOUT, EINVAL, ENAMETOOLONG, ENOARENA, ETOOMANY. */
PLAIT_API void *plait_family_find(const char *name, plait_deadline deadline);

/* Take the name back, whoever has published it: nobody finds it any more, and it may be published anew. Those who have found the
 * object know nothing of it. 0, -ENOENT, -EINVAL, -ENAMETOOLONG, PLAIT_ENOARENA, PLAIT_ETOOMANY. Blocks as plait_family_publish. */
PLAIT_API int plait_family_withdraw(const char *name);

PLAIT_END
#endif
