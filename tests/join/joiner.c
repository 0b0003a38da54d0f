/* A program of its own, linked as users link theirs: it joins the family at argv[1] and does what argv[2] says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <plait.h>

struct common {
    plait_lock lock;
    long sum;
    plait_queue *there, *back;
};

static struct common *common;

static int failed(const char *what, int error)
{
    fprintf(stderr, "joiner: %s: %s (%s)\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int add(long number)
{
    int got = plait_lock_acquire(&common->lock, plait_after(10));
    if (got < 0) return failed("acquire", got);
    common->sum += number;
    return plait_lock_release(&common->lock);
}

static int put(int number)
{
    return plait_queue_put(common->back, &number, sizeof number, plait_after(10));
}

/* Each number that comes is added, and its square goes back. */
static int talk(void)
{
    int number;
    ssize_t got;
    while ((got = plait_queue_get(common->there, &number, sizeof number, plait_after(10))) >= 0)
        if (add(number) || put(number * number)) return 1;
    return got == PLAIT_ECLOSED ? 0 : failed("get", (int)got);
}

static int hold(void)
{
    int got = plait_lock_acquire(&common->lock, plait_after(10));
    if (got < 0 || put(getpid())) return failed("acquire", got);
    for (;;) pause();
}

static int child(void *argument)
{
    common = *(struct common **)argument;
    return add(100);
}

static int double_it(const void *in, void *out, void *context)
{
    *(int *)out = 2 * *(const int *)in;
    return context != NULL;
}

/* Processes and pools of its own build, with all start methods. */
static int start(void)
{
    static const int methods[] = { PLAIT_FORK, PLAIT_SPAWN, PLAIT_FORKSERVER };
    for (int i = 0; i < 3; i++) {
        plait_process *process = plait_start(child, &common, sizeof common, &(plait_process_options){ .method = methods[i] });
        if (!process) return failed("start", errno);
        if (plait_process_join(process, plait_after(10)) != 0) return failed("join", -1);
        if (plait_process_exitcode(process) != 0) return failed("exit code", plait_process_exitcode(process));
        plait_process_free(process);
    }
    int in[100], out[100], sum = 0;
    for (int i = 0; i < 100; i++) in[i] = i;
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .workers = 2 });
    int error = pool ? plait_pool_map(pool, double_it, in, sizeof in[0], out, sizeof out[0], 100, NULL) : -errno;
    if (error) return failed("map", error);
    plait_pool_free(pool);
    for (int i = 0; i < 100; i++) sum += out[i];
    return put(sum);
}

int main(int argc, char **argv)
{
    plait_init(&argc, &argv);
    int error = argc == 3 ? plait_family_join(argv[1], plait_after(10)) : -EINVAL;
    if (error) return failed("join", error);
    common = plait_family_find("common", plait_after(10));
    if (!common) return failed("find", errno);
    if (strcmp(argv[2], "talk") == 0) return talk();
    if (strcmp(argv[2], "hold") == 0) return hold();
    if (strcmp(argv[2], "start") == 0) return start();
    return 2;
}
