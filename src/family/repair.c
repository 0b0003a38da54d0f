#include "family/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "family/bell.h"
#include "family/handover.h"
#include "family/pidfd.h"
#include "family/roster.h"

/* ---- repairing ---- */

/* Note that this life died, before the life is counted up: who sees the new number finds the note.  A repairer that was killed may
 * have noted it. */
static void note_death(struct plait__slot *slot)
{
    uint32_t life = atomic_load(&slot->life), deaths = atomic_load(&slot->deaths);
    if (deaths && atomic_load(&slot->died[(deaths - 1) % PLAIT__DEATHS_KEPT]) == life) return;
    atomic_store(&slot->died[deaths % PLAIT__DEATHS_KEPT], life);
    atomic_store(&slot->deaths, deaths + 1);
}

/* The object may be freed at any moment, and its memory used for anything.  Its stamp goes first: so what was read before the stamp
 * is found was still the object's. */
static bool is_still_there(const struct plait__owned *object)
{
    atomic_thread_fence(memory_order_acquire);
    return *(const volatile uint32_t *)&object->stamp >> 16 == PLAIT__OWNED_STAMP;
}

/* Free the words that the dead one owned in the object it was inside of.  Nothing of what it had begun there is visible:
 * freeing is all there is to do. */
static void unown(struct plait__owned *object, uint32_t dead)
{
    if (!object) return;
    const struct plait__owned shape = *(const volatile struct plait__owned *)object;
    if (!is_still_there(object) || shape.words > PLAIT__OWNED_WORDS_MAX) return;
    for (uint32_t i = 0; i < shape.words; i++) {
        _Atomic uint64_t *word = (_Atomic uint64_t *)((char *)object + shape.offset + i * shape.stride);
        for (;;) {
            uint64_t seen = atomic_load(word);
            if (plait__slot_of((uint32_t)seen & 0xffff) != dead || !is_still_there(object)) break;
            if (!plait__cut_handovers(word, seen)) continue;
            if (atomic_compare_exchange_strong(word, &seen, seen & ~UINT64_C(0xffff))) break;
        }
    }
}

void plait__wake_family(void)
{
    atomic_fetch_add(&plait__roster->epoch, 1);
    plait__futex_wake(&plait__roster->epoch, INT_MAX);
    plait__bells_ring_all();
    if (!atomic_load(&plait__roster->no_waitv)) return;
    uint32_t made = atomic_load(&plait__roster->made);
    for (uint32_t i = 1; i <= made; i++) {
        plait__word *word = atomic_load(&plait__slot(i)->waiting);
        if (word) plait__futex_wake(word, INT_MAX);
    }
}

/* With the dead one's pulse locked by us.  The order matters: first what others wait for, then the wake, the long part last. */
static void repair(uint32_t dead)
{
    struct plait__slot *slot = plait__slot(dead);
    PLAIT__POINT(REPAIR);
    plait__bells_silence((uint64_t)atomic_load(&slot->life) << 32 | dead);
    note_death(slot);
    atomic_fetch_add(&slot->life, 1);
    PLAIT__POINT(REPAIR_ENDED);
    unown(atomic_load(&slot->inside), dead);
    plait__settle_handovers(dead);
    atomic_fetch_add(&plait__roster->endings, 1);
    plait__wake_family();
    PLAIT__POINT(REPAIR_WOKEN);
    /* A thread that is about to join has no slot of its own yet: it goes on as the dead one, whose pulse it has. */
    uint32_t me = plait__self.incarnation == plait__read_fork_mark() ? plait__self.slot : dead;
    plait__heap_sweep(dead, (atomic_load(&slot->flags) & PLAIT__HAS_PRIVATE) != 0, me);
    atomic_store(&slot->inside, NULL);
    atomic_store(&slot->waiting, NULL);
    atomic_store(&slot->pid, 0);
    slot->name[0] = 0;
    uint32_t low = atomic_load(&plait__roster->low);
    if (dead < low) atomic_store(&plait__roster->low, dead);
}

/* Where the kernel knows no list of this thread, the C library's lock is of no use: it would write into that list, and in a raw
 * clone it takes us for our parent, whose thread id it remembers. */
static int trylock_by_hand(plait__word *pulse)
{
    uint32_t seen = atomic_load(pulse);
    if (seen & FUTEX_TID_MASK) return EBUSY;
    uint32_t mine = (seen & FUTEX_WAITERS) | (uint32_t)syscall(SYS_gettid);
    if (!atomic_compare_exchange_strong(pulse, &seen, mine)) return EBUSY;
    return seen & FUTEX_OWNER_DIED ? EOWNERDEAD : 0;
}

/* Try to lock the pulse: 0, EBUSY, or EOWNERDEAD, after which the slot is repaired and the pulse ours. */
static int try_pulse(uint32_t number)
{
    pthread_mutex_t *pulse = &plait__slot(number)->pulse;
    bool by_hand = plait__self.by_hand;
    int result = by_hand ? trylock_by_hand(plait__pulse_word(number)) : pthread_mutex_trylock(pulse);
    if (result == EOWNERDEAD) {
        if (!by_hand) pthread_mutex_consistent(pulse);     /* musl keeps the mark of death in the word until then */
        repair(number);
    }
    return result;
}

void plait__unlock_pulse(uint32_t number, bool by_hand)
{
    if (!by_hand) pthread_mutex_unlock(&plait__slot(number)->pulse);
    else if (atomic_exchange(plait__pulse_word(number), 0) & FUTEX_WAITERS) plait__futex_wake(plait__pulse_word(number), 1);
}

bool plait__reap(uint32_t number)
{
    int result = try_pulse(number);
    if (result == 0 || result == EOWNERDEAD) plait__unlock_pulse(number, plait__self.by_hand);
    return result == EOWNERDEAD;
}

bool plait__lock_pulse(uint32_t number)
{
    int result = try_pulse(number);
    return result == 0 || result == EOWNERDEAD;
}

int plait__reap_all(void)
{
    int repaired = 0;
    uint32_t made = atomic_load(&plait__roster->made);
    for (uint32_t i = 1; i <= made; i++)
        if (PLAIT__UNLIKELY(plait__pulse_fell(i))) repaired += plait__reap(i);
    return repaired;
}

/* ---- when the pulse was lost ---- */

/* Do what the kernel would have done at the end of thread `tid`, if the pulse is still its own: a repairer may hold it, or the
 * next one who lives there. */
static void mark(uint32_t number, pid_t tid)
{
    plait__word *pulse = plait__pulse_word(number);
    uint32_t seen = atomic_load(pulse);
    if ((seen & FUTEX_TID_MASK) != (uint32_t)tid) return;
    atomic_compare_exchange_strong(pulse, &seen, (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
}

/* The thread has ended, and its parent has not asked for its status yet. */
static bool is_zombie(pid_t pid, pid_t tid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    text[size > 0 ? size : 0] = 0;
    const char *state = strrchr(text, ')');                /* after the name, which may have any characters */
    return state && state[1] && (state[2] == 'Z' || state[2] == 'X');
}

bool plait__is_gone(pid_t pid, pid_t tid)
{
    long there = pid ? syscall(SYS_tgkill, pid, tid, 0) : syscall(SYS_tkill, tid, 0);
    if (there < 0 && errno == ESRCH) return true;
    if (!pid) pid = tid;
    int fd = plait__pidfd_open(pid);
    if (fd < 0) return fd == -ESRCH || is_zombie(pid, tid);
    struct pollfd exited = { .fd = fd, .events = POLLIN };
    bool gone = poll(&exited, 1, 0) == 1;
    close(fd);
    return gone;
}

/* The thread that lives in the slot, if its numbers mean something to us.  They are read before anything is asked about them. */
static bool read_numbers(uint32_t number, pid_t *pid, pid_t *tid)
{
    const struct plait__slot *slot = plait__slot(number);
    uint32_t here = plait__pid_namespace();
    *tid = atomic_load(&slot->tid);
    *pid = atomic_load(&slot->pid);
    return *pid && here && atomic_load(&slot->pid_namespace) == here;
}

pid_t plait__pid_here(uint32_t number)
{
    pid_t pid, tid;
    return read_numbers(number, &pid, &tid) ? pid : 0;
}

/* About the thread that has the pulse: who lives there, or a repairer, of which we know the thread id only. */
static void ask_about(uint32_t number)
{
    pid_t pid, tid;
    if (number == 0 || number > PLAIT__MEMBERS_MAX || number == plait__self.slot) return;
    bool known = read_numbers(number, &pid, &tid);
    uint32_t word = atomic_load(plait__pulse_word(number));
    pid_t holder = (pid_t)(word & FUTEX_TID_MASK);
    if (!holder) return;
    if (holder == tid ? known && plait__is_gone(pid, tid)
                      : !atomic_load(&plait__roster->many_namespaces) && plait__is_gone(0, holder))
        mark(number, holder);
}

int plait__ask_kernel(uint32_t most)
{
    uint32_t made = atomic_load(&plait__roster->made);
    ask_about(atomic_load(&plait__slot(plait__self.slot)->waiting_for));
    for (uint32_t i = 0; i < made && i < most; i++) ask_about(++plait__self.asked % made + 1);
    return plait__reap_all();
}

int plait__ask_kernel_about_unpulsed(void)
{
    uint32_t made = atomic_load(&plait__roster->made);
    for (uint32_t i = 1; i <= made; i++)
        if (atomic_load(&plait__slot(i)->flags) & PLAIT__UNPULSED) ask_about(i);
    return plait__reap_all();
}

void plait__process_is_gone(int32_t gone)
{
    if (plait__member() != 0) return;                      /* without a slot; whoever has one will see it */
    uint32_t made = atomic_load(&plait__roster->made);
    for (uint32_t i = 1; i <= made; i++) {
        pid_t pid, tid;
        if (read_numbers(i, &pid, &tid) && pid == gone) mark(i, tid);
    }
    plait__reap_all();
}
