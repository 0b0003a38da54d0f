/* Whom a family does not let in, and doors that are none: each is a clear error at once or at the deadline, nothing is left of the
 * attempt, and the next one works. */
#include "apart.h"

#include "join/address.h"

/* It fails with that error, leaves no descriptor, and the process can still have a family of its own. */
static void must_be_refused(int error, const char *detail)
{
    const int before = descriptors();
    const int got = plait_family_join(address, plait_after(error == -ETIMEDOUT ? 0.02 : 10));
    if (got != error) say_error("join", got);
    CHECK(got == error && detail_has(detail) && descriptors() == before && !plait__arena);
}

static void use_a_family_of_its_own(void)
{
    plait_queue *queue = plait_queue_new(NULL);
    CHECK(queue && put_number(queue, 3) == 0 && get_number(queue) == 3 && plait_queue_free(queue) == 0);
    CHECK(strcmp(plait__process_name(), "MainProcess") == 0);
}

/* --- addresses ----------------------------------------------------------------------------------------------------------- */

static int tries_addresses(void)
{
    char longest[200];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    CHECK(plait_family_join(NULL, PLAIT_NOW) == -EINVAL && plait_family_join("", PLAIT_NOW) == -EINVAL);
    CHECK(plait_family_join("@", PLAIT_NOW) == -EINVAL && plait_family_join(longest, PLAIT_NOW) == -ENAMETOOLONG);
    CHECK(plait_family_join("/nowhere/at/all", PLAIT_FOREVER) == -ENOENT);
    CHECK(plait_family_join("/dev/null", PLAIT_FOREVER) == -ECONNREFUSED);
    must_be_refused(-ECONNREFUSED, "nobody listens there");
    use_a_family_of_its_own();
    return 0;
}

static void an_address_where_nobody_is(void **state)
{
    visit(tries_addresses);
}

/* --- doors that are none ------------------------------------------------------------------------------------------------- */

static int listen_as(int type)
{
    struct plait__address at;
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && plait__address_of(address, &at) == 0);
    CHECK(bind(fd, (const struct sockaddr *)&at.socket, at.length) == 0 && listen(fd, 5) == 0);
    atomic_store(&notes->open, 1);
    return fd;
}

static void send_to(int peer, const void *data, size_t size, const int *fds, size_t count)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(8 * sizeof(int))];
    } control = { 0 };
    struct iovec vector = { (void *)(uintptr_t)data, size };
    struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
    if (count) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        const size_t length = CMSG_LEN(count * sizeof(int));
        control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = length };
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    CHECK(sendmsg(peer, &header, MSG_NOSIGNAL) == (ssize_t)size);
}

static int memfd_with(const void *content, size_t size)
{
    const int fd = memfd_create("no arena", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, content, size) == (ssize_t)size);
    return fd;
}

static const struct plait__invitation invitation = { .magic = PLAIT__INVITATION_MAGIC };
static struct plait__arena header;                         /* without anything behind it */

/* What the false one sends. */
static void send_nothing(int peer) { shutdown(peer, SHUT_WR); }
static void send_half(int peer) { send_to(peer, &invitation, sizeof invitation / 2, NULL, 0); }
static void send_noise(int peer) { send_to(peer, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16, NULL, 0); }
static void send_no_memory(int peer) { send_to(peer, &invitation, sizeof invitation, NULL, 0); }
static void send_one(int peer, int fd) { send_to(peer, &invitation, sizeof invitation, &fd, 1); }
static void send_null(int peer) { send_one(peer, open("/dev/null", O_RDWR)); }
static void send_itself(int peer) { send_one(peer, peer); }
static void send_empty(int peer) { send_one(peer, memfd_with("", 0)); }
static void send_zeros(int peer) { send_one(peer, memfd_with(&header, sizeof header)); }

static void send_too_much(int peer)
{
    char large[100] = "";
    memcpy(large, &invitation, sizeof invitation);
    send_to(peer, large, sizeof large, NULL, 0);
}

static void send_many(int peer)
{
    const int fds[] = { peer, peer, peer, peer, peer, peer, peer };
    send_to(peer, &invitation, sizeof invitation, fds, 7);
}

static void send_header(int peer)
{
    header = (struct plait__arena){ .magic = PLAIT__ARENA_MAGIC, .version = PLAIT__ARENA_VERSION, .library = PLAIT_VERSION };
    header.libc = plait__arena->libc;
    header.base = plait__arena->base;
    header.size = plait__arena->size;
    send_one(peer, memfd_with(&header, sizeof header));
}

static const struct {
    void (*send)(int peer);
    int error;
    const char *detail;
} falsehoods[] = {
    { send_nothing, -ECONNRESET, "without an answer" }, { send_half, -EPROTO, "no door" }, { send_noise, -EPROTO, "no door" },
    { send_too_much, -EPROTO, "no door" }, { send_no_memory, -EPROTO, "brings no memory" },
    { send_null, PLAIT_ENOARENA, "can't be read" },
    { send_itself, PLAIT_ENOARENA, "can't be read" }, { send_empty, PLAIT_ENOARENA, "can't be read" },
    { send_zeros, PLAIT_ENOARENA, "not the shared memory" }, { send_header, PLAIT_ENOARENA, "size is another" },
    { send_many, PLAIT_ENOARENA, "can't be read" },
};
enum { FALSEHOODS = sizeof falsehoods / sizeof falsehoods[0] };

static int lie(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    const int fd = listen_as(SOCK_SEQPACKET);
    for (int i = 0; i < FALSEHOODS; i++) {
        char byte;
        const int peer = accept(fd, NULL, NULL);
        CHECK(peer >= 0);
        falsehoods[i].send(peer);
        CHECK(read(peer, &byte, 1) <= 0);                  /* it has gone; and it says nothing */
        close(peer);
    }
    return 0;
}

static int hears_lies(void)
{
    for (int i = 0; i < FALSEHOODS; i++) must_be_refused(falsehoods[i].error, falsehoods[i].detail);
    use_a_family_of_its_own();
    return 0;
}

static void a_socket_that_sends_something_else(void **state)
{
    const pid_t liar = test_fork(lie, NULL);
    test_until_set(&notes->open);
    visit(hears_lies);
    assert_int_equal(test_wait_exit(liar), 0);
}

static int say_nothing(void *type)
{
    const int fd = listen_as(*(int *)type);
    for (;;) pause();
    return fd;
}

static int hears_nothing(void)
{
    must_be_refused(-ETIMEDOUT, "nobody sees to the door");
    CHECK(plait_family_join(address, PLAIT_NOW) == -ETIMEDOUT);
    use_a_family_of_its_own();
    return 0;
}

static int finds_a_stream(void)
{
    must_be_refused(-EPROTO, "another kind");
    return 0;
}

static void a_socket_that_says_nothing(void **state)
{
    int types[] = { SOCK_SEQPACKET, SOCK_STREAM };
    for (int i = 0; i < 2; i++) {
        if (i) strcpy(address, temporary("door"));
        atomic_store(&notes->open, 0);
        const pid_t mute = test_fork(say_nothing, &types[i]);
        test_until_set(&notes->open);
        visit(i ? finds_a_stream : hears_nothing);
        home_kill(mute);
    }
    assert_int_equal(unlink(address), 0);
}

/* --- another plait ------------------------------------------------------------------------------------------------------- */

static void (*change)(void);

static void be_another_version(void) { plait__arena->library = 9008007; }
static void be_another_layout(void) { plait__arena->version++; }
static void have_another_libc(void) { plait__arena->libc = 3 - plait__arena->libc; }

static int change_and_serve(void)
{
    change();
    return plait_door_serve(door);
}

static const char *expected;

static int finds_another_plait(void)
{
    must_be_refused(-EPROTONOSUPPORT, expected);
    use_a_family_of_its_own();
    return 0;
}

static void a_family_of_another_version(void **state)
{
    static const struct {
        void (*change)(void);
        const char *detail;
    } cases[] = {
        { be_another_version, "plait 9.8.7" }, { be_another_layout, "the family is one of" }, { have_another_libc, "C library" },
    };
    for (int i = 0; i < 3; i++) {
        change = cases[i].change;
        expected = cases[i].detail;
        const pid_t home = home_start(change_and_serve);
        visit(finds_another_plait);
        home_kill(home);
    }
}

/* --- no room ------------------------------------------------------------------------------------------------------------- */

static int has_something_there(void)
{
    void *const base = (void *)(__tsan_acquire ? 0x7e9000000000 : 0x6a0000000000);
    CHECK(mmap(base, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == base);
    must_be_refused(PLAIT_ENOARENA, "something else lies there");
    CHECK(munmap(base, 4096) == 0);
    use_everything();
    return 0;
}

static void a_program_that_has_something_where_the_memory_has_to_lie(void **state)
{
    const pid_t home = home_start(NULL);
    visit(has_something_there);
    home_kill(home);
}

/* All slots look taken, by the home itself. */
static int fill_and_serve(void)
{
    const uint32_t made = atomic_load(&plait__roster->made);
    for (uint32_t i = 1; i <= PLAIT__MEMBERS_MAX; i++)
        if (i > made || !atomic_load(plait__pulse_word(i))) atomic_store(plait__pulse_word(i), (uint32_t)getpid());
    atomic_store(&plait__roster->made, PLAIT__MEMBERS_MAX);
    return plait_door_serve(door);
}

static int finds_it_full(void)
{
    must_be_refused(PLAIT_ETOOMANY, "all 8191 slots are taken");
    use_a_family_of_its_own();
    return 0;
}

static void a_family_that_is_full(void **state)
{
    const pid_t home = home_start(fill_and_serve);
    visit(finds_it_full);
    home_kill(home);
}

static int has_few_descriptors(void)
{
    const struct rlimit all = { 1000, 1000 };
    CHECK(setrlimit(RLIMIT_NOFILE, &all) == 0);
    const int socket = dup(0);                             /* the first that is free: the socket's */
    CHECK(socket > 2 && close(socket) == 0);
    for (int room = 0; room < 3; room++) {
        CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)(socket + room), 1000 }) == 0);
        const int got = plait_family_join(address, plait_after(10));
        if (got == 0) {
            CHECK(room == 2);
            break;
        }
        CHECK(got == -EMFILE && !plait__arena);
    }
    CHECK(setrlimit(RLIMIT_NOFILE, &all) == 0);
    use_everything();
    return 0;
}

static void a_program_without_free_descriptors(void **state)
{
    const pid_t home = home_start(NULL);
    visit(has_few_descriptors);
    home_kill(home);
}

/* --- other users --------------------------------------------------------------------------------------------------------- */

enum { NOBODY = 65534 };

static int is_nobody(void)
{
    CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    must_be_refused(-EPERM, "does not let this program in");
    return 0;
}

/* Refused ones hold nobody up. */
static void another_user_at_an_abstract_door(void **state)
{
    if (geteuid() != 0) skip();
    const pid_t home = home_start(NULL);
    visit(is_nobody);
    visit(use_everything);
    home_kill(home);
}

static int is_shut_out(void)
{
    CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    must_be_refused(-EACCES, "no way to get there");
    return 0;
}

static void another_user_at_a_path(void **state)
{
    if (geteuid() != 0) skip();
    snprintf(address, sizeof address, "/tmp/plait-test-%d", (int)getpid());        /* where another user gets to it */
    const pid_t home = home_start(NULL);
    visit(is_shut_out);
    visit(use_everything);
    home_kill(home);
    assert_int_equal(unlink(address), 0);
}

static int be_nobodys_home(void *unused)
{
    CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    return be_home(NULL);
}

static int finds_a_stranger(void)
{
    must_be_refused(-EPERM, "a program of user 65534");
    return 0;
}

static int comes_as_nobody(void)
{
    CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    return use_everything();
}

/* Whoever opens a door for root to fall into gets nothing of root's. */
static void root_trusts_no_other(void **state)
{
    if (geteuid() != 0) skip();
    const pid_t home = test_fork(be_nobodys_home, NULL);
    test_until_set(&notes->open);
    visit(finds_a_stranger);
    visit(comes_as_nobody);
    home_kill(home);
}

static const struct CMUnitTest tests[] = {
    JOIN_TEST(an_address_where_nobody_is),
    JOIN_TEST(a_socket_that_sends_something_else),
    JOIN_TEST(a_socket_that_says_nothing),
    JOIN_TEST(a_family_of_another_version),
    JOIN_TEST(a_program_that_has_something_where_the_memory_has_to_lie),
    JOIN_TEST(a_family_that_is_full),
    JOIN_TEST(a_program_without_free_descriptors),
    JOIN_TEST(another_user_at_an_abstract_door),
    JOIN_TEST(another_user_at_a_path),
    JOIN_TEST(root_trusts_no_other),
};

TEST_MAIN(tests)
