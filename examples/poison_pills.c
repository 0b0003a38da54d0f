/* poison_pills - tasks for several consumers, results from them; a poison pill for each ends it.
 *
 * Tasks are objects of a class, with attributes a and b; to call one is to do it.  The queue of tasks is joinable: a consumer says
 * when a task is done, and the producer waits until all are.  A consumer that is killed in the middle loses nothing, its task
 * goes to another.
 *
 * usage: poison_pills [CONSUMERS]      how many; default: two for each CPU
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <plait.h>

enum { TASKS = 10, MOST_CONSUMERS = 1000 };

struct queues {
    plait_queue *tasks, *results;
};

static int complain(const char *what, int error)
{
    fprintf(stderr, "poison_pills: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

/* ---- class Task ---- */

struct task {
    int64_t a, b;
};

static plait_value *encode(const void *self)
{
    const struct task *task = self;
    return plait_dict(2, plait_string("a"), plait_int(task->a), plait_string("b"), plait_int(task->b));
}

static int decode(void *self, const plait_value *attributes)
{
    struct task *task = self;
    int error = plait_int_get(plait_dict_get_string(attributes, "a"), &task->a);
    return error ? error : plait_int_get(plait_dict_get_string(attributes, "b"), &task->b);
}

static plait_value *call(void *self, const plait_value *arguments)
{
    const struct task *task = self;
    const struct timespec some_time = { .tv_nsec = 100000000 };
    char answer[100];
    (void)arguments;
    nanosleep(&some_time, NULL);                           /* pretend to take some time to do the work */
    snprintf(answer, sizeof answer, "%lld * %lld = %lld", (long long)task->a, (long long)task->b, (long long)(task->a * task->b));
    return plait_string(answer);
}

static plait_value *to_string(void *self, const plait_value *arguments)
{
    const struct task *task = self;
    char text[60];
    (void)arguments;
    snprintf(text, sizeof text, "%lld * %lld", (long long)task->a, (long long)task->b);
    return plait_string(text);
}

static const plait_method methods[] = { { "__call__", call }, { "__str__", to_string }, { NULL, NULL } };

static const plait_class task_class = {
    .name = "__main__.Task", .size = sizeof(struct task), .encode = encode, .decode = decode, .methods = methods,
};

/* ---- class Consumer ---- */

static int do_task(const struct queues *queues, plait_value *task)
{
    printf("%s: %s\n", plait_process_name(plait_current()), plait_str(task));
    plait_value *answer = plait_object_call(task, "__call__", NULL);
    plait_value_free(task);
    if (!answer) return -errno;
    int error = plait_queue_put_value(queues->results, answer, PLAIT_FOREVER);
    return error ? error : plait_queue_task_done(queues->tasks);         /* last: until then another would do it if this one dies */
}

static int run(void *argument)
{
    const struct queues *queues = argument;
    int error = plait_class_register(&task_class);
    setvbuf(stdout, NULL, _IOLBF, 0);                      /* whole lines, as they come */
    while (!error) {
        plait_value *task = plait_queue_get_value(queues->tasks, PLAIT_FOREVER);
        if (!task) return complain("get", errno);
        if (!plait_is_none(task)) {
            error = do_task(queues, task);
            continue;
        }
        printf("%s: Exiting\n", plait_process_name(plait_current()));
        plait_value_free(task);
        return plait_queue_task_done(queues->tasks) != 0;
    }
    return complain(plait_process_name(plait_current()), error);
}

/* ---- the producer ---- */

/* How many could be started. */
static int start_consumers(plait_process **consumers, int count, const struct queues *queues)
{
    printf("Creating %d consumers\n", count);
    fflush(stdout);                                        /* or forked children would print it again */
    for (int i = 0; i < count; i++) {
        consumers[i] = plait_start(run, queues, sizeof *queues, &(plait_process_options){ .class_name = "Consumer" });
        if (consumers[i]) continue;
        complain("no consumer", errno);
        return i;
    }
    return count;
}

static int put_tasks_and_pills(plait_queue *tasks, int consumers)
{
    int error = 0;
    for (int i = 0; i < TASKS && !error; i++)
        error = plait_queue_put_value(tasks, plait_instance(&task_class, &(struct task){ i, i }), PLAIT_FOREVER);
    for (int i = 0; i < consumers && !error; i++) error = plait_queue_put_value(tasks, plait_none(), PLAIT_FOREVER);
    return error;
}

static int print_results(plait_queue *results)
{
    for (int i = 0; i < TASKS; i++) {
        plait_value *result = plait_queue_get_value(results, PLAIT_NOW); /* all are there: their tasks are done */
        if (!result) return complain("a result", errno);
        printf("Result: %s\n", plait_str(result));
        plait_value_free(result);
    }
    return 0;
}

static int produce(const struct queues *queues, int count)
{
    plait_process *consumers[MOST_CONSUMERS];
    const int started = start_consumers(consumers, count, queues);
    int failed = started < count, error = started ? put_tasks_and_pills(queues->tasks, started) : -ECHILD;
    if (!error) error = plait_queue_join(queues->tasks, PLAIT_FOREVER);
    failed |= error ? complain("the tasks", error) : print_results(queues->results);
    for (int i = 0; i < started; i++) {
        if (error) plait_process_terminate(consumers[i]);
        plait_process_join(consumers[i], PLAIT_FOREVER);
        failed |= plait_process_exitcode(consumers[i]) != 0;
        plait_process_free(consumers[i]);
    }
    return failed;
}

int main(int argc, char **argv)
{
    int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    const int count = argc > 1 ? atoi(argv[1]) : 2 * plait_cpu_count();
    if (argc > 2 || count < 1 || count > MOST_CONSUMERS) {
        fprintf(stderr, "usage: poison_pills [CONSUMERS]\n");
        return 2;
    }
    if ((error = plait_class_register(&task_class))) return complain("the class", error);
    const struct queues queues = { plait_queue_new(&(plait_queue_options){ .joinable = 1 }), plait_queue_new(NULL) };
    const int failed = queues.tasks && queues.results ? produce(&queues, count) : complain("no queue", errno);
    plait_queue_free(queues.tasks);
    plait_queue_free(queues.results);
    return failed;
}
