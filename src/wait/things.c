#include "wait/things.h"

#include "base/error.h"
#include "message/waitables.h"
#include "process/waitables.h"
#include "sync/waitables.h"

/* By kind; NULL: a descriptor, or nothing. */
static const struct plait__waitable *const kinds[] = {
    [PLAIT_WAIT_NOTHING] = NULL,
    [PLAIT_WAIT_FD] = NULL,
    [PLAIT_WAIT_QUEUE] = &plait__queue_waitable,
    [PLAIT_WAIT_QUEUE_ROOM] = &plait__room_waitable,
    [PLAIT_WAIT_PROCESS] = &plait__process_waitable,
    [PLAIT_WAIT_EVENT] = &plait__event_waitable,
    [PLAIT_WAIT_SEMAPHORE] = &plait__semaphore_waitable,
    [PLAIT_WAIT_CONNECTION] = &plait__connection_waitable,
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- checking ---- */

int plait__thing_not_open(const plait_waitable *thing, size_t i)
{
    return plait__fail(-EBADF, "thing %zu: descriptor %d is not open", i, thing->fd);
}

static int check(const plait_waitable *thing, size_t i)
{
    if (thing->kind < 0 || (size_t)thing->kind >= KINDS)
        return plait__fail(-EINVAL, "thing %zu: there is no kind %d", i, thing->kind);
    if (thing->reserved) return plait__fail(-EINVAL, "thing %zu: the reserved field is %d, not 0", i, thing->reserved);
    if (thing->kind == PLAIT_WAIT_FD && thing->fd < 0) return plait__thing_not_open(thing, i);
    if (kinds[thing->kind] && !thing->object) return plait__fail(-EINVAL, "thing %zu: the object is NULL", i);
    return 0;
}

int plait__things_check(const plait_waitable *things, size_t n)
{
    int error = !things && n ? plait__fail(-EINVAL, "the things are NULL, there are %zu", n) : 0;
    if (n > INT32_MAX / sizeof *things) error = plait__fail(-EINVAL, "%zu things are too many", n);
    for (size_t i = 0; i < n && !error; i++) error = check(&things[i], i);
    return error;
}

/* ---- looking ---- */

static struct plait__place place_of_fd(const plait_waitable *thing)
{
    bool is_fd = thing->kind == PLAIT_WAIT_FD;
    return (struct plait__place){ .fd = is_fd ? thing->fd : -1, .events = (short)(thing->events ? thing->events : POLLIN) };
}

static void count_place(struct plait__things *things, const struct plait__place *place)
{
    things->words += place->word != NULL;
    things->fds += place->fd >= 0;
    if (place->again && (!things->again || place->again < things->again)) things->again = place->again;
}

static int look_at(plait_waitable *thing, size_t i, bool arms, struct plait__place *place)
{
    const struct plait__waitable *kind = kinds[thing->kind];
    *place = place_of_fd(thing);
    thing->ready = 0;
    if (!kind) return 0;
    int ready = kind->look(thing->object, arms, place);
    if (ready < 0) plait__add_detail("thing %zu", i);
    if (ready > 0) thing->ready = 1;
    return ready;
}

void plait__things_forget(struct plait__things *things)
{
    for (size_t i = 0; i < things->n; i++) things->all[i].ready = 0;
}

int plait__things_look(struct plait__things *things, bool arms)
{
    int count = 0;
    things->words = things->fds = 0;
    things->again = 0;
    for (size_t i = 0; i < things->n; i++) {
        int ready = look_at(&things->all[i], i, arms, &things->places[i]);
        if (ready < 0) {
            plait__things_forget(things);
            return ready;
        }
        if (!ready) count_place(things, &things->places[i]);
        else things->places[i] = (struct plait__place){ .fd = -1 };
        count += ready;
    }
    return count;
}

bool plait__things_any_word_ready(struct plait__things *things)
{
    struct plait__place place;
    for (size_t i = 0; i < things->n; i++) {
        const struct plait__place *seen = &things->places[i];
        if (seen->word && seen->fd < 0 && look_at(&things->all[i], i, false, &place)) return true;
    }
    return false;
}

int plait__things_told(struct plait__things *things, size_t i, short reported)
{
    plait_waitable *thing = &things->all[i];
    if (!reported || thing->kind != PLAIT_WAIT_FD) return 0;
    if (reported & POLLNVAL) return plait__thing_not_open(thing, i);
    thing->ready = reported;
    return 1;
}

unsigned plait__things_pack(const struct pollfd *polled, size_t n, struct pollfd *packed)
{
    unsigned count = 0;
    for (size_t i = 0; i < n; i++)
        if (polled[i].fd >= 0) packed[count++] = polled[i];
    return count;
}

void plait__things_unpack(struct pollfd *polled, size_t n, const struct pollfd *packed)
{
    for (size_t i = 0; i < n; i++) polled[i].revents = (short)(polled[i].fd >= 0 ? (packed++)->revents : 0);
}

void plait__things_pass_on(struct plait__things *things)
{
    for (size_t i = 0; i < things->n; i++) {
        const struct plait__waitable *kind = kinds[things->all[i].kind];
        if (kind && kind->pass_on) kind->pass_on(things->all[i].object);
    }
}
