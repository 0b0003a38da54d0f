/* apart.h - for tests with programs that have nothing to do with each other: the tester is of no family, one process that it forks
 * has a family and a door (the *home*), others come from outside (*visitors*). */
#ifndef PLAIT_TEST_APART_H
#define PLAIT_TEST_APART_H

#include "harness.h"
#include "others.h"

#include <dirent.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <plait.h>

#include "arena/map.h"

/* What the home has published as "common". */
struct common {
    plait_lock lock;
    long sum;
    plait_queue *there, *back;
};

/* Between the tester, the home and visitors; not of plait. */
static struct notes {
    _Atomic int open, go, done, count;
    _Atomic int pid;
} *notes;

static char address[108];

static inline const char *temporary(const char *name)
{
    static char path[90];
    const char *folder = getenv("TMPDIR");
    const int length = snprintf(path, sizeof path, "%s/%s", folder ? folder : "/tmp", name);
    CHECK(length > 0 && length < (int)sizeof path);
    return path;
}

static int apart(void **state)
{
    notes = test_shared(sizeof *notes);
    snprintf(address, sizeof address, "@plait-test-%d", (int)getpid());
    return 0;
}

static plait_door *door;
static struct common *common;

static inline void say_error(const char *what, int error)
{
    fprintf(stderr, "%s: %s (%s)\n", what, plait_strerror(error), plait_error_detail());
}

static inline void make_common(void)
{
    CHECK((common = plait_alloc(sizeof *common)));
    CHECK((common->there = plait_queue_new(NULL)) && (common->back = plait_queue_new(NULL)));
    CHECK(plait_family_publish("common", common) == 0);
}

static inline int be_home(void *body)
{
    make_common();
    CHECK((door = plait_family_listen(address, NULL)));
    atomic_store(&notes->open, 1);
    return body ? ((int (*)(void))body)() : plait_door_serve(door);
}

/* A home that runs body(), or sees to its door.  Returns when the door is open. */
static inline pid_t home_start(int (*body)(void))
{
    atomic_store(&notes->open, 0);
    const pid_t home = test_fork(be_home, (void *)body);
    test_until_set(&notes->open);
    return home;
}

static inline void home_kill(pid_t home)
{
    assert_int_equal(kill(home, SIGKILL), 0);
    assert_int_equal(test_wait_exit(home), -SIGKILL);
}

/* In a visitor. */
static inline void come_in(void)
{
    const int error = plait_family_join(address, plait_after(10));
    if (error) say_error("join", error);
    CHECK(error == 0);
    CHECK((common = plait_family_find("common", plait_after(10))));
}

static inline pid_t visitor_start(int (*body)(void))
{
    return test_fork((int (*)(void *))(void *)body, NULL);
}

/* It must return 0. */
static inline void visit(int (*body)(void))
{
    assert_int_equal(test_wait_exit(visitor_start(body)), 0);
}

static inline int descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder);
    while (readdir(folder)) count++;
    closedir(folder);
    return count;
}

static inline bool detail_has(const char *text)
{
    const bool has = strstr(plait_error_detail(), text) != NULL;
    if (!has) fprintf(stderr, "the detail is: %s\n", plait_error_detail());
    return has;
}

static inline int put_number(plait_queue *queue, int number)
{
    return plait_queue_put(queue, &number, sizeof number, plait_after(10));
}

static inline int get_number(plait_queue *queue)
{
    int number;
    const ssize_t got = plait_queue_get(queue, &number, sizeof number, plait_after(10));
    return got < 0 ? (int)got : number;
}

static inline int add_to_sum(long number)
{
    const int got = plait_lock_acquire(&common->lock, plait_after(10));
    CHECK(got >= 0);
    common->sum += number;
    CHECK(plait_lock_release(&common->lock) == 0);
    return got;
}

/* As any other. */
static inline int use_what_is_there(void)
{
    CHECK((common = plait_family_find("common", plait_after(10))));
    CHECK(put_number(common->back, 7) == 0 && get_number(common->back) == 7);
    add_to_sum(1);
    return 0;
}

static inline int use_everything(void)
{
    come_in();
    return use_what_is_there();
}

#define JOIN_TEST(of) cmocka_unit_test_setup_teardown(of, apart, NULL)

#endif
