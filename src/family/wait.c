#include "family/wait.h"

#include <errno.h>
#include <poll.h>

#include "base/cpus.h"
#include "base/fault.h"
#include "family/repair.h"

/* ---- spinning ---- */

/* To spin pays when the other side runs on another CPU and is about to answer: waking a sleeper on an idle one takes 40 us.  Who
 * has only spun in vain, because they share a CPU or the other side is slow, spins no more, but for one long try now and then. */
#define SPIN_START 200u                                    /* pauses of the CPU */
#define SPIN_MAX 2000u
#define TRY_FIRST 64u                                      /* so many sleeps after the last success; then twice as many, ... */
#define TRY_LAST 8192u

/* On a single CPU nobody can do what we wait for while we spin. */
void plait__wait_init(void)
{
    plait__self.spin_limit = plait__cpus_online() > 1 && !plait__test_never_spin ? SPIN_START : 0;
    plait__self.try_after = plait__self.spin_limit ? TRY_FIRST : UINT32_MAX;
}

void plait__spinning_failed(void)
{
    plait__self.spin_limit -= plait__self.spin_limit / 8 + (plait__self.spin_limit != 0);
    if (++plait__self.parks < plait__self.try_after) return;
    plait__self.parks = 0;
    if (plait__self.try_after < TRY_LAST) plait__self.try_after *= 2;
    plait__self.spin_limit = SPIN_MAX;
}

void plait__wait_learn(const struct plait__wait *wait)
{
    if (wait->slept) return;
    uint32_t limit = wait->spins * 2 + 20;
    plait__self.parks = 0;
    plait__self.try_after = TRY_FIRST;
    if (limit > plait__self.spin_limit) plait__self.spin_limit = limit < SPIN_MAX ? limit : SPIN_MAX;
}

/* ---- sleeping ---- */

/* Longer than the kernel's tick on most machines: a timer for less has to be programmed into the CPU, which takes longer than the
 * rest of a sleep (in a virtual machine 2 us). */
#define SHORT_SLEEP (plait__test_short_sleep ? plait__test_short_sleep : 5 * PLAIT__MILLISECOND)

/* The kernel is asked about the others when a sleep has lasted 8, 16, 32, 64, 96, ... seconds: who died without a mark on its
 * pulse is noticed, and to sleep for long costs next to nothing. */
#define ASK_KERNEL_FIRST (8 * PLAIT__SECOND)
#define ASK_KERNEL_LAST (32 * PLAIT__SECOND)
#define ASK_AT_ONCE 64u                                    /* members; some microseconds each */

static int64_t ask_again_after(const struct plait__wait *wait, int64_t now)
{
    if (plait__test_backup_interval) return plait__test_backup_interval;
    int64_t lasted = now - wait->since;
    return lasted < ASK_KERNEL_FIRST ? ASK_KERNEL_FIRST : lasted > ASK_KERNEL_LAST ? ASK_KERNEL_LAST : lasted;
}

/* What a sleep is about: the words of the caller, and the slot of who has what it waits for, or 0. */
struct about {
    const struct plait__futex *words;
    unsigned count;
    uint32_t owner;
};

static plait__word *first_word(const struct about *about)
{
    return (plait__word *)(uintptr_t)about->words[0].address;
}

static int64_t short_until(struct plait__wait *wait)
{
    if (!wait->since) wait->since = plait__now();
    return wait->since + SHORT_SLEEP;
}

/* They are over: from now on it watches. */
static void short_is_over(struct plait__wait *wait, int64_t until)
{
    int64_t now = plait__now();
    wait->watching = now >= until;
    wait->ask_kernel_at = now + ask_again_after(wait, now);
}

static int sleep_on(const struct about *about, int64_t until)
{
    if (about->count == 1) return plait__futex_wait(first_word(about), (uint32_t)about->words[0].expected, until);
    int result = plait__futex_wait_many(about->words, about->count, until);
    if (result == -ENOSYS) atomic_store(&plait__roster->no_waitv, 1);
    return result;
}

/* The first milliseconds, however often they are interrupted: cheap, and blind for deaths.  Who was woken need not look at the
 * clock: if they are over, the next one ends at once. */
static void short_sleep(struct plait__wait *wait, const struct about *about)
{
    int64_t until = short_until(wait);
    if (sleep_on(about, plait__earlier(wait->deadline, until)) != 0) short_is_over(wait, until);
}

/* How many members sleep now; at least 1, as one is about to. */
static uint32_t count_sleepers(uint32_t made)
{
    uint32_t sleepers = 1;
    for (uint32_t i = 1; i <= made; i++) sleepers += atomic_load_explicit(&plait__slot(i)->waiting, memory_order_relaxed) != NULL;
    return sleepers;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

#define LONGEST_ROUND (100 * PLAIT__MILLISECOND)

/* When to get up and look at all pulses even if nobody calls; 0: no need.  A sleep can watch `can_watch` members, 120 if it is on a
 * single word.  In a larger family each is watched by others' sleeps as well; the rounds are for when those are few or stopped, and
 * the rarer the more sleepers share them, so that all rounds together cost about a hundredth of a CPU. */
static int64_t round_length(uint32_t made, uint32_t can_watch)
{
    if (plait__test_round && !can_watch) return plait__test_round;
    if (!can_watch || atomic_load(&plait__roster->no_waitv))
        return clamp(count_sleepers(made) * PLAIT__MILLISECOND, 5 * PLAIT__MILLISECOND, LONGEST_ROUND);
    if (made <= can_watch) return 0;
    return clamp((int64_t)count_sleepers(made) * made * 1000, 5 * PLAIT__MILLISECOND, 2 * PLAIT__SECOND);
}

static uint32_t count_unpulsed(uint32_t made)
{
    uint32_t unpulsed = 0;
    for (uint32_t i = 1; i <= made && atomic_load(&plait__roster->unpulsed); i++)
        unpulsed += atomic_load(&plait__slot(i)->pid) && (atomic_load(&plait__slot(i)->flags) & PLAIT__UNPULSED);
    return unpulsed;
}

/* After how long to ask the kernel about members whose pulse can't fall by itself; 0: there are none.  To ask about one takes
 * some microseconds; all sleepers together spend a tenth of a CPU on it. */
static int64_t ask_length(uint32_t made)
{
    int64_t unpulsed = count_unpulsed(made);
    return unpulsed ? clamp(count_sleepers(made) * unpulsed * 20000, 20 * PLAIT__MILLISECOND, ASK_KERNEL_LAST) : 0;
}

/* Add a pulse to the words.  False: it has fallen, sleeping on it would be for ever. */
static bool watch(struct plait__futex *words, unsigned *count, uint32_t number)
{
    uint32_t pulse = atomic_load(plait__pulse_word(number));
    if (plait__is_fallen(pulse)) return false;
    words[(*count)++] = plait__futex_entry(plait__pulse_word(number), pulse);
    return true;
}

static uint32_t can_watch(const struct about *about)
{
    uint32_t left = PLAIT__FUTEX_MANY_MAX - about->count - 2;            /* the epoch, and the owner's pulse */
    return left < PLAIT__WATCH_MAX ? left : PLAIT__WATCH_MAX;
}

/* The words of a long sleep: ours, the epoch, the owner's pulse, and 120 pulses: all of a small family; of a large one those
 * behind our own slot, so that the sleeps of different members cover different parts.  0: do not sleep, a pulse has fallen. */
static unsigned choose_words(struct plait__futex *words, const struct plait__wait *wait, const struct about *about, uint32_t made)
{
    unsigned count = about->count, most = count + 2 + can_watch(about);
    for (unsigned i = 0; i < count; i++) words[i] = about->words[i];
    words[count++] = plait__futex_entry(&plait__roster->epoch, wait->epoch);
    if (about->owner && about->owner <= made && !watch(words, &count, about->owner)) return 0;
    uint32_t own = plait__self.slot, first = made <= PLAIT__WATCH_MAX ? 0 : own;
    for (uint32_t i = 0; i < made && count < most; i++) {
        uint32_t number = (first + i) % made + 1;
        if (number != own && number != about->owner && !watch(words, &count, number)) return 0;
    }
    return count;
}

/* Until when to sleep at most: there are rounds to go, and questions to ask.  Who sleeps among descriptors (`watched` is 0) may do
 * so for hours in a program that has nothing to do: it gets up ever more rarely. */
static int64_t get_up_at(struct plait__wait *wait, uint32_t made, uint32_t watched)
{
    int64_t round = round_length(made, watched), ask = ask_length(made), now = plait__now(), until = wait->ask_kernel_at;
    if (!watched) round = clamp((now - wait->since) / 8, round, LONGEST_ROUND);
    if (round && now + round < until) until = now + round;
    wait->ask_unpulsed_at = !ask ? 0 : wait->ask_unpulsed_at ? wait->ask_unpulsed_at : now + ask;
    if (ask && wait->ask_unpulsed_at < until) until = wait->ask_unpulsed_at;
    return plait__earlier(wait->deadline, until);
}

static void ask_if_it_is_time(struct plait__wait *wait)
{
    int64_t now = plait__now();
    if (wait->ask_unpulsed_at && now >= wait->ask_unpulsed_at) {
        plait__ask_kernel_about_unpulsed();
        wait->ask_unpulsed_at = 0;
    }
    if (now >= wait->ask_kernel_at) {
        plait__ask_kernel(ASK_AT_ONCE);
        wait->ask_kernel_at = now + ask_again_after(wait, now);
    }
}

/* The rest: whoever sleeps, watches. */
static void long_sleep(struct plait__wait *wait, const struct about *about)
{
    if (plait__reap_all()) return;
    uint32_t made = atomic_load(&plait__roster->made);
    int64_t until = get_up_at(wait, made, can_watch(about));
    if (!atomic_load(&plait__roster->no_waitv)) {
        struct plait__futex words[PLAIT__FUTEX_MANY_MAX];
        unsigned count = choose_words(words, wait, about, made);
        int result = count ? plait__futex_wait_many(words, count, until) : 0;
        if (result == -ENOSYS) atomic_store(&plait__roster->no_waitv, 1);
        if (result == -ENOMEM)                             /* of the kernel, for its notes of so many words */
            plait__futex_wait(first_word(about), (uint32_t)about->words[0].expected,
                              plait__earlier(wait->deadline, plait__now() + SHORT_SLEEP));
    } else if (about->count == 1) {
        plait__futex_wait(first_word(about), (uint32_t)about->words[0].expected, until);
    }
    ask_if_it_is_time(wait);
    plait__reap_all();
}

/* Who never sleeps for long, because all its deadlines are short, watches and asks all the same. */
int plait__give_up(uint32_t owner)
{
    bool unpulsed = atomic_load_explicit(&plait__roster->unpulsed, memory_order_relaxed);
    int64_t now = plait__now();
    if (now >= plait__self.look_at) {
        plait__self.look_at = now + PLAIT__MILLISECOND;
        if (plait__reap_all()) return 0;
    }
    int64_t every = plait__test_backup_interval ? plait__test_backup_interval : PLAIT__SECOND;
    if (unpulsed) every = 20 * PLAIT__MILLISECOND;
    bool first = plait__self.ask_at == 0;
    if (!first && now < plait__self.ask_at) return -ETIMEDOUT;
    plait__self.ask_at = now + every;
    if (first) return -ETIMEDOUT;
    atomic_store(&plait__slot(plait__self.slot)->waiting_for, owner);
    int repaired = plait__ask_kernel(ASK_AT_ONCE);
    if (unpulsed) repaired += plait__ask_kernel_about_unpulsed();
    return repaired ? 0 : -ETIMEDOUT;
}

static void count_sleep(struct plait__slot *slot)
{
    uint32_t sleeps = atomic_load_explicit(&slot->sleeps, memory_order_relaxed);
    atomic_store_explicit(&slot->sleeps, sleeps + 1, memory_order_relaxed);
}

void plait__announce_join(int32_t tid)
{
    if (!plait__is_member()) return;
    struct plait__slot *slot = plait__slot(plait__self.slot);
    count_sleep(slot);
    atomic_store(&slot->joining, tid);
}

/* For repair, and for whoever asks why nothing goes on; see sync/graph.c.  The number of the sleep comes first, `waiting` last: who
 * finds the same number twice, and `waiting` set, has seen one sleep. */
static void publish(struct plait__slot *slot, const struct plait__wait *wait, plait__word *word, uint32_t owner)
{
    count_sleep(slot);
    atomic_store_explicit(&slot->waiting_kind, wait->kind, memory_order_release);
    atomic_store_explicit(&slot->waiting_object, wait->object, memory_order_relaxed);
    atomic_store(&slot->waiting_for, owner);
    atomic_store(&slot->waiting, word);
}

void plait__announce(const struct plait__wait *wait, plait__word *word)
{
    publish(plait__slot(plait__self.slot), wait, word, 0);
}

void plait__announce_end(void)
{
    atomic_store_explicit(&plait__slot(plait__self.slot)->waiting, NULL, memory_order_release);
}

static void woken(struct plait__wait *wait, struct plait__slot *slot)
{
    atomic_store_explicit(&slot->waiting, NULL, memory_order_release);
    PLAIT__POINT(WOKEN);
    wait->epoch = atomic_load(&plait__roster->epoch);      /* before the caller's next look */
    wait->slept = true;
}

static int park_thread(struct plait__wait *wait, const struct about *about)
{
    if (plait__expired(wait->deadline)) return plait__give_up(about->owner);
    struct plait__slot *slot = plait__slot(plait__self.slot);
    publish(slot, wait, first_word(about), about->owner);
    PLAIT__POINT(SLEEP);
    if (wait->watching) long_sleep(wait, about);
    else short_sleep(wait, about);
    woken(wait, slot);
    return 0;
}

int plait__park(struct plait__wait *wait, plait__word *word, uint32_t expected, uint32_t owner)
{
    if (!wait->slept) plait__spinning_failed();
    const struct plait__parker *parker = plait__self.parker;
    if (parker) return parker->park(wait, word, expected, owner);
    const struct plait__futex entry = plait__futex_entry(word, expected);
    return park_thread(wait, &(struct about){ &entry, 1, owner });
}

int plait__park_many(struct plait__wait *wait, const struct plait__futex *words, unsigned count)
{
    if (!wait->slept) plait__spinning_failed();
    return park_thread(wait, &(struct about){ words, count, 0 });
}

void plait__wait_unwatchful(plait__word *word, uint32_t expected)
{
    plait__futex_wait(word, expected, 0);
}

/* ---- file descriptors ---- */

static int park_thread_fds(struct pollfd *fds, unsigned count, plait_deadline deadline)
{
    for (;;) {
        struct timespec left = plait__timespec(deadline.at - (plait__is_forever(deadline) ? 0 : plait__now()));
        int ready = ppoll(fds, count, plait__is_forever(deadline) ? NULL : &left, NULL);
        if (ready > 0) return ready;
        if (ready < 0 && errno != EINTR) return -errno;
        if (plait__expired(deadline)) return -ETIMEDOUT;
    }
}

int plait__wait_fds(struct pollfd *fds, unsigned count, plait_deadline deadline)
{
    const struct plait__parker *parker = plait__self.parker;
    return parker ? parker->park_fds(fds, count, deadline) : park_thread_fds(fds, count, deadline);
}

int plait__wait_fd(int fd, short events, plait_deadline deadline)
{
    struct pollfd ready = { .fd = fd, .events = events };
    int count = plait__wait_fds(&ready, 1, deadline);
    return count > 0 ? ready.revents : count;
}

/* ---- both ---- */

/* Nobody's death ends a poll, so whoever sleeps in one goes rounds, as where futex_waitv is missing; a repairer rings all bells. */
int plait__park_fds(struct plait__wait *wait, plait__word *word, struct pollfd *fds, unsigned count, int64_t again)
{
    if (!wait->slept) plait__spinning_failed();
    if (wait->watching && plait__reap_all()) return 0;
    struct plait__slot *slot = plait__slot(plait__self.slot);
    uint32_t made = atomic_load(&plait__roster->made);
    int64_t until = wait->watching ? get_up_at(wait, made, 0) : plait__earlier(wait->deadline, short_until(wait));
    if (again && again < until) until = again;
    publish(slot, wait, word, 0);
    PLAIT__POINT(SLEEP);
    int ready = plait__wait_fds(fds, count, (plait_deadline){ until });
    woken(wait, slot);
    if (ready == -ETIMEDOUT && !wait->watching) short_is_over(wait, wait->since + SHORT_SLEEP);
    if (wait->watching) {
        ask_if_it_is_time(wait);
        plait__reap_all();
    }
    return ready == -ETIMEDOUT ? 0 : ready;                /* at the deadline, too: the caller looks once more */
}

int64_t plait__go_round(struct plait__wait *wait)
{
    if (!wait->since) short_is_over(wait, short_until(wait));
    ask_if_it_is_time(wait);
    plait__reap_all();
    return get_up_at(wait, atomic_load(&plait__roster->made), 0);
}
