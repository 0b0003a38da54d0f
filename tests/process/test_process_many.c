/* Many processes, at once and one after the other, and what is open and allocated while they run and afterwards. */
#include "host.h"

#include <dirent.h>
#include <sys/stat.h>

#include <plait.h>

#include "arena/heap.h"
#include "base/fault.h"

static struct notes {
    _Atomic int ready, go;
} *notes;

static void clear_notes(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
}

static int wait_for_go(void *number)
{
    notes->ready++;
    test_until(is_set, &notes->go);
    return *(int *)number;
}

static int return_it(void *number)
{
    return *(int *)number;
}

static bool all_run(void *count)
{
    return notes->ready == *(int *)count;
}

static void end(plait_process *process, int exitcode)
{
    assert_int_equal(plait_process_join(process, PLAIT_FOREVER), 0);
    assert_int_equal(plait_process_exitcode(process), exitcode);
    assert_int_equal(plait_process_free(process), 0);
}

static int gate[2];

/* Each a member.  Two hundred that poll would keep each other from getting on. */
static int wait_for_the_gate(void *number)
{
    char nothing;
    close(gate[1]);
    CHECK(plait_free(plait_alloc(8)) == 0);
    notes->ready++;
    CHECK(read(gate[0], &nothing, 1) == 0);
    return *(int *)number;
}

static void two_hundred_processes_run_at_once(void **state)
{
    enum { COUNT = 200 };
    plait_process *processes[COUNT];
    clear_notes();
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    const size_t blocks = plait__heap_count(0);
    const int members = plait_init(NULL, NULL) + plait_member_count();
    for (int i = 0; i < COUNT; i++) assert_non_null(processes[i] = plait_start(wait_for_the_gate, &i, sizeof i, NULL));
    test_until(all_run, &(int){ COUNT });
    assert_int_equal(plait_member_count(), members + COUNT);
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < COUNT; i++) end(processes[i], i);
    assert_int_equal(plait__heap_count(0), blocks);
    assert_int_equal(plait_member_count(), members);
}

static void a_thousand_processes_run_one_after_the_other(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    const size_t blocks = plait__heap_count(0);
    const int fds = open_fds(), members = plait_member_count();
    for (int i = 0; i < 1000; i++) end(plait_start(return_it, &i, sizeof i, NULL), i & 0xff);
    assert_int_equal(plait__heap_count(0), blocks);
    assert_int_equal(open_fds(), fds);
    assert_int_equal(plait_member_count(), members);
}

static void *start_and_end(void *unused)
{
    for (int i = 0; i < 100; i++) end(plait_start(return_it, &i, sizeof i, NULL), i);
    return NULL;
}

static void threads_start_processes_side_by_side(void **state)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) threads[i] = thread_start(start_and_end, NULL);
    for (int i = 0; i < 4; i++) thread_end(threads[i]);
}

/* ---- descriptors ---- */

enum { FDS = 256 };

struct fds {
    char link[FDS][64];                 /* "" where nothing is open */
};

static void look(struct fds *fds)
{
    char path[32];
    memset(fds, 0, sizeof *fds);
    for (int fd = 0; fd < FDS; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, fds->link[fd], sizeof fds->link[fd] - 1) < 0) CHECK(errno == ENOENT);
    }
}

static int tell_fds(void *fds)
{
    look(fds);
    return 0;
}

static bool is_arena(const char *link)
{
    return strncmp(link, "/memfd:plait", 12) == 0;
}

/* The arena is one of those, and the descriptors of the parent's other children.  Nothing of its own object, and nothing that the
 * start needed for itself; but where there are no pidfds, the end of a pipe that tells the parent when it is closed. */
static void a_child_has_open_what_its_parent_had_and_nothing_else(void **state)
{
    clear_notes();
    plait_process *other = plait_start(wait_for_go, &(int){ 0 }, sizeof(int), NULL);
    assert_non_null(other);
    struct fds *fds = plait_alloc(2 * sizeof *fds);
    look(&fds[0]);
    plait_process *process = plait_start(tell_fds, &fds[1], 0, NULL);
    assert_non_null(process);
    end(process, 0);
    notes->go = 1;
    int arenas = 0, pipes = 0;
    for (int fd = 0; fd < FDS; fd++) {
        const char *had = fds[0].link[fd], *has = fds[1].link[fd];
        arenas += is_arena(has);
        if (strncmp(has, "pipe:", 5) == 0 && !*had) pipes++;
        else assert_string_equal(has, had);
    }
    assert_int_equal(arenas, 1);
    assert_int_equal(pipes, plait__without(PLAIT__WITHOUT_PIDFD));
    assert_true(*fds[1].link[plait_process_sentinel(other)]);
    end(other, 0);
    plait_free(fds);
}

static int run_true(void *unused)
{
    struct fds fds;
    look(&fds);
    for (int fd = 3; fd < FDS; fd++)
        if (*fds.link[fd] && (is_arena(fds.link[fd]) || strstr(fds.link[fd], "pidfd") || strstr(fds.link[fd], "pipe:")))
            CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    execl("/bin/true", "true", (char *)NULL);
    return 1;
}

static void another_program_has_nothing_of_plait_open(void **state)
{
    end(plait_start(run_true, NULL, 0, NULL), 0);
    end(plait_start(run_true, NULL, 0, &(plait_process_options){ .daemon = 1 }), 0);
}

static void a_running_process_costs_one_descriptor(void **state)
{
    clear_notes();
    assert_int_equal(plait_init(NULL, NULL), 0);
    const int fds = open_fds();
    plait_process *process = plait_start(wait_for_go, &(int){ 3 }, sizeof(int), NULL);
    assert_non_null(process);
    assert_int_equal(open_fds(), fds + 1);
    notes->go = 1;
    assert_int_equal(plait_process_join(process, PLAIT_FOREVER), 0);
    assert_int_equal(open_fds(), fds + 1);
    end(process, 3);
    assert_int_equal(open_fds(), fds);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_hundred_processes_run_at_once),
    cmocka_unit_test(a_thousand_processes_run_one_after_the_other),
    cmocka_unit_test(threads_start_processes_side_by_side),
    cmocka_unit_test(a_child_has_open_what_its_parent_had_and_nothing_else),
    cmocka_unit_test(another_program_has_nothing_of_plait_open),
    cmocka_unit_test(a_running_process_costs_one_descriptor),
};

TEST_MAIN(tests)
