#include "family/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <plait/family.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/bell.h"
#include "family/repair.h"
#include "family/wait.h"

_Static_assert(sizeof(struct plait__slot) == 256, "a slot is four cache lines");
_Static_assert(sizeof(struct plait__roster) <= PLAIT__ROSTER_SIZE, "the roster has to fit its region");

_Static_assert(PLAIT__MEMBERS_MAX < 1u << 13, "a slot is 13 bits of a short owner");

#define NO_INCARNATION UINT32_MAX

_Thread_local struct plait__self plait__self = { .incarnation = NO_INCARNATION };
struct plait__roster *plait__roster;

static char name_at_begin[PLAIT__PROCESS_NAME_SIZE] = "MainProcess";
static const char *_Atomic process_name = name_at_begin;

/* ---- making the roster ---- */

struct robust_list_head_of_libc {
    void *next;
    long offset;
    void *pending;
};

/* This thread's robust list as the kernel knows it; NULL where there is none (an emulator, a raw clone). */
static struct robust_list_head_of_libc *robust_list(void)
{
    struct robust_list_head_of_libc *head = NULL;
    size_t size;
    if (plait__without(PLAIT__WITHOUT_ROBUST)) return NULL;
    return syscall(SYS_get_robust_list, 0, &head, &size) == 0 ? head : NULL;
}

/* Where the futex word lies in a locked robust mutex: the kernel's list says it, without knowing the C library's layout.  Where
 * there is no list: the first word that holds our thread id. */
static int64_t find_pulse_offset(pthread_mutex_t *locked)
{
    const struct robust_list_head_of_libc *head = robust_list();
    if (head && head->next) return (char *)head->next + head->offset - (char *)locked;
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    for (size_t i = 0; i < sizeof *locked; i += sizeof tid) {
        uint32_t word;
        memcpy(&word, (char *)locked + i, sizeof word);
        if ((word & FUTEX_TID_MASK) == tid) return (int64_t)i;
    }
    return 0;
}

static void make_robust(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

#ifdef __GLIBC__

static void have_robust_list(void) {}

void plait__forget_parents_list(void) {}

#else

/* musl tells the kernel of a thread's list when the thread locks its first robust mutex.  (After a raw clone that does nothing:
 * musl takes the thread for its parent, which had told.) */
static void have_robust_list(void)
{
    pthread_mutex_t first;
    if (plait__without(PLAIT__WITHOUT_ROBUST)) return;
    if (!robust_list()) {
        make_robust(&first);
        pthread_mutex_lock(&first);
        pthread_mutex_unlock(&first);
        pthread_mutex_destroy(&first);
    }
    plait__self.robust_list = robust_list();
}

/* musl leaves a forked child the list that its parent had, with the parent's pulse in it: it would link ours with that one, and
 * when a thread ends by pthread_exit, musl itself marks all that is in its list. */
void plait__forget_parents_list(void)
{
    struct robust_list_head_of_libc *list = plait__self.robust_list;
    if (list && plait__self.incarnation != plait__read_fork_mark()) list->next = list;
}

#endif

void plait__roster_make(void)
{
    struct plait__roster *roster = plait__arena->roster;
    pthread_mutex_t *probe = &roster->slots[0].pulse;
    make_robust(probe);
    pthread_mutex_lock(probe);
    roster->pulse_offset = find_pulse_offset(probe);
    pthread_mutex_unlock(probe);
    atomic_init(&roster->low, 1);
    plait__roster = roster;
}

/* Make the mutexes of these slots.  Any number of members may do it at a time, also late, when a slot is long in use: only the
 * words that differ from zero in a fresh mutex are written (its kind), and these never change. */
static void make_slots(uint32_t first, uint32_t last)
{
    pthread_mutex_t fresh = { 0 };
    uint32_t words[sizeof fresh / sizeof(uint32_t)];
    make_robust(&fresh);
    memcpy(words, &fresh, sizeof words);
    for (uint32_t number = first; number <= last; number++)
        for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
            if (words[i]) atomic_store((plait__word *)&plait__slot(number)->pulse + i, words[i]);
}

/* Initialise more slots: 8, 16, 32, 64, 120 (what one sleep can watch), then doubling.
 * Without a lock, so that a member that is stopped in here keeps nobody out. */
static bool grow(uint32_t made)
{
    uint32_t target = made == 0 ? 8 : made == 64 ? PLAIT__WATCH_MAX : made * 2;
    if (target > PLAIT__MEMBERS_MAX) target = PLAIT__MEMBERS_MAX;
    if (target == made) return false;
    make_slots(made + 1, target);
    atomic_compare_exchange_strong(&plait__roster->made, &made, target);
    return true;
}

/* ---- joining ---- */

/* Lock the pulse of slot `number` if nobody lives in it; a dead one in it is repaired first. */
static bool claim(uint32_t number)
{
    uint32_t word = atomic_load(plait__pulse_word(number));
    if (word & FUTEX_TID_MASK) return false;
    return plait__lock_pulse(number);
}

/* Who sleeps has to watch this slot, too, if it is among those that were made since they fell asleep.  By whoever lives there, as
 * the one who made them may have been stopped before it told. */
static void announce(uint32_t number)
{
    uint32_t announced = atomic_load(&plait__roster->announced), made = atomic_load(&plait__roster->made);
    if (number <= announced) return;
    plait__wake_family();
    while (announced < made && !atomic_compare_exchange_weak(&plait__roster->announced, &announced, made)) {}
}

/* All slots seem taken: but those whose pulse can't fall by itself, or when there are no more all of them, may be gone. */
static void look_for_the_dead(uint32_t made)
{
    if (made == PLAIT__MEMBERS_MAX) plait__ask_kernel(made);
    else if (atomic_load(&plait__roster->unpulsed)) plait__ask_kernel_about_unpulsed();
}

static uint32_t claim_any(void)
{
    for (bool looked = false;; looked = true) {
        uint32_t made = atomic_load(&plait__roster->made), low = atomic_load(&plait__roster->low);
        for (uint32_t i = 0; i < made; i++) {
            uint32_t number = (low - 1 + i) % made + 1;
            if (!claim(number)) continue;
            atomic_store(&plait__roster->low, number % PLAIT__MEMBERS_MAX + 1);
            return number;
        }
        if (!looked) look_for_the_dead(made);
        else if (!grow(made)) return 0;
    }
}

/* As long as all are in one, a number means the same to all. */
static void note_namespace(uint32_t namespace)
{
    uint32_t first = 0;
    if (atomic_compare_exchange_strong(&plait__roster->pid_namespace, &first, namespace)) first = namespace;
    if (!namespace || first != namespace) atomic_store(&plait__roster->many_namespaces, 1);
}

static void fill_in(struct plait__slot *slot, bool unpulsed)
{
    pid_t pid = getpid(), tid = (pid_t)syscall(SYS_gettid);
    note_namespace(plait__pid_namespace());
    atomic_store(&slot->inside, NULL);
    atomic_store(&slot->waiting, NULL);
    atomic_store(&slot->joining, 0);
    atomic_store(&slot->tid, tid);
    atomic_store(&slot->pid_namespace, plait__pid_namespace());
    if (pid == tid) snprintf(slot->name, sizeof slot->name, "%.*s", (int)PLAIT__NAME_SIZE - 1, plait__process_name());
    else snprintf(slot->name, sizeof slot->name, "%.18s/%d", plait__process_name(), (int)tid);
    uint32_t flags = 0;
    if (unpulsed) {
        flags = PLAIT__UNPULSED;
        atomic_store(&plait__roster->unpulsed, 1);
    }
    atomic_store(&slot->flags, flags);
    atomic_store(&slot->pid, pid);
}

#ifdef PLAIT_TESTING
/* What an emulator without robust lists does, for real: the kernel knows none. */
static void forget_robust_list(void)
{
    static struct robust_list_head_of_libc empty = { &empty, 0, NULL };
    if (plait__without(PLAIT__WITHOUT_ROBUST)) syscall(SYS_set_robust_list, &empty, sizeof empty);
}
#else
static void forget_robust_list(void) {}
#endif

int plait__join(void)
{
    int error = plait__family_make();
    if (error) return error;
    uint32_t incarnation = plait__begin_incarnation();
    if (plait__self.incarnation == incarnation) return 0;
    plait__forget_parents_list();
    struct plait__heap *heap = plait__self.heap;           /* of the parent, if this is a forked child */
    memset(&plait__self, 0, sizeof plait__self);
    plait__self.incarnation = NO_INCARNATION;
    forget_robust_list();
    have_robust_list();

    bool unpulsed = plait__self.by_hand = !robust_list();
    uint32_t number = claim_any();
    if (!number) {
        free(heap);
        plait__self.robust_list = NULL;                    /* nothing of ours is in it: a later try must not empty it */
        return plait__fail(PLAIT_ETOOMANY, "all %u slots are taken", PLAIT__MEMBERS_MAX);
    }
    struct plait__slot *slot = plait__slot(number);
    fill_in(slot, unpulsed);
    atomic_fetch_or(plait__pulse_word(number), FUTEX_WAITERS);       /* the kernel wakes somebody when it falls */
    if (heap) plait__heap_init(heap, number);
    plait__self.heap = heap;
    plait__self.slot = number;
    uint32_t life = atomic_load(&slot->life);
    plait__self.owner = (uint64_t)life << 32 | number;
    plait__self.short_owner = (life & 7) << 13 | number;
    plait__wait_init();
    announce(number);
    if (unpulsed) plait__wake_family();                    /* whoever sleeps has to ask about us now and then */
    plait__keep_thread_key();
    plait__self.incarnation = incarnation;
    plait__set_me(number, (struct plait__me){ plait__self.owner, plait__self.heap });
    return 0;
}

/* ---- leaving ---- */

void plait_leave(void)
{
    if (!plait__is_member()) return;
    uint32_t number = plait__self.slot;
    struct plait__slot *slot = plait__slot(number);
    if (atomic_load(&slot->inside)) return;                /* exit() in a signal handler in the middle of a call is a death */
    plait__bell_close_of_thread();
    const struct plait__self *me = &plait__self;
    bool owes = me->leases || me->permits || me->reads || me->parties, by_hand = me->by_hand;
    plait__heap_sweep(number, (atomic_load(&slot->flags) & PLAIT__HAS_PRIVATE) != 0, number);
    plait__set_me(number, (struct plait__me){ 0 });
    free(plait__self.heap);
    plait__self = (struct plait__self){ .incarnation = NO_INCARNATION };

    atomic_store(&slot->inside, NULL);
    atomic_fetch_add(&slot->life, 1);                      /* from here on, what names us names a life that left */
    if (owes) {
        atomic_fetch_add(&plait__roster->endings, 1);
        plait__wake_family();
    }
    atomic_store(&slot->pid, 0);
    slot->name[0] = 0;
    uint32_t low = atomic_load(&plait__roster->low);
    if (number < low) atomic_store(&plait__roster->low, number);
    plait__unlock_pulse(number, by_hand);
}

/* exit() ends the life of the thread that calls it cleanly; the process's other threads are cut off wherever they are. */
static __attribute__((destructor)) void leave_at_exit(void)
{
    plait_leave();
}

/* ---- looking ---- */

/* An earlier life.  Of the deaths kept, the oldest may be being overwritten. */
static enum plait__fate how_it_ended(const struct plait__slot *slot, uint32_t life)
{
    uint32_t deaths, oldest;
    do {
        deaths = atomic_load(&slot->deaths);
        for (uint32_t i = 0; i < PLAIT__DEATHS_KEPT; i++)
            if (i < deaths && atomic_load(&slot->died[i]) == life) return PLAIT__DIED;
        oldest = atomic_load(&slot->died[(deaths + 1) % PLAIT__DEATHS_KEPT]);
    } while (deaths != atomic_load(&slot->deaths));
    if (deaths < PLAIT__DEATHS_KEPT) return PLAIT__LEFT;
    /* Older than what is remembered: unknown.  To say that it died can not make anybody wait for ever. */
    return (int32_t)(life - oldest) < 0 ? PLAIT__DIED : PLAIT__LEFT;
}

enum plait__fate plait__fate(uint64_t owner)
{
    uint32_t number = (uint32_t)owner & 0xffff, life = (uint32_t)(owner >> 32);
    if (number == PLAIT__NOBODY || number > PLAIT__MEMBERS_MAX) return PLAIT__LEFT;
    const struct plait__slot *slot = plait__slot(number);
    if (atomic_load(&slot->life) == life) {
        if (!plait__pulse_stopped(number)) return PLAIT__LIVES;
        if (atomic_load(&slot->life) == life) return PLAIT__DIED;        /* who leaves counts it up before the pulse stops */
    }
    return how_it_ended(slot, life);
}

static void name_slot(const char *name)
{
    if (plait__is_member()) snprintf(plait__slot(plait__self.slot)->name, PLAIT__NAME_SIZE, "%s", name);
}

void plait__set_process_name(const char *name)
{
    snprintf(name_at_begin, sizeof name_at_begin, "%s", name);
    atomic_store(&process_name, name_at_begin);
    name_slot(name);
}

/* All that it was ever renamed to: they stay, as somebody may be reading one. */
static struct new_name {
    struct new_name *next;
    char text[PLAIT__PROCESS_NAME_SIZE];
} *_Atomic new_names;

static struct new_name *find_name(const char *text)
{
    struct new_name *name = atomic_load(&new_names);
    while (name && strcmp(name->text, text) != 0) name = name->next;
    return name;
}

static struct new_name *add_name(const char *text)
{
    struct new_name *name = malloc(sizeof *name);
    if (!name) return NULL;
    snprintf(name->text, sizeof name->text, "%s", text);
    name->next = atomic_load(&new_names);
    while (!atomic_compare_exchange_weak(&new_names, &name->next, name)) {}
    return name;
}

int plait__rename_process(const char *text)
{
    struct new_name *name = find_name(text);
    if (!name) name = add_name(text);
    if (!name) return plait__fail(-ENOMEM, "no private memory for a name");
    atomic_store(&process_name, name->text);
    name_slot(text);
    return 0;
}

const char *plait__process_name(void)
{
    return atomic_load(&process_name);
}

void plait__describe_member(uint32_t number, char *text, size_t size)
{
    if (number == PLAIT__NOBODY || number > PLAIT__MEMBERS_MAX) {
        snprintf(text, size, "nobody in particular");
        return;
    }
    const struct plait__slot *slot = plait__slot(number);
    snprintf(text, size, "%.*s (pid %d)", (int)PLAIT__NAME_SIZE - 1, slot->name, (int)atomic_load(&slot->pid));
}

int plait_member_count(void)
{
    int count = 0;
    uint32_t made = plait__roster ? atomic_load(&plait__roster->made) : 0;
    for (uint32_t i = 1; i <= made; i++) {
        uint32_t word = atomic_load(plait__pulse_word(i));
        count += (word & FUTEX_TID_MASK) != 0 && atomic_load(&plait__slot(i)->pid) != 0;
    }
    return count;
}
