/* Two programs that nobody has started from each other share a queue and a counter: the one keeps a shop, customers come and go.
 *
 *     join_family keep PATH       opens a door at PATH (or "@NAME"), takes orders until somebody says "close", and tells the sum
 *     join_family order PATH N    joins the family of the shop, and puts N orders into its queue
 *     join_family close PATH      joins it, and closes the shop
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plait.h>

struct shop {
    plait_queue *orders;
    plait_lock lock;           /* guards the next two */
    int customers;
    long ordered;
};

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", what, plait_strerror(errno), plait_error_detail());
    return 1;
}

static int failed_with(const char *what, int error)
{
    errno = -error;
    return failed(what);
}

static int take_orders(struct shop *shop)
{
    long sum = 0;
    int order;
    ssize_t got;
    while ((got = plait_queue_get(shop->orders, &order, sizeof order, PLAIT_FOREVER)) >= 0) sum += order;
    if (got != PLAIT_ECLOSED) return failed_with("get", (int)got);
    printf("%d customers, %ld orders, sum %ld\n", shop->customers, shop->ordered, sum);
    return 0;
}

static int keep(const char *path)
{
    struct shop *shop = plait_alloc(sizeof *shop);
    if (!shop || !(shop->orders = plait_queue_new(NULL))) return failed("shop");
    int error = plait_family_publish("shop", shop);
    if (error) return failed_with("publish", error);
    plait_door *door = plait_family_listen(path, NULL);
    if (!door) return failed("listen");
    plait_process_options in_a_thread = { .kind = PLAIT_THREADS, .daemon = 1 };
    plait_process *doorman = plait_start(plait_door_serve, door, 0, &in_a_thread);
    if (!doorman) return failed("doorman");

    printf("open\n");
    fflush(stdout);
    int result = take_orders(shop);

    plait_door_close(door);
    plait_process_join(doorman, PLAIT_FOREVER);
    plait_process_free(doorman);
    plait_door_free(door);
    return result;
}

static int order(struct shop *shop, int count)
{
    for (int i = 1; i <= count; i++) {
        int error = plait_queue_put(shop->orders, &i, sizeof i, PLAIT_FOREVER);
        if (error < 0) return failed_with("put", error);
    }
    int got = plait_lock_acquire(&shop->lock, PLAIT_FOREVER);
    if (got < 0) return failed_with("acquire", got);
    shop->customers++;
    shop->ordered += count;
    plait_lock_release(&shop->lock);
    printf("%s ordered %d\n", plait_process_name(plait_current()), count);
    return 0;
}

static int go_shopping(const char *path, const char *what, int count)
{
    int error = plait_family_join(path, plait_after(10));
    if (error) return failed_with("join", error);
    struct shop *shop = plait_family_find("shop", plait_after(10));
    if (!shop) return failed("find");
    if (strcmp(what, "order") == 0) return order(shop, count);
    error = plait_queue_close(shop->orders);
    return error ? failed_with("close", error) : 0;
}

int main(int argc, char **argv)
{
    plait_init(&argc, &argv);
    if (argc == 3 && strcmp(argv[1], "keep") == 0) return keep(argv[2]);
    if (argc == 3 && strcmp(argv[1], "close") == 0) return go_shopping(argv[2], argv[1], 0);
    if (argc == 4 && strcmp(argv[1], "order") == 0) return go_shopping(argv[2], argv[1], atoi(argv[3]));
    fprintf(stderr, "usage: join_family keep PATH | order PATH N | close PATH\n");
    return 2;
}
