#include "family/bell.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/repair.h"

/* The descriptors of this process by the numbers of their bells: a forked child has copies of them, to close. */
static struct copy {
    _Atomic uint64_t made;                                 /* | incarnation it was made in: 32 | descriptor: 32 |; 0: none */
    struct plait__file file;                               /* written while that is 0 */
} copies[PLAIT__BELLS_MAX];
static _Atomic uint32_t copies_end;                        /* the rest of them were never used */

static _Thread_local struct plait__ear of_thread;

static uint32_t number_of(const struct plait__bell *bell)
{
    return (uint32_t)(bell - plait__roster->bell);
}

/* ---- what is waited for ---- */

static unsigned place_of(const plait__word *word)
{
    return (unsigned)(((uintptr_t)word >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 55);        /* 9 bits */
}

static bool has_interest(const struct plait__bell *bell, unsigned place)
{
    return atomic_load(&bell->interests[place / 64]) >> place % 64 & 1;
}

void plait__bell_want(struct plait__ear *ear, const plait__word *word)
{
    unsigned place = place_of(word);
    if (!has_interest(ear->bell, place)) atomic_fetch_or(&ear->bell->interests[place / 64], UINT64_C(1) << place % 64);
}

bool plait__bell_wants(const struct plait__ear *ear, const plait__word *word)
{
    return has_interest(ear->bell, place_of(word));
}

static void drain(struct plait__ear *ear)
{
    char bytes[8];
    if (!ear->may_have_bytes) return;
    while (recv(ear->fd, bytes, sizeof bytes, MSG_DONTWAIT) >= 0) {}
    ear->may_have_bytes = false;
}

/* First what came for an earlier arming goes: from then on a byte stays. */
void plait__bell_arm(struct plait__ear *ear)
{
    drain(ear);
    atomic_fetch_add(&ear->bell->armed, 1);
    PLAIT__POINT(BELL_ARMED);
}

void plait__bell_rest(struct plait__ear *ear)
{
    for (unsigned i = 0; i < PLAIT__INTERESTS; i++) atomic_store(&ear->bell->interests[i], 0);
}

/* ---- ringing ---- */

static uint32_t network_here(void)
{
    struct stat status;
    return stat("/proc/thread-self/ns/net", &status) < 0 ? 0 : (uint32_t)status.st_ino;
}

/* The kernel chooses names of a 0 and five hex digits. */
#define DIGITS 5u
#define NAME_LENGTH (offsetof(struct sockaddr_un, sun_path) + 1 + DIGITS)

static int send_byte(int fd, uint64_t address)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    for (unsigned i = 0; i < DIGITS; i++) to.sun_path[1 + i] = "0123456789abcdef"[address >> 4 * (DIGITS - 1 - i) & 15];
    ssize_t sent = sendto(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&to, NAME_LENGTH);
    return sent < 0 ? -errno : 0;
}

/* From a fresh socket: nothing of ours has to be kept, nor looked after in forks, and no receiver that is stopped can hold up what
 * we send to others by filling our buffer. */
static int send_afresh(uint64_t address)
{
    int fd = plait__without(PLAIT__WITHOUT_RINGS) ? -1 : socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -EMFILE;
    int error = send_byte(fd, address);
    close(fd);
    return error;
}

/* -EAGAIN: it has some ten bytes already, so it is awake, or about to be. */
static int send_to(uint64_t address)
{
    if (of_thread.bell && plait__is_file(of_thread.fd, &of_thread.file) && !plait__without(PLAIT__WITHOUT_RINGS) &&
        send_byte(of_thread.fd, address) == 0)
        return 0;
    int error = send_afresh(address);
    return error == -EAGAIN ? 0 : error;
}

static void ring(struct plait__bell *bell)
{
    uint32_t armed = atomic_load(&bell->armed);            /* first: if the place becomes another's meanwhile, it is not `rung` */
    uint64_t address = atomic_load(&bell->address);
    uint32_t network = atomic_load(&bell->network);
    if (!address || atomic_load(&bell->rung) == armed) return;
    int error = send_to(address);
    if (!error) {
        atomic_store(&bell->rung, armed);
        return;
    }
    bool gone = error == -ECONNREFUSED && network && network == network_here();
    if (gone) atomic_compare_exchange_strong(&bell->address, &address, 0);    /* its holder has died, or lost its descriptor */
}

void plait__bells_ring(const plait__word *word)
{
    PLAIT__POINT(BELL_RING);
    uint32_t bells = atomic_load(&plait__roster->bells);
    unsigned place = place_of(word);
    for (uint32_t i = 0; i < bells; i++)
        if (has_interest(&plait__roster->bell[i], place)) ring(&plait__roster->bell[i]);
}

static bool has_any_interest(const struct plait__bell *bell)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < PLAIT__INTERESTS; i++) any |= atomic_load(&bell->interests[i]);
    return any != 0;
}

void plait__bells_ring_all(void)
{
    uint32_t bells = atomic_load(&plait__roster->bells);
    for (uint32_t i = 0; i < bells; i++)
        if (has_any_interest(&plait__roster->bell[i])) ring(&plait__roster->bell[i]);
}

void plait__bell_ring_self(struct plait__ear *ear)
{
    if (send_byte(ear->fd, ear->address) < 0) send_afresh(ear->address);
    ear->may_have_bytes = true;
}

/* ---- having one ---- */

/* Nobody has it, or one who is dead and may be repaired only later.  One who has left may have made it for others of its process,
 * as long as the socket is known to be there. */
static bool is_free(const struct plait__bell *bell, uint64_t owner)
{
    if (!owner) return true;
    enum plait__fate fate = plait__fate(owner);
    return fate == PLAIT__DIED || (fate == PLAIT__LEFT && !atomic_load(&bell->address));
}

static bool claim(struct plait__bell *bell)
{
    uint64_t owner = atomic_load(&bell->owner);
    return is_free(bell, owner) && atomic_compare_exchange_strong(&bell->owner, &owner, plait__self.owner);
}

/* All places are taken: of those whose holders have left, who may have died since, some may answer no more. */
static void look_for_the_silent(void)
{
    for (uint32_t i = 0; i < PLAIT__BELLS_MAX; i++)
        if (plait__fate(atomic_load(&plait__roster->bell[i].owner)) == PLAIT__LEFT) ring(&plait__roster->bell[i]);
}

static struct plait__bell *claim_any(void)
{
    for (bool looked = false;;) {
        uint32_t bells = atomic_load(&plait__roster->bells);
        for (uint32_t i = 0; i < bells; i++)
            if (claim(&plait__roster->bell[i])) return &plait__roster->bell[i];
        if (bells < PLAIT__BELLS_MAX) {
            atomic_compare_exchange_strong(&plait__roster->bells, &bells, bells + 1);
        } else {
            if (looked) return NULL;
            look_for_the_silent();
            looked = true;
        }
    }
}

static int choose_name(int fd, uint32_t *name)
{
    struct sockaddr_un own = { .sun_family = AF_UNIX };
    socklen_t length = sizeof own;
    if (bind(fd, (const struct sockaddr *)&own, sizeof own.sun_family) < 0) return -errno;
    if (getsockname(fd, (struct sockaddr *)&own, &length) < 0) return -errno;
    if (length != NAME_LENGTH) return -EINVAL;
    *name = (uint32_t)strtoul(own.sun_path + 1, NULL, 16);
    return 0;
}

static int make_socket(uint32_t *name)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    fd = plait__above_stdio(fd < 0 ? -errno : fd);
    int error = fd < 0 ? fd : choose_name(fd, name);
    if (!error) return fd;
    if (fd >= 0) close(fd);
    return plait__fail(error, "a socket to be woken by: %s", plait_strerror(error));
}

static bool is_ours(const struct plait__ear *ear)
{
    return ear->bell && plait__is_file(ear->fd, &ear->file) && atomic_load(&ear->bell->address) == ear->address;
}

static uint64_t made_now(int fd)
{
    return (uint64_t)plait__read_fork_mark() << 32 | (uint32_t)fd;
}

/* Close what was made in another incarnation.  The file is read first, as it may be another's once the word is 0; if it changes
 * meanwhile, then so has the word. */
static void forget(struct copy *copy, uint32_t incarnation)
{
    uint64_t made = atomic_load(&copy->made);
    struct plait__file file = copy->file;
    if (!made || made >> 32 == incarnation || !atomic_compare_exchange_strong(&copy->made, &made, 0)) return;
    if (plait__is_file((int)(uint32_t)made, &file)) close((int)(uint32_t)made);
}

static void remember(const struct plait__ear *ear)
{
    struct copy *copy = &copies[number_of(ear->bell)];
    uint32_t number = number_of(ear->bell), end = atomic_load(&copies_end);
    forget(copy, plait__read_fork_mark());
    atomic_store(&copy->made, 0);
    copy->file = ear->file;
    atomic_store(&copy->made, made_now(ear->fd));
    while (end <= number && !atomic_compare_exchange_weak(&copies_end, &end, number + 1)) {}
}

int plait__bell_open(struct plait__ear *ear)
{
    uint32_t name = 0;
    if (is_ours(ear)) return 0;
    plait__bell_close(ear);
    int fd = make_socket(&name);
    if (fd < 0) return fd;
    struct plait__bell *bell = claim_any();
    if (!bell) {
        close(fd);
        return plait__fail(PLAIT_ETOOMANY, "all %u places for those who wait for descriptors and others are taken",
                           PLAIT__BELLS_MAX);
    }
    uint64_t serial = atomic_fetch_add(&plait__roster->bells_made, 1) + 1;
    *ear = (struct plait__ear){ .bell = bell, .owner = plait__self.owner, .address = serial << 32 | name, .fd = fd,
                                .file = plait__file_of(fd) };
    plait__bell_rest(ear);
    atomic_store(&bell->network, network_here());
    atomic_store(&bell->address, ear->address);
    remember(ear);
    return 0;
}

/* (When it was taken for dead, because the program had closed its descriptor, the place may be another's by now.) */
void plait__bell_close(struct plait__ear *ear)
{
    if (!ear->bell) return;
    uint64_t owner = ear->owner, address = ear->address, made = made_now(ear->fd);
    atomic_compare_exchange_strong(&copies[number_of(ear->bell)].made, &made, 0);
    if (plait__is_file(ear->fd, &ear->file)) close(ear->fd);
    if (atomic_compare_exchange_strong(&ear->bell->address, &address, 0)) {
        plait__bell_rest(ear);
        atomic_compare_exchange_strong(&ear->bell->owner, &owner, 0);
    }
    ear->bell = NULL;
}

struct plait__ear *plait__bell_of_thread(void)
{
    int error = plait__bell_open(&of_thread);
    return error ? plait__null(error) : &of_thread;
}

void plait__bell_close_of_thread(void)
{
    plait__bell_close(&of_thread);
}

/* ---- ends ---- */

/* The address is read before the owner: if another has the place by then, it is not the present one. */
static void silence(struct plait__bell *bell, uint64_t owner)
{
    uint64_t address = atomic_load(&bell->address);
    if (atomic_load(&bell->owner) != owner) return;
    atomic_compare_exchange_strong(&bell->address, &address, 0);
    atomic_compare_exchange_strong(&bell->owner, &owner, 0);
}

void plait__bells_silence(uint64_t owner)
{
    uint32_t bells = atomic_load(&plait__roster->bells);
    for (uint32_t i = 0; i < bells; i++) silence(&plait__roster->bell[i], owner);
}

/* The sockets are the parent's: of ours only the copies of the descriptors are closed. */
void plait__bells_forget(uint32_t incarnation)
{
    of_thread.bell = NULL;
    for (uint32_t i = 0; i < atomic_load(&copies_end); i++) forget(&copies[i], incarnation);
}
