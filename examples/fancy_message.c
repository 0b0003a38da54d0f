/* fancy_message - an object of a class of your own is put into a queue; another process takes it and calls its method.
 *
 * In C an object is a struct.  What makes it travel are two functions: one that writes its attributes down, and one that fills the
 * struct from them.  A Python program would take the same message for an instance of its __main__.MyFancyClass.
 */
#include <errno.h>
#include <stdio.h>

#include <plait.h>

/* ---- class MyFancyClass ---- */

struct fancy {
    char name[64];
};

static plait_value *encode(const void *self)
{
    return plait_dict(1, plait_string("name"), plait_string(((const struct fancy *)self)->name));
}

static int decode(void *self, const plait_value *attributes)
{
    const char *name = plait_string_get(plait_dict_get_string(attributes, "name"), NULL);
    if (!name) return -EBADMSG;
    snprintf(((struct fancy *)self)->name, sizeof(struct fancy), "%s", name);
    return 0;
}

static plait_value *do_something(void *self, const plait_value *arguments)
{
    (void)arguments;
    printf("Doing something fancy in %s for %s!\n", plait_process_name(plait_current()), ((struct fancy *)self)->name);
    return plait_none();
}

static const plait_method methods[] = { { "do_something", do_something }, { NULL, NULL } };

static const plait_class fancy_class = {
    .name = "__main__.MyFancyClass", .size = sizeof(struct fancy), .encode = encode, .decode = decode, .methods = methods,
};

/* ---- who takes it ---- */

static int complain(const char *what, int error)
{
    fprintf(stderr, "fancy_message: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int worker(void *argument)
{
    plait_queue *queue = *(plait_queue **)argument;
    int error = plait_class_register(&fancy_class);        /* in each process; a forked one has it from its parent already */
    if (error) return complain("the class", error);
    plait_value *object = plait_queue_get_value(queue, PLAIT_FOREVER);
    plait_value *result = object ? plait_object_call(object, "do_something", NULL) : NULL;
    if (!result) error = complain("do_something", errno);
    plait_value_free(result);
    plait_value_free(object);
    return error;
}

/* ---- who puts it ---- */

static int send(plait_queue *queue)
{
    const struct fancy dan = { "Fancy Dan" };
    plait_process *process = plait_start(worker, &queue, sizeof queue, NULL);
    if (!process) return complain("no process", errno);
    int error = plait_queue_put_value(queue, plait_instance(&fancy_class, &dan), PLAIT_FOREVER);
    if (error) complain("put", error);
    plait_queue_close(queue);                              /* nothing more comes */
    if (!error) error = plait_process_join(process, PLAIT_FOREVER);
    if (!error) error = plait_process_exitcode(process);
    plait_process_free(process);
    return error != 0;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    plait_queue *queue = plait_queue_new(NULL);
    if (!queue) return complain("no queue", errno);
    int failed = plait_class_register(&fancy_class);
    if (failed) complain("the class", failed);
    else failed = send(queue);
    plait_queue_free(queue);
    return failed != 0;
}
