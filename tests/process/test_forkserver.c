/* Children of a forkserver: what they are given, how they end, who they are. */
#include "served.h"

#include <poll.h>

/* ---- functions and arguments ---- */

static int return_it(void *number)
{
    return *(int *)number;
}

static void every_kind_of_exit_code_is_told(void)
{
    for (int code = 0; code < 256; code += 51) run_it(return_it, &code, sizeof code, code);
    run_it(return_it, &(int){ 256 + 7 }, sizeof(int), 7);
    run_it(return_it, &(int){ -1 }, sizeof(int), 255);
}

static int sum_of_bytes(void *argument)
{
    const unsigned char *bytes = argument;
    unsigned sum = 0;
    for (int i = 0; i < 100000; i++) sum += bytes[i];
    return (int)(sum % 251);
}

static void bytes_are_copied(void)
{
    static unsigned char bytes[100000];
    unsigned sum = 0;
    for (int i = 0; i < 100000; i++) sum += bytes[i] = (unsigned char)(i * 7);
    plait_process *process = start_it(sum_of_bytes, bytes, sizeof bytes, NULL);
    memset(bytes, 0, sizeof bytes);
    end_with(process, (int)(sum % 251));
}

static int count_up(void *number)
{
    return ++*(int *)number;
}

static void a_shared_pointer_is_passed_as_it_is(void)
{
    int *number = new_block(sizeof *number);
    run_it(count_up, number, 0, 1);
    run_it(count_up, number, 0, 2);
    CHECK(*number == 2 && plait_free(number) == 0);
}

static int is_null(void *argument)
{
    return argument == NULL;
}

static int is_seven(void *argument)
{
    return (uintptr_t)argument == 7;
}

static void no_argument_is_NULL_and_a_number_is_a_number(void)
{
    run_it(is_null, NULL, 0, 1);
    run_it(is_seven, (void *)7, 0, 1);
}

static void a_private_pointer_is_refused(void)
{
    int number = 0;
    plait_process *process = plait_process_new(count_up, &number, 0, NULL);
    const struct traces before = traces_now();
    CHECK(process && plait_process_start(process) == -EINVAL);
    CHECK_TEXT(plait_error_detail(), "private memory means nothing");
    const struct traces now = traces_now();
    CHECK(now.fds == before.fds && now.blocks == before.blocks && plait_process_free(process) == 0);
}

static int global = 1;

static int return_global(void *unused)
{
    return ++global;
}

static void globals_of_the_parent_are_not_seen(void)
{
    global = 10;
    run_it(return_global, NULL, 0, 2);
    run_it(return_global, NULL, 0, 2);
    CHECK(global == 10);
}

/* ---- ends ---- */

static int end_by(void *signal)
{
    raise(*(int *)signal);
    return 0;
}

static int end_by_exit(void *code)
{
    exit(*(int *)code);
}

static int end_by__exit(void *code)
{
    _exit(*(int *)code);
}

static int end_by_exec(void *unused)
{
    execlp("sh", "sh", "-c", "exit 5", NULL);
    return 1;
}

static void ends_of_all_kinds_are_told(void)
{
    const int signals[] = { SIGKILL, SIGTERM, SIGUSR1, SIGINT };
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) run_it(end_by, &signals[i], sizeof(int), -signals[i]);
    run_it(end_by_exit, &(int){ 11 }, sizeof(int), 11);
    run_it(end_by__exit, &(int){ 12 }, sizeof(int), 12);
    run_it(end_by_exec, NULL, 0, 5);
}

static int crash(void *unused)
{
    signal(SIGSEGV, SIG_DFL);                              /* a sanitizer has a handler for it */
    raise(SIGSEGV);
    return 0;
}

static void a_crash_is_told(void)
{
    run_it(crash, NULL, 0, -SIGSEGV);
}

static void terminate_and_kill_end_it(void)
{
    plait_process *process = start_it(run_on, NULL, 0, NULL);
    CHECK(plait_process_is_alive(process) == 1 && plait_process_exitcode(process) == PLAIT_ERUNNING);
    CHECK(plait_process_join(process, plait_after(0.01)) == -ETIMEDOUT && plait_process_free(process) == PLAIT_ERUNNING);
    CHECK(plait_process_terminate(process) == 0);
    end_with(process, -SIGTERM);
    process = start_it(run_on, NULL, 0, NULL);
    CHECK(plait_process_kill(process) == 0 && plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_kill(process) == 0 && plait_process_terminate(process) == 0);
    end_with(process, -SIGKILL);
}

/* As soon as the descriptor says so, the exit code is there, however it ended. */
static void its_end_shows_in_a_poll(void)
{
    for (int i = 0; i < 20; i++) {
        plait_process *process = start_it(i % 2 ? run_on : return_0, NULL, 0, NULL);
        struct pollfd ready = { .fd = plait_process_sentinel(process), .events = POLLIN };
        if (ready.fd < 0) CHECK(plait__without(PLAIT__WITHOUT_PIDFD));
        if (i % 2) CHECK(plait_process_kill(process) == 0);
        if (ready.fd >= 0) CHECK(poll(&ready, 1, -1) == 1);
        if (ready.fd >= 0 && i % 2 == 0) CHECK(plait_process_is_alive(process) == 0 && plait_process_exitcode(process) == 0);
        end_with(process, i % 2 ? -SIGKILL : 0);
    }
}

static void they_are_among_the_active_children(void)
{
    plait_process *two[2], *found[4];
    for (int i = 0; i < 2; i++) two[i] = start_it(run_on, NULL, 0, NULL);
    CHECK(plait_active_children(found, 4) == 2);
    CHECK((found[0] == two[0] && found[1] == two[1]) || (found[0] == two[1] && found[1] == two[0]));
    CHECK(plait_process_kill(two[0]) == 0);
    end_with(two[0], -SIGKILL);
    CHECK(plait_active_children(found, 4) == 1 && found[0] == two[1]);
    CHECK(plait_process_kill(two[1]) == 0);
    end_with(two[1], -SIGKILL);
    CHECK(plait_active_children(NULL, 0) == 0);
}

/* ---- who it is ---- */

struct self {
    pid_t pid, server, parent;
    _Atomic int flag;
    char name[64], parent_name[64], ps[32];
    int daemon, method, parent_alive, joined;
};

static int tell_self(void *argument)
{
    struct self *self = argument;
    plait_process *parent = plait_parent_process();
    CHECK(parent && plait_current_process() && plait_current() == plait_current_process());
    self->pid = getpid();
    self->server = getppid();
    self->parent = plait_process_pid(parent);
    snprintf(self->name, sizeof self->name, "%s", plait_process_name(plait_current()));
    snprintf(self->parent_name, sizeof self->parent_name, "%s", plait_process_name(parent));
    prctl(PR_GET_NAME, self->ps);
    self->daemon = plait_process_daemon(plait_current());
    self->method = plait_get_start_method();
    self->parent_alive = plait_process_is_alive(parent);
    self->joined = plait_process_join(parent, plait_after(0.001));
    return 0;
}

static void it_knows_who_it_is(void)
{
    struct self *self = new_block(sizeof *self);
    CHECK(plait_process_set_name(plait_current(), "Host") == 0);
    plait_process *process = start_it(tell_self, self, 0, &(plait_process_options){ .class_name = "Worker", .daemon = 1 });
    const pid_t pid = plait_process_pid(process);
    CHECK(strcmp(plait_process_name(process), "Worker-1") == 0 && plait_process_daemon(process) == 1);
    end_with(process, 0);
    CHECK(self->pid == pid && self->server == plait_forkserver_pid() && self->parent == getpid());
    CHECK(strcmp(self->name, "Worker-1") == 0 && strcmp(self->parent_name, "Host") == 0 && strcmp(self->ps, "Worker-1") == 0);
    CHECK(self->daemon == 1 && self->method == PLAIT_FORKSERVER && self->parent_alive == 1 && self->joined == -ETIMEDOUT);
    CHECK(plait_free(self) == 0);
}

static int start_another(void *unused)
{
    return plait_start(return_0, NULL, 0, NULL) ? 0 : errno == -PLAIT_EDAEMON ? 3 : 4;
}

static void a_daemon_may_not_have_children(void)
{
    end_with(start_it(start_another, NULL, 0, &(plait_process_options){ .daemon = 1 }), 3);
}

/* ---- signals of the terminal, and masks ---- */

struct signals {
    sigset_t blocked;
    bool interrupt_is_default, child_is_default;
};

static bool is_default(int signal)
{
    struct sigaction action;
    CHECK(sigaction(signal, NULL, &action) == 0);
    return action.sa_handler == SIG_DFL;
}

static int tell_signals(void *argument)
{
    struct signals *signals = argument;
    sigprocmask(SIG_BLOCK, NULL, &signals->blocked);
    signals->interrupt_is_default = is_default(SIGINT);
    signals->child_is_default = is_default(SIGCHLD);
    return 0;
}

static void signals_are_as_at_the_begin(void)
{
    struct signals *signals = new_block(sizeof *signals);
    run_it(tell_signals, signals, 0, 0);
    for (int i = 1; i < 32; i++) CHECK(sigismember(&signals->blocked, i) == 0);
    CHECK(signals->interrupt_is_default && signals->child_is_default && plait_free(signals) == 0);
}

static void the_server_survives_an_interrupt(void)
{
    const pid_t server = plait_forkserver_pid();
    plait_process *process = start_it(run_on, NULL, 0, NULL);
    CHECK(signal(SIGINT, SIG_IGN) != SIG_ERR);
    CHECK(kill(server, SIGINT) == 0 && kill(plait_process_pid(process), SIGINT) == 0);
    end_with(process, -SIGINT);
    run_it(return_0, NULL, 0, 0);
    CHECK(plait_forkserver_pid() == server);
}

/* ---- descriptors ---- */

static int count_fds(void *unused)
{
    return open_fds();
}

/* The standard streams, the arena, and a pidfd of the parent (without those the pipe by which the server's owner sees its end). */
static void no_descriptor_leaks_into_a_child(void)
{
    const int inherited[2] = { dup(0), dup(0) };
    run_it(count_fds, NULL, 0, is_open(0) + is_open(1) + is_open(2) + 2);
    close(inherited[0]);
    close(inherited[1]);
}

static const struct CMUnitTest tests[] = {
    WITH_AND_WITHOUT_STOCK(every_kind_of_exit_code_is_told),
    WITH_AND_WITHOUT_STOCK(bytes_are_copied),
    WITH_AND_WITHOUT_STOCK(a_shared_pointer_is_passed_as_it_is),
    WITH_AND_WITHOUT_STOCK(no_argument_is_NULL_and_a_number_is_a_number),
    WITH_AND_WITHOUT_STOCK(a_private_pointer_is_refused),
    WITH_AND_WITHOUT_STOCK(globals_of_the_parent_are_not_seen),
    WITH_AND_WITHOUT_STOCK(ends_of_all_kinds_are_told),
    WITH_AND_WITHOUT_STOCK(a_crash_is_told),
    WITH_AND_WITHOUT_STOCK(terminate_and_kill_end_it),
    WITH_AND_WITHOUT_STOCK(its_end_shows_in_a_poll),
    WITH_AND_WITHOUT_STOCK(they_are_among_the_active_children),
    WITH_AND_WITHOUT_STOCK(it_knows_who_it_is),
    WITH_AND_WITHOUT_STOCK(a_daemon_may_not_have_children),
    WITH_AND_WITHOUT_STOCK(signals_are_as_at_the_begin),
    WITH_AND_WITHOUT_STOCK(the_server_survives_an_interrupt),
    WITH_AND_WITHOUT_STOCK(no_descriptor_leaks_into_a_child),
};

TEST_MAIN(tests)
