#include "program.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { MOST_ARGUMENTS = 16 };

/* To be appended to: the kernel does not keep apart writes of several processes at the common offset of a memfd. */
static int temporary_file(const char *content)
{
    const int file = memfd_create("output of a program", MFD_CLOEXEC);
    assert_true(file >= 0);
    const size_t length = strlen(content);
    assert_int_equal(pwrite(file, content, length, 0), length);
    assert_int_equal(fcntl(file, F_SETFL, O_APPEND), 0);
    return file;
}

static __attribute__((noreturn)) void become(const struct program *program, int in, char **arguments)
{
    char path[4096];
    const char *build = getenv("PLAIT_BUILD");
    snprintf(path, sizeof path, "%s/examples/%s", build ? build : "build", arguments[0]);
    CHECK(setpgid(0, 0) == 0);
    CHECK(dup2(in, STDIN_FILENO) == STDIN_FILENO);
    CHECK(dup2(program->out_to ? program->out_to : program->out_file, STDOUT_FILENO) == STDOUT_FILENO);
    CHECK(dup2(program->err_to ? program->err_to : program->err_file, STDERR_FILENO) == STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = 0; fd < 3; fd++)
        if (program->closed >> fd & 1) close(fd);
    execv(path, arguments);
    CHECK(!"execv");
    _exit(TEST_CHECK_FAILED);
}

void program_start(struct program *program, const char *name, ...)
{
    char *arguments[MOST_ARGUMENTS + 1] = { (char *)name };
    va_list list;
    va_start(list, name);
    for (int i = 1; i <= MOST_ARGUMENTS && (arguments[i] = va_arg(list, char *)); i++) {}
    va_end(list);
    assert_null(arguments[MOST_ARGUMENTS]);

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    program->out_file = temporary_file("");
    program->err_file = temporary_file("");
    const int input = temporary_file(program->input ? program->input : "");
    program->pid = fork();
    assert_true(program->pid >= 0);
    if (program->pid == 0) become(program, program->in ? program->in : input, arguments);
    setpgid(program->pid, program->pid);                   /* here too: who sends it a signal next finds the group */
    close(input);
}

static char *content_of(int file)
{
    const off_t length = lseek(file, 0, SEEK_END);
    char *content = malloc((size_t)length + 1);
    assert_non_null(content);
    assert_int_equal(pread(file, content, (size_t)length, 0), length);
    content[length] = '\0';
    close(file);
    return content;
}

void program_wait(struct program *program)
{
    program->status = test_wait_exit(program->pid);
    while (waitpid(-program->pid, NULL, 0) >= 0 || errno == EINTR) {}
    program->out = content_of(program->out_file);
    program->err = content_of(program->err_file);
}

void program_run_well(struct program *program, const char *name, const char *argument)
{
    *program = (struct program){ 0 };
    program_run(program, name, argument, NULL);
    assert_string_equal(program->err, "");
    assert_int_equal(program->status, 0);
}

void program_wrong_argument(const char *name, const char *argument, const char *usage)
{
    struct program program = { 0 };
    program_run(&program, name, argument, NULL);
    assert_string_equal(program.out, "");
    assert_non_null(strstr(program.err, usage));
    assert_int_equal(program.status, 2);
    program_free(&program);
}

void program_free(struct program *program)
{
    free(program->out);
    free(program->err);
}

size_t program_children(pid_t pid, pid_t *children, size_t most)
{
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    for (int child; count < most && fscanf(file, "%d", &child) == 1;) children[count++] = child;
    fclose(file);
    return count;
}

bool program_ended(const struct program *program)
{
    siginfo_t info = { 0 };
    assert_int_equal(waitid(P_PID, (id_t)program->pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid != 0;
}
