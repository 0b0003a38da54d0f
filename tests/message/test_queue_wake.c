/* Wake-ups are not lost: whoever was woken and leaves what it was woken for passes it on, at whatever moment it does so.
 * Everybody here stays a member when done: an end wakes others too, and would hide a lost wake-up. */
#include "harness.h"
#include "others.h"

#include <dlfcn.h>
#include <linux/futex.h>

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/queue.h>

enum { OTHERS = 5 };

/* What each of the others does, and what came of it. */
struct actor {
    size_t size;                                        /* of its message, or of its buffer */
    bool puts, looks, stalls_inside;
    double seconds;                                     /* its deadline; 0: for ever */
    _Atomic int done, result;
    pid_t pid;
};

struct scene {
    plait_queue *queue;
    _Atomic int inside, go;
    _Atomic int ringer;                                 /* the process that stalls when it has woken somebody */
    _Atomic int stalled_until;                          /* it goes on when so many are done; 0: at once */
    struct actor actors[OTHERS];
};

static struct scene *scene;

static int count_done(void)
{
    int count = 0;
    for (int i = 0; i < OTHERS; i++) count += atomic_load(&scene->actors[i].done);
    return count;
}

static bool enough_are_done(void *unused)
{
    return atomic_load(&scene->ringer) != getpid() || count_done() >= atomic_load(&scene->stalled_until);
}

/* Between waking somebody and whatever the waker does next.  Six arguments whatever the call has: as in libc's own. */
long called_as_syscall(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");
long called_as_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    static long (*real)(long number, ...);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    const long result = real(number, a, b, c, d, e, f);
    if (number == SYS_futex && b == FUTEX_WAKE && result > 0 && scene) test_until(enough_are_done, NULL);
    return result;
}

/* --- the others ------------------------------------------------------------------------------------------------------------ */

static void stall_inside(enum plait__point point)
{
    if (point != PLAIT__POINT_QUEUE_OWNED) return;
    atomic_fetch_add(&scene->inside, 1);
    test_until_set(&scene->go);
}

static int act(void *argument)
{
    struct actor *actor = argument;
    static char buffer[2000];
    const plait_deadline deadline = actor->seconds > 0 ? plait_after(actor->seconds) : PLAIT_FOREVER;
    if (actor->stalls_inside) plait__point_hook = stall_inside;
    ssize_t result;
    if (actor->puts) result = plait_queue_put(scene->queue, buffer, actor->size, deadline);
    else if (actor->looks) result = plait_queue_next_size(scene->queue, deadline);
    else result = plait_queue_get(scene->queue, buffer, actor->size, deadline);
    atomic_store(&actor->result, (int)result);
    atomic_store(&actor->done, 1);
    for (;;) pause();
    return 0;
}

static void new_scene(plait_queue_options options)
{
    struct scene *fresh = test_shared(sizeof *fresh);
    plait__set_without(0);                              /* other ways of sleeping would change the order of the sleepers */
    assert_non_null(fresh->queue = plait_queue_new(&options));
    atomic_store(&fresh->ringer, getpid());
    scene = fresh;
}

/* Start it, and wait until it sleeps: those that were started before sleep before it. */
static void start(int number, struct actor actor)
{
    scene->actors[number] = actor;
    scene->actors[number].pid = test_fork(act, &scene->actors[number]);
    test_until_watches(scene->actors[number].pid);
}

static void check_result(int number, int expected)
{
    test_until_set(&scene->actors[number].done);
    assert_int_equal(atomic_load(&scene->actors[number].result), expected);
}

static void end_scene(void)
{
    for (int i = 0; i < OTHERS; i++)
        if (scene->actors[i].pid) test_kill(scene->actors[i].pid);
    scene = NULL;
}

static void put(size_t size)
{
    static const char message[2000];
    assert_int_equal(plait_queue_put(scene->queue, message, size, PLAIT_NOW), 0);
}

static void get(size_t size)
{
    char message[2000];
    assert_int_equal(plait_queue_get(scene->queue, message, sizeof message, PLAIT_NOW), size);
}

/* --- getters ----------------------------------------------------------------------------------------------------------------- */

static void check_whoever_leaves_it_passes_it_on(struct actor first, int expected, int stalled_until)
{
    new_scene((plait_queue_options){ 0 });
    start(0, first);
    start(1, (struct actor){ .size = 2000 });
    atomic_store(&scene->stalled_until, stalled_until);
    put(100);
    check_result(0, expected);
    check_result(1, 100);
    end_scene();
}

static void a_short_buffer_passes_the_message_on(void **state)
{
    check_whoever_leaves_it_passes_it_on((struct actor){ .size = 10 }, -EMSGSIZE, 0);
}

static void a_short_buffer_passes_it_on_before_the_waker_goes_on(void **state)
{
    check_whoever_leaves_it_passes_it_on((struct actor){ .size = 10 }, -EMSGSIZE, 1);
}

static void a_looker_passes_the_message_on(void **state)
{
    check_whoever_leaves_it_passes_it_on((struct actor){ .looks = true }, 100, 0);
}

static void a_looker_passes_it_on_before_the_waker_goes_on(void **state)
{
    check_whoever_leaves_it_passes_it_on((struct actor){ .looks = true }, 100, 1);
}

static void many_short_buffers_pass_it_on(void **state)
{
    new_scene((plait_queue_options){ 0 });
    for (int i = 0; i < OTHERS - 1; i++) start(i, (struct actor){ .size = 10, .looks = i % 2 });
    start(OTHERS - 1, (struct actor){ .size = 2000 });
    put(100);
    check_result(OTHERS - 1, 100);
    /* Who passes it on while the waker still rings has all woken at once: the taker may have been faster than some. */
    put(100);
    for (int i = 0; i < OTHERS - 1; i++) check_result(i, i % 2 ? 100 : -EMSGSIZE);
    end_scene();
}

static void each_message_wakes_somebody(void **state)
{
    new_scene((plait_queue_options){ 0 });
    for (int i = 0; i < OTHERS; i++) start(i, (struct actor){ .size = 2000 });
    for (int i = 0; i < OTHERS; i++) {
        atomic_store(&scene->stalled_until, i % 2 ? i + 1 : 0);
        put(100);
    }
    for (int i = 0; i < OTHERS; i++) check_result(i, 100);
    end_scene();
}

/* 0 takes the first message, slowly; 1 was woken for the second and gives up; so 2 has to be told of it. */
static void whoever_gives_up_passes_the_message_on(void **state)
{
    new_scene((plait_queue_options){ 0 });
    start(0, (struct actor){ .size = 2000, .stalls_inside = true });
    start(1, (struct actor){ .size = 2000, .seconds = 1 });
    start(2, (struct actor){ .size = 2000 });
    put(100);
    test_until_set(&scene->inside);
    put(200);
    check_result(1, -ETIMEDOUT);
    atomic_store(&scene->go, 1);
    check_result(0, 100);
    check_result(2, 200);
    end_scene();
}

/* 0 owns the head; 1 and 2 wait for that; 1 has a short buffer and leaves the head as it was. */
static void check_the_head_is_passed_on(int stalled_until)
{
    new_scene((plait_queue_options){ 0 });
    put(100);
    put(200);
    scene->actors[0] = (struct actor){ .size = 2000, .stalls_inside = true };
    scene->actors[0].pid = test_fork(act, &scene->actors[0]);
    test_until_set(&scene->inside);
    start(1, (struct actor){ .size = 10 });
    start(2, (struct actor){ .size = 2000 });
    atomic_store(&scene->ringer, scene->actors[0].pid);
    atomic_store(&scene->stalled_until, stalled_until);
    atomic_store(&scene->go, 1);
    check_result(1, -EMSGSIZE);
    check_result(2, 200);
    check_result(0, 100);
    end_scene();
}

static void the_head_is_passed_on(void **state) { check_the_head_is_passed_on(0); }
static void the_head_is_passed_on_before_the_waker_goes_on(void **state) { check_the_head_is_passed_on(1); }

/* --- putters --------------------------------------------------------------------------------------------------------------- */

/* A ring of 64 units, full: 48 of them in large messages, and 16 in small ones behind them. */
static void new_full_ring(void)
{
    new_scene((plait_queue_options){ .capacity = 1024 });
    for (int i = 0; i < 3; i++) put(248);
    for (int i = 0; i < 16; i++) put(8);
}

static void whoever_needs_more_room_passes_it_on(void **state)
{
    new_full_ring();
    start(0, (struct actor){ .puts = true, .size = 1016 });
    start(1, (struct actor){ .puts = true, .size = 500 });
    start(2, (struct actor){ .puts = true, .size = 200 });
    get(248);
    check_result(2, 0);
    assert_int_equal(count_done(), 1);
    get(248);
    get(248);
    check_result(1, 0);
    for (int i = 0; i < 16; i++) get(8);
    get(200);
    get(500);
    check_result(0, 0);
    end_scene();
}

static void room_for_several_wakes_several(void **state)
{
    for (int stalled_until = 0; stalled_until < 2; stalled_until++) {
        new_full_ring();
        for (int i = 0; i < OTHERS; i++) start(i, (struct actor){ .puts = true, .size = 24 });
        atomic_store(&scene->stalled_until, stalled_until);
        get(248);
        for (int i = 0; i < OTHERS; i++) check_result(i, 0);
        end_scene();
    }
}

static void room_in_a_queue_of_two_wakes_one_each(void **state)
{
    new_scene((plait_queue_options){ .maxsize = 2 });
    put(1);
    put(1);
    for (int i = 0; i < OTHERS; i++) start(i, (struct actor){ .puts = true, .size = 1 });
    for (int i = 0; i < OTHERS; i++) {
        atomic_store(&scene->stalled_until, i % 2 ? i + 1 : 0);
        get(1);
        atomic_store(&scene->stalled_until, i + 1);
        test_until(enough_are_done, NULL);
    }
    end_scene();
}

/* 0 puts slowly; 1 was woken for the room behind it and gives up; so 2 has to be told of it. */
static void whoever_gives_up_passes_the_room_on(void **state)
{
    new_scene((plait_queue_options){ .maxsize = 2 });
    put(1);
    put(1);
    start(0, (struct actor){ .puts = true, .size = 100, .stalls_inside = true });
    start(1, (struct actor){ .puts = true, .size = 100, .seconds = 1 });
    start(2, (struct actor){ .puts = true, .size = 100 });
    get(1);
    test_until_set(&scene->inside);
    get(1);
    check_result(1, -ETIMEDOUT);
    atomic_store(&scene->go, 1);
    check_result(0, 0);
    check_result(2, 0);
    end_scene();
}

/* Both putters sleep because too many are queued.  A lease changes that, but it leaves the bytes where they are: the first that
 * is woken needs more of them than there are, and the other does not. */
static void whoever_needs_more_bytes_than_a_lease_leaves_passes_it_on(void **state)
{
    enum { CAPACITY = 1024, MOST = CAPACITY - 16 };
    char buffer[MOST];
    plait_lease leases[2];
    new_scene((plait_queue_options){ .maxsize = 1, .capacity = CAPACITY, .leases = 1 });
    put(10);
    start(0, (struct actor){ .puts = true, .size = MOST });
    start(1, (struct actor){ .puts = true, .size = 20 });
    assert_int_equal(plait_queue_lease(scene->queue, buffer, sizeof buffer, &leases[0], PLAIT_NOW), 10);
    check_result(1, 0);
    assert_int_equal(plait_queue_lease(scene->queue, buffer, sizeof buffer, &leases[1], PLAIT_NOW), 20);
    for (int i = 0; i < 2; i++) assert_int_equal(plait_queue_ack(scene->queue, leases[i]), 0);
    check_result(0, 0);
    end_scene();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_short_buffer_passes_the_message_on),
    cmocka_unit_test(a_short_buffer_passes_it_on_before_the_waker_goes_on),
    cmocka_unit_test(a_looker_passes_the_message_on),
    cmocka_unit_test(a_looker_passes_it_on_before_the_waker_goes_on),
    cmocka_unit_test(many_short_buffers_pass_it_on),
    cmocka_unit_test(each_message_wakes_somebody),
    cmocka_unit_test(whoever_gives_up_passes_the_message_on),
    cmocka_unit_test(the_head_is_passed_on),
    cmocka_unit_test(the_head_is_passed_on_before_the_waker_goes_on),
    cmocka_unit_test(whoever_needs_more_room_passes_it_on),
    cmocka_unit_test(room_for_several_wakes_several),
    cmocka_unit_test(room_in_a_queue_of_two_wakes_one_each),
    cmocka_unit_test(whoever_gives_up_passes_the_room_on),
    cmocka_unit_test(whoever_needs_more_bytes_than_a_lease_leaves_passes_it_on),
};
TEST_MAIN(tests)
