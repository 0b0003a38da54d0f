/* wait/wait.c - waiting for many things in one sleep.
 *
 * What tells of a change of a thing is a word, or a descriptor, or both (family/waitable.h).  If there are only words, and few, one
 * futex_waitv sleeps on all of them; if there are only descriptors, one poll.  Of both, or where there is no futex_waitv, one poll
 * on the descriptors and on a bell, which is rung when one of the words changes (family/bell.h).
 *
 * Nothing is taken here.  So who slept on words and was woken may have been woken in the place of another: it wakes the next one
 * for all that it leaves.  Who was rung need not.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "family/wait.h"
#include "sync/owner.h"
#include "wait/things.h"

#define FEW 16u                                            /* need no private memory */

struct call {
    struct plait__things things;
    struct plait__wait wait;
    struct pollfd *polled;                                 /* [i] is of thing i, [n] of the bell */
    struct pollfd *packed;                                 /* those of them that have a descriptor, for the kernel */
    bool has_polled;                                       /* what they report is not yet looked at */
    bool slept_on_words;
    struct plait__place few_places[FEW];
    struct pollfd few_polled[FEW + 1], few_packed[FEW + 1];
};

/* ---- descriptors ---- */

/* The descriptors of the present places.  One that has told of an object which is still not ready will go on telling: that object
 * will be looked at soon. */
static void choose_polled(struct call *call)
{
    struct plait__things *things = &call->things;
    for (size_t i = 0; i < things->n; i++) {
        const struct plait__place *place = &things->places[i];
        bool has_told = call->has_polled && call->polled[i].revents && things->all[i].kind != PLAIT_WAIT_FD;
        int64_t soon = has_told ? plait__now() + PLAIT__MILLISECOND : 0;
        if (soon && (!things->again || soon < things->again)) things->again = soon;
        call->polled[i] = (struct pollfd){ .fd = has_told ? -1 : place->fd, .events = place->events };
    }
    call->polled[things->n] = (struct pollfd){ .fd = -1, .events = POLLIN };
}

static unsigned pack(struct call *call)
{
    return plait__things_pack(call->polled, call->things.n + 1, call->packed);
}

/* The result of a poll of what is packed. */
static void has_polled(struct call *call, int result)
{
    call->has_polled = result > 0;
    if (call->has_polled) plait__things_unpack(call->polled, call->things.n + 1, call->packed);
}

static int poll_now(struct call *call)
{
    choose_polled(call);
    int result = plait__wait_fds(call->packed, pack(call), PLAIT_NOW);
    has_polled(call, result);
    return result == -ETIMEDOUT ? 0 : result;
}

/* How many things are ready, after a look and perhaps a poll. */
static int count_ready(struct call *call, int ready)
{
    for (size_t i = 0; i < call->things.n && call->has_polled && ready >= 0; i++) {
        int told = plait__things_told(&call->things, i, call->polled[i].revents);
        ready = told < 0 ? told : ready + told;
    }
    if (ready < 0) plait__things_forget(&call->things);
    return ready;
}

/* ---- sleeping ---- */

static bool can_sleep_on_words(const struct plait__things *things)
{
    if (things->fds || things->again || !things->words) return false;
    return things->words == 1 || (things->words <= PLAIT__PARK_MAX && plait__can_park_many());
}

static int sleep_on_words(struct call *call)
{
    struct plait__futex words[PLAIT__PARK_MAX];
    unsigned count = 0;
    plait__word *word = NULL;
    uint32_t expected = 0;
    int ready = plait__things_look(&call->things, true);
    if (ready || !can_sleep_on_words(&call->things)) return ready < 0 ? ready : 0;
    for (size_t i = 0; i < call->things.n; i++) {
        const struct plait__place *place = &call->things.places[i];
        if (!place->word) continue;
        word = place->word;
        expected = place->expected;
        words[count++] = plait__futex_entry(word, expected);
    }
    call->slept_on_words = true;
    return count == 1 ? plait__park(&call->wait, word, expected, 0) : plait__park_many(&call->wait, words, count);
}

static int sleep_on_descriptors(struct call *call)
{
    plait_deadline until = call->wait.deadline;
    choose_polled(call);
    if (call->things.again) until.at = plait__earlier(until, call->things.again);
    int result = plait__wait_fds(call->packed, pack(call), until);
    has_polled(call, result);
    return result == -ETIMEDOUT || result > 0 ? 0 : result;
}

/* The bell is to be rung for each word of the present places. */
static void want_all(const struct plait__things *things, struct plait__ear *ear)
{
    for (size_t i = 0; i < things->n; i++)
        if (things->places[i].word) plait__bell_want(ear, things->places[i].word);
}

/* The words of a later look may be others. */
static plait__word *wanted_word(const struct plait__things *things, const struct plait__ear *ear)
{
    plait__word *word = NULL;
    for (size_t i = 0; i < things->n; i++) {
        if (!things->places[i].word) continue;
        word = things->places[i].word;
        if (!plait__bell_wants(ear, word)) return NULL;
    }
    return word;
}

static int poll_with_bell(struct call *call, struct plait__ear *ear)
{
    int ready = plait__things_look(&call->things, true);
    plait__word *word = ready ? NULL : wanted_word(&call->things, ear);
    if (!word) return ready < 0 ? ready : 0;
    choose_polled(call);
    call->polled[call->things.n].fd = ear->fd;
    ready = plait__park_fds(&call->wait, word, call->packed, pack(call), call->things.again);
    has_polled(call, ready);
    if (call->polled[call->things.n].revents) ear->may_have_bytes = true;
    return ready < 0 ? ready : 0;
}

static int sleep_on_both(struct call *call)
{
    struct plait__ear *ear = plait__bell_of_thread();
    if (!ear) return -errno;
    want_all(&call->things, ear);
    plait__bell_arm(ear);
    int error = poll_with_bell(call, ear);
    plait__bell_rest(ear);
    return error;
}

/* 0: look again; -ETIMEDOUT; or an error. */
static int go_to_sleep(struct call *call)
{
    call->has_polled = call->has_polled && call->things.fds;
    if (can_sleep_on_words(&call->things)) return sleep_on_words(call);
    return call->things.words ? sleep_on_both(call) : sleep_on_descriptors(call);
}

/* ---- waiting ---- */

static bool spins(struct call *call)
{
    if (!call->things.words || plait__is_now(call->wait.deadline)) return false;
    while (plait__spin(&call->wait))
        if (plait__things_any_word_ready(&call->things)) return true;
    return false;
}

/* Look at all of them, with a poll where there are descriptors, unless the last one is still to be looked at. */
static int look(struct call *call, bool polls)
{
    int ready = plait__things_look(&call->things, false);
    if (ready >= 0 && call->things.fds && !call->has_polled && (ready || polls)) {
        int error = poll_now(call);
        if (error < 0) ready = error;
    }
    return count_ready(call, ready);
}

static int wait_for_any(struct call *call)
{
    int error = 0;
    for (bool first = true; !error; first = false) {
        bool last = plait__expired(call->wait.deadline);
        int ready = look(call, last || (first && call->things.words));
        if (ready) return ready;
        if (last) error = plait__give_up(0);
        else if (!spins(call)) error = go_to_sleep(call);
        else call->has_polled = false;
    }
    return error == -ETIMEDOUT ? plait__fail(error, "none of the %zu things is ready", call->things.n) : error;
}

static int wait_for_things(struct call *call)
{
    plait__may_be_woken();
    int result = wait_for_any(call);
    if (call->slept_on_words) plait__things_pass_on(&call->things);
    plait__no_more_woken();
    plait__wait_end(&call->wait);
    return result;
}

int plait_wait(plait_waitable *things, size_t n, plait_deadline deadline)
{
    int error = plait__things_check(things, n);
    if (!error && !n && plait__is_forever(deadline)) error = plait__fail(-EINVAL, "there is nothing to wait for, for ever");
    if (!error) error = plait__member();
    if (error) return error;
    struct call call = { .things = { .all = things, .n = n }, .wait = plait__wait_for(PLAIT__FOR_ANY, NULL, deadline) };
    void *many = NULL;
    call.things.places = call.few_places;
    call.polled = call.few_polled;
    call.packed = call.few_packed;
    if (n > FEW) {
        many = malloc(n * sizeof *call.things.places + 2 * (n + 1) * sizeof *call.polled);
        if (!many) return plait__fail(-ENOMEM, "no private memory to wait for %zu things", n);
        call.things.places = many;
        call.polled = (struct pollfd *)(void *)(call.things.places + n);
        call.packed = call.polled + n + 1;
    }
    int result = wait_for_things(&call);
    free(many);
    return result;
}
