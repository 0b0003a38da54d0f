/* condition - a bakery: bakers put loaves on a shelf that has room for three, customers take them.
 *
 * One lock for the shelf, and two conditions with it: bakers wait until there is room, customers until there is a loaf.  Each wakes
 * one of the others.  One customer is killed while it waits; everybody else goes on.
 *
 * usage: condition [LOAVES]      how many loaves each of three bakers bakes; default: 1000
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plait.h>

enum { BAKERS = 3, CUSTOMERS = 3, ROOM = 3 };

struct bakery {
    plait_lock lock;
    plait_condition has_room, has_bread;                   /* both with that lock */
    int loaves_each;
    int on_shelf, most_on_shelf, baked, sold, waiting;
};

static int is_room(void *argument)
{
    const struct bakery *bakery = argument;
    return bakery->on_shelf < ROOM;
}

static int is_bread(void *argument)
{
    const struct bakery *bakery = argument;
    return bakery->on_shelf > 0;
}

/* With the lock.  If somebody was killed with it, what it protects may be half changed; here each change is one number, so it is
 * enough to go on. */
static int wait_for(plait_condition *condition, int (*predicate)(void *argument), struct bakery *bakery)
{
    int got;
    do got = plait_condition_wait_for(condition, predicate, bakery, PLAIT_FOREVER);
    while (got == PLAIT_OWNER_DIED);
    return got;
}

static int bake(void *argument)
{
    struct bakery *bakery = argument;
    for (int i = 0; i < bakery->loaves_each; i++) {
        if (plait_condition_acquire(&bakery->has_room, PLAIT_FOREVER) < 0) return 1;
        if (wait_for(&bakery->has_room, is_room, bakery) < 0) return 1;
        bakery->on_shelf++;
        bakery->baked++;
        if (bakery->on_shelf > bakery->most_on_shelf) bakery->most_on_shelf = bakery->on_shelf;
        plait_condition_notify(&bakery->has_bread, 1);
        plait_condition_release(&bakery->has_room);
    }
    return 0;
}

static int buy(void *argument)
{
    struct bakery *bakery = argument;
    for (int i = 0; i < bakery->loaves_each; i++) {
        if (plait_condition_acquire(&bakery->has_bread, PLAIT_FOREVER) < 0) return 1;
        bakery->waiting++;
        if (wait_for(&bakery->has_bread, is_bread, bakery) < 0) return 1;
        bakery->waiting--;
        bakery->on_shelf--;
        bakery->sold++;
        plait_condition_notify(&bakery->has_room, 1);
        plait_condition_release(&bakery->has_bread);
    }
    return 0;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "condition: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

/* --- who comes and goes ------------------------------------------------------------------------------------------------- */

static int waits_for_bread(struct bakery *bakery)
{
    if (plait_condition_acquire(&bakery->has_bread, PLAIT_FOREVER) < 0) return 0;
    const int waiting = bakery->waiting;
    plait_condition_release(&bakery->has_bread);
    return waiting;
}

/* One who comes before there is any bread, and is killed while it waits for it. */
static int lose_a_customer(struct bakery *bakery)
{
    plait_process *customer = plait_start(buy, bakery, 0, NULL);
    if (!customer) return complain("no customer", errno);
    while (!waits_for_bread(bakery)) continue;
    plait_process_kill(customer);
    plait_process_join(customer, PLAIT_FOREVER);
    printf("a customer that waited ended with %d\n", plait_process_exitcode(customer));
    return plait_process_free(customer);
}

static int sell(struct bakery *bakery)
{
    plait_process *all[BAKERS + CUSTOMERS];
    int failed = 0;
    for (int i = 0; i < BAKERS + CUSTOMERS; i++) {
        all[i] = plait_start(i < CUSTOMERS ? buy : bake, bakery, 0, NULL);
        if (!all[i]) return complain("no process", errno);
    }
    for (int i = 0; i < BAKERS + CUSTOMERS; i++) {
        plait_process_join(all[i], PLAIT_FOREVER);
        failed |= plait_process_exitcode(all[i]) != 0;
        plait_process_free(all[i]);
    }
    return failed;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    const int loaves = argc < 2 ? 1000 : atoi(argv[1]);
    if (argc > 2 || loaves < 1 || loaves > 1000000) {
        fprintf(stderr, "usage: condition [LOAVES]      how many loaves each of three bakers bakes, 1 to 1000000; default: 1000\n");
        return 2;
    }
    struct bakery *bakery = plait_alloc(sizeof *bakery);   /* all zeros: an empty shelf, an unlocked lock */
    if (!bakery) return complain("no shared memory", errno);
    bakery->loaves_each = loaves;
    const plait_condition_options with_lock = { .lock = &bakery->lock };
    plait_condition_init(&bakery->has_room, &with_lock);
    plait_condition_init(&bakery->has_bread, &with_lock);

    int failed = lose_a_customer(bakery) || sell(bakery);
    printf("%d loaves baked, %d sold, %d left, at most %d on the shelf\n", bakery->baked, bakery->sold, bakery->on_shelf,
           bakery->most_on_shelf);
    plait_free(bakery);
    if (fflush(stdout) == 0 && !ferror(stdout)) return failed ? 1 : 0;
    fprintf(stderr, "condition: standard output: %s\n", strerror(errno));
    return 1;
}
