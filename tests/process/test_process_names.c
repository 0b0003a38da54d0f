/* What processes are called: by their parents, in ps, and in the roster.  Each test runs in a host, as the numbers of its children
 * begin at 1. */
#include "host.h"

#include <plait.h>

#include "family/roster.h"

static int return_0(void *unused)
{
    return 0;
}

static void end(plait_process *process)
{
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == 0);
    CHECK(plait_process_free(process) == 0);
}

static void expect_name(const plait_process_options *options, const char *name)
{
    plait_process *process = plait_start(return_0, NULL, 0, options);
    CHECK(process);
    CHECK(strcmp(plait_process_name(process), name) == 0);
    end(process);
}

/* ---- numbers ---- */

static int count_from_1(void *unused)
{
    expect_name(NULL, "Process-1");
    expect_name(NULL, "Process-2");
    expect_name(&(plait_process_options){ .class_name = "Worker" }, "Worker-3");
    expect_name(&(plait_process_options){ .name = "Ada" }, "Ada");
    expect_name(&(plait_process_options){ .name = "Bob", .class_name = "Worker" }, "Bob");
    expect_name(&(plait_process_options){ .daemon = 1 }, "Process-6");
    return 0;
}

static void processes_are_counted_from_1(void **state)
{
    host_run(count_from_1, NULL);
}

static int start_nested(void *unused)
{
    expect_name(NULL, "Process-1:1");
    expect_name(&(plait_process_options){ .class_name = "Worker" }, "Worker-1:2");
    return 0;
}

static int start_parent(void *unused)
{
    end(plait_start(start_nested, NULL, 0, NULL));
    expect_name(NULL, "Process-2");
    return 0;
}

static void the_number_of_a_childs_child_begins_with_that_of_the_child(void **state)
{
    host_run(start_parent, NULL);
}

static int start_one_more(void *levels)
{
    const int left = *(int *)levels - 1;
    plait_process *process = plait_start(left ? start_one_more : return_0, &left, sizeof left, NULL);
    CHECK(process);
    const char *const names[] = { "Process-1:1:1:1", "Process-1:1:1", "Process-1:1", "Process-1" };
    CHECK(strcmp(plait_process_name(process), names[left]) == 0);
    end(process);
    return 0;
}

static void each_generation_adds_a_number(void **state)
{
    host_run(start_one_more, &(int){ 4 });
}

/* ---- own names ---- */

static _Atomic int *go;

static int wait_for_go(void *unused)
{
    test_until(is_set, go);
    return 0;
}

static plait_process *start_named(const char *name)
{
    if (!go) go = test_shared(sizeof *go);
    *go = 0;
    plait_process *process = plait_start(wait_for_go, NULL, 0, &(plait_process_options){ .name = name });
    CHECK(process);
    return process;
}

static int change_the_name_after_the_start(void *unused)
{
    char name[] = "Ada";
    plait_process *process = start_named(name);
    memset(name, 'x', sizeof name - 1);
    CHECK(strcmp(plait_process_name(process), "Ada") == 0);
    *go = 1;
    end(process);
    return 0;
}

static void a_name_is_copied(void **state)
{
    host_run(change_the_name_after_the_start, NULL);
}

static int give_a_long_name(void *unused)
{
    char name[100];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    plait_process *process = start_named(name);
    const char *kept = plait_process_name(process);
    CHECK(strlen(kept) >= 31 && strlen(kept) < sizeof name && strncmp(kept, name, strlen(kept)) == 0);
    *go = 1;
    end(process);
    expect_name(&(plait_process_options){ .class_name = "A" }, "A-2");
    plait_process_options options = { .class_name = name };
    process = plait_start(return_0, NULL, 0, &options);
    CHECK(process);
    CHECK(strcmp(plait_process_name(process) + strlen(plait_process_name(process)) - 2, "-3") == 0);
    end(process);
    return 0;
}

static void a_long_name_is_cut(void **state)
{
    host_run(give_a_long_name, NULL);
}

/* ---- what others see ---- */

/* The first line of a file, without its end. */
static void read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    CHECK(file);
    CHECK(fgets(line, size, file));
    line[strcspn(line, "\n")] = 0;
    fclose(file);
}

/* The name by which the kernel knows the process that runs. */
static int tell_comm(void *text)
{
    read_line("/proc/self/comm", text, 64);
    return 0;
}

static void expect_comm(const plait_process_options *options, const char *expected)
{
    char *text = plait_alloc(64);
    CHECK(text);
    end(plait_start(tell_comm, text, 0, options));
    CHECK(strcmp(text, expected) == 0);
    plait_free(text);
}

static int look_at_comm(void *unused)
{
    char before[64], after[64];
    read_line("/proc/self/comm", before, sizeof before);
    expect_comm(NULL, "Process-1");
    expect_comm(&(plait_process_options){ .name = "fifteen letters" }, "fifteen letters");
    expect_comm(&(plait_process_options){ .name = "more than fifteen letters" }, "more than fifte");
    read_line("/proc/self/comm", after, sizeof after);
    CHECK(strcmp(before, after) == 0);
    return 0;
}

static void ps_shows_the_first_15_bytes(void **state)
{
    host_run(look_at_comm, NULL);
}

static void *tell_slot_name(void *text)
{
    CHECK(plait_init(NULL, NULL) == 0);
    memcpy(text, plait__slot(plait__self.slot)->name, PLAIT__NAME_SIZE);
    return NULL;
}

static int tell_slot_names(void *texts)
{
    tell_slot_name(texts);
    thread_end(thread_start(tell_slot_name, (char *)texts + PLAIT__NAME_SIZE));
    return 0;
}

static void expect_slot_name(const char *name, const char *expected)
{
    char *texts = plait_alloc(2 * PLAIT__NAME_SIZE), start_of_threads[32];
    CHECK(texts);
    end(plait_start(tell_slot_names, texts, 0, &(plait_process_options){ .name = name }));
    CHECK(strcmp(texts, expected) == 0);
    snprintf(start_of_threads, sizeof start_of_threads, "%.18s/", expected);
    CHECK(strncmp(texts + PLAIT__NAME_SIZE, start_of_threads, strlen(start_of_threads)) == 0);
    plait_free(texts);
}

static int look_at_the_roster(void *unused)
{
    expect_slot_name("Ada", "Ada");
    expect_slot_name(NULL, "Process-2");
    expect_slot_name("a name that is too long for the roster", "a name that is too long for the");
    CHECK(strcmp(plait__slot(plait__self.slot)->name, "MainProcess") == 0);
    return 0;
}

static void the_roster_has_the_name(void **state)
{
    host_run(look_at_the_roster, NULL);
}

/* ---- in details ---- */

static int hold(void *lock)
{
    CHECK(plait_lock_acquire(lock, PLAIT_FOREVER) == 0);
    *go = 1;
    sleep_for_ever();
}

static int ask_who_holds(void *unused)
{
    go = test_shared(sizeof *go);
    plait_lock *lock = plait_lock_new();
    plait_process *process = plait_start(hold, lock, 0, &(plait_process_options){ .name = "Ada" });
    CHECK(process);
    test_until(is_set, go);
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(strstr(plait_error_detail(), "Ada (pid "));
    CHECK(plait_process_kill(process) == 0);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_free(process) == 0);
    CHECK(plait_lock_free(lock) == 0);
    return 0;
}

static void a_detail_names_the_process_that_is_waited_for(void **state)
{
    host_run(ask_who_holds, NULL);
}

/* ---- from several threads ---- */

enum { ASKING = 4, LENGTH = 60, RENAMED = 2000 };

static pthread_barrier_t barrier;
static _Atomic int over;

/* All at once, and nobody has asked before. */
static void *ask_who_this_is(void *unused)
{
    pthread_barrier_wait(&barrier);
    CHECK(plait_process_pid(plait_current_process()) == getpid() && plait_current_thread() == plait_current_thread());
    return NULL;
}

static void *look_at_the_name(void *unused)
{
    while (!over) {
        const char *name = plait__process_name();
        CHECK(strlen(name) == LENGTH && strspn(name, (char[]){ name[0], 0 }) == LENGTH);
    }
    return NULL;
}

static void rename_it(int letter)
{
    char name[LENGTH + 1] = "";
    memset(name, letter, LENGTH);
    CHECK(plait_process_set_name(plait_current_process(), name) == 0);
}

static int ask_and_rename(void *unused)
{
    pthread_t threads[ASKING];
    CHECK(pthread_barrier_init(&barrier, NULL, ASKING) == 0);
    for (int i = 0; i < ASKING; i++) threads[i] = thread_start(ask_who_this_is, NULL);
    for (int i = 0; i < ASKING; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    rename_it('a');
    const pthread_t looking = thread_start(look_at_the_name, NULL);
    for (int i = 0; i < RENAMED; i++) rename_it('a' + i % 7);
    over = 1;
    return pthread_join(looking, NULL);
}

static void threads_may_ask_while_it_is_renamed(void **state)
{
    host_run(ask_and_rename, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(threads_may_ask_while_it_is_renamed),
    cmocka_unit_test(processes_are_counted_from_1),
    cmocka_unit_test(the_number_of_a_childs_child_begins_with_that_of_the_child),
    cmocka_unit_test(each_generation_adds_a_number),
    cmocka_unit_test(a_name_is_copied),
    cmocka_unit_test(a_long_name_is_cut),
    cmocka_unit_test(ps_shows_the_first_15_bytes),
    cmocka_unit_test(the_roster_has_the_name),
    cmocka_unit_test(a_detail_names_the_process_that_is_waited_for),
};

TEST_MAIN(tests)
