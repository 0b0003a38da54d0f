/* log/listeners.c - the logger of this process: its level, whether it writes to standard error, and its handlers.
 *
 * Whoever changes any of it holds `changing`, never while anything else is waited for or called.  Whoever logs takes no lock: it
 * counts itself in the word of a handler's place while it is inside:
 *
 *   31        20 19        2     1      0
 *   | times used | inside  | going | set |
 *
 * A place that is going is entered no more, and is free when the last one has left.  In a forked child those who were inside, but
 * for the thread that forked, are not there any more: there the counts are set right.
 */
#include "log/listeners.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>

#include "base/error.h"
#include "family/wait.h"

#define SET 1u
#define GOING 2u
#define ONE_INSIDE 4u
#define INSIDE 0xffffcu
#define ONE_USE (1u << 20)

#define PLACES 32u                                         /* as many as the bits of inside_of */
static struct place {
    plait__word word;
    plait_log_handler handler;                             /* written before SET is, and not again before the place is free */
    void *context;
} places[PLACES];

static struct plait_logger logger;
_Atomic int plait__log_threshold = INT_MAX;
static _Thread_local uint32_t inside_of;                   /* the places whose handlers this thread runs now */
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

/* ---- forks ---- */

static void before_fork(void)
{
    pthread_mutex_lock(&changing);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&changing);
}

/* A place as it is when nobody is inside who is not in `inside` (0 or ONE_INSIDE). */
static uint32_t word_with(uint32_t word, uint32_t inside)
{
    if ((word & GOING) && !inside) return (word & ~(ONE_USE - 1)) + ONE_USE;
    return (word & ~INSIDE) | inside;
}

static void after_fork_in_child(void)
{
    for (uint32_t i = 0; i < PLACES; i++)
        atomic_store(&places[i].word, word_with(atomic_load(&places[i].word), inside_of >> i & 1 ? ONE_INSIDE : 0));
    pthread_mutex_unlock(&changing);
}

/* Early, as in family/fork.c.  If there is no memory for it, a child that is forked just while another thread changes the
 * logger hangs when it does so too. */
static __attribute__((constructor)) void register_for_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* ---- the level ---- */

static int effective_level(void)
{
    int level = atomic_load(&logger.level);
    return level ? level : PLAIT_LOG_WARNING;
}

static void end_change(void)
{
    bool heard = atomic_load(&logger.to_stderr) || atomic_load(&logger.handlers);
    atomic_store(&plait__log_threshold, heard ? effective_level() : INT_MAX);
    pthread_mutex_unlock(&changing);
}

plait_logger *plait_get_logger(void)
{
    return &logger;
}

int plait__check_logger(const plait_logger *checked)
{
    return checked == &logger ? 0 : plait__fail(-EINVAL, checked ? "this is not the logger" : "the logger is NULL");
}

static int check_level(int level)
{
    return level >= 0 ? 0 : plait__fail(-EINVAL, "the level %d is negative", level);
}

plait_logger *plait_log_to_stderr(int level)
{
    int error = check_level(level);
    if (error) return plait__null(error);
    pthread_mutex_lock(&changing);
    atomic_store(&logger.to_stderr, 1);
    if (level) atomic_store(&logger.level, level);
    end_change();
    return &logger;
}

int plait_log_set_level(plait_logger *changed, int level)
{
    int error = plait__check_logger(changed);
    if (!error) error = check_level(level);
    if (error) return error;
    pthread_mutex_lock(&changing);
    atomic_store(&logger.level, level);
    end_change();
    return 0;
}

int plait_log_level(const plait_logger *asked)
{
    int error = plait__check_logger(asked);
    return error ? error : effective_level();
}

struct plait__log_state plait__log_get_state(void)
{
    return (struct plait__log_state){ atomic_load(&logger.level), atomic_load(&logger.to_stderr) };
}

void plait__log_set_state(struct plait__log_state state)
{
    pthread_mutex_lock(&changing);
    atomic_store(&logger.level, state.level > 0 ? state.level : 0);
    atomic_store(&logger.to_stderr, state.to_stderr != 0);
    end_change();
}

/* ---- handlers ---- */

static bool enter(struct place *place)
{
    uint32_t word = atomic_load(&place->word);
    do {
        if ((word & (SET | GOING)) != SET) return false;
    } while (!atomic_compare_exchange_weak(&place->word, &word, word + ONE_INSIDE));
    return true;
}

static void leave(struct place *place)
{
    uint32_t word = atomic_load(&place->word), left;
    do {
        left = word_with(word, 0);
        if ((word & INSIDE) > ONE_INSIDE) left = word - ONE_INSIDE;
    } while (!atomic_compare_exchange_weak(&place->word, &word, left));
    if (!(left & SET)) plait__wake(&place->word, INT_MAX);
}

void plait__call_handlers(const plait_log_record *record)
{
    for (uint32_t i = 0; i < PLACES; i++) {
        if ((inside_of >> i & 1) || !enter(&places[i])) continue;
        inside_of |= 1u << i;
        places[i].handler(record, places[i].context);
        inside_of &= ~(1u << i);
        leave(&places[i]);
    }
}

/* With `changing` held: where it is set and not going, or NULL. */
static struct place *find(plait_log_handler handler, const void *context)
{
    for (struct place *place = places; place < places + PLACES; place++) {
        bool is_set = (atomic_load(&place->word) & (SET | GOING)) == SET;
        if (is_set && place->handler == handler && place->context == context) return place;
    }
    return NULL;
}

static int add(plait_log_handler handler, void *context)
{
    if (find(handler, context)) return 0;
    for (struct place *place = places; place < places + PLACES; place++) {
        if (atomic_load(&place->word) & SET) continue;     /* a going one, too; nobody is inside of a free one, or enters it */
        place->handler = handler;
        place->context = context;
        atomic_fetch_or(&place->word, SET);
        atomic_fetch_add(&logger.handlers, 1);
        return 0;
    }
    return plait__fail(-ENOSPC, "there are %u handlers already", PLACES);
}

int plait_log_add_handler(plait_logger *changed, plait_log_handler handler, void *context)
{
    int error = plait__check_logger(changed);
    if (error) return error;
    if (!handler) return plait__fail(-EINVAL, "there is no handler");
    pthread_mutex_lock(&changing);
    error = add(handler, context);
    end_change();
    return error;
}

/* The word of its place when it has just become going, or free, by what is done here. */
static uint32_t begin_to_go(struct place *place)
{
    uint32_t word = atomic_load(&place->word), going;
    do {
        going = word_with(word | GOING, word & INSIDE);
    } while (!atomic_compare_exchange_weak(&place->word, &word, going));
    atomic_fetch_sub(&logger.handlers, 1);
    return going;
}

/* Until the place is free, or even used again: until its word is not that of the same use. */
static int until_left(struct place *place, uint32_t word, plait_deadline deadline)
{
    int error = plait__member();
    if (error) return error;
    struct plait__wait wait = plait__wait_until(deadline);
    for (;;) {
        uint32_t seen = atomic_load(&place->word);
        if (seen / ONE_USE != word / ONE_USE) break;
        if (plait__wait(&wait, &place->word, seen, 0) < 0)
            return plait__fail(-ETIMEDOUT, "the handler still runs in another thread");
    }
    plait__wait_end(&wait);
    return 0;
}

int plait_log_remove_handler(plait_logger *changed, plait_log_handler handler, void *context, plait_deadline deadline)
{
    int error = plait__check_logger(changed);
    if (error) return error;
    pthread_mutex_lock(&changing);
    struct place *place = find(handler, context);
    uint32_t word = place ? begin_to_go(place) : 0;
    end_change();
    if (!place) return plait__fail(-ENOENT, "there is no such handler");
    if (!(word & SET) || inside_of) return 0;              /* two handlers that waited for each other would do so for ever */
    return until_left(place, word, deadline);
}
