/* Names: what members publish, the others find. */
#include "member.h"
#include "others.h"

#include <plait.h>

static plait_queue *queue;
static plait_event *event;

static int make_family(void **state)
{
    test_family();
    queue = plait_queue_new(NULL);
    event = plait_event_new();
    return queue && event ? 0 : -1;
}

static int free_all(void **state)
{
    return plait_queue_free(queue) || plait_event_free(event);
}

static void what_is_published_is_found(void **state)
{
    assert_int_equal(plait_family_publish("queue", queue), 0);
    assert_int_equal(plait_family_publish("event", event), 0);
    assert_ptr_equal(plait_family_find("queue", PLAIT_NOW), queue);
    assert_ptr_equal(plait_family_find("event", PLAIT_FOREVER), event);
    assert_int_equal(plait_family_publish("queue", queue), 0);
    assert_int_equal(plait_family_publish("also the queue", queue), 0);
    assert_ptr_equal(plait_family_find("also the queue", PLAIT_NOW), queue);
    assert_int_equal(plait_family_withdraw("queue"), 0);
    assert_int_equal(plait_family_withdraw("also the queue"), 0);
    assert_int_equal(plait_family_withdraw("event"), 0);
}

static void must_not_be_there(const char *name)
{
    errno = 0;
    assert_null(plait_family_find(name, PLAIT_NOW));
    assert_int_equal(errno, ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "nobody has published"));
    assert_null(plait_family_find(name, plait_after(0.002)));
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(plait_family_withdraw(name), -ENOENT);
}

static void what_is_withdrawn_is_not(void **state)
{
    must_not_be_there("queue");
    assert_int_equal(plait_family_publish("queue", queue), 0);
    assert_int_equal(plait_family_withdraw("queue"), 0);
    must_not_be_there("queue");
    assert_int_equal(plait_family_publish("queue", event), 0);
    assert_ptr_equal(plait_family_find("queue", PLAIT_NOW), event);
    assert_int_equal(plait_family_withdraw("queue"), 0);
}

static void a_name_means_one_object(void **state)
{
    assert_int_equal(plait_family_publish("it", queue), 0);
    assert_int_equal(plait_family_publish("it", event), -EEXIST);
    assert_non_null(strstr(plait_error_detail(), "\"it\" is another object"));
    assert_ptr_equal(plait_family_find("it", PLAIT_NOW), queue);
    assert_int_equal(plait_family_withdraw("it"), 0);
}

static void names_have_an_end(void **state)
{
    char longest[PLAIT_FAMILY_NAME_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[PLAIT_FAMILY_NAME_MAX + 1] = 0;
    assert_int_equal(plait_family_publish(longest, queue), -ENAMETOOLONG);
    assert_null(plait_family_find(longest, PLAIT_FOREVER));
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(plait_family_withdraw(longest), -ENAMETOOLONG);
    longest[PLAIT_FAMILY_NAME_MAX] = 0;
    assert_int_equal(plait_family_publish(longest, queue), 0);
    longest[PLAIT_FAMILY_NAME_MAX - 1] = 0;
    assert_int_equal(plait_family_publish(longest, event), 0);
    assert_ptr_equal(plait_family_find(longest, PLAIT_NOW), event);
    assert_int_equal(plait_family_withdraw(longest), 0);
    longest[PLAIT_FAMILY_NAME_MAX - 1] = 'x';
    assert_ptr_equal(plait_family_find(longest, PLAIT_NOW), queue);
    assert_int_equal(plait_family_withdraw(longest), 0);
}

static void misuse_is_told(void **state)
{
    int private;
    assert_int_equal(plait_family_publish(NULL, queue), -EINVAL);
    assert_int_equal(plait_family_publish("", queue), -EINVAL);
    assert_int_equal(plait_family_publish("it", NULL), -EINVAL);
    assert_int_equal(plait_family_publish("it", &private), -EINVAL);
    assert_non_null(strstr(plait_error_detail(), "no shared memory"));
    assert_null(plait_family_find(NULL, PLAIT_FOREVER));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_family_find("", PLAIT_FOREVER));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(plait_family_withdraw(NULL), -EINVAL);
    assert_int_equal(plait_family_withdraw(""), -EINVAL);
}

static void there_is_room_for_a_thousand(void **state)
{
    char name[20];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < PLAIT_FAMILY_NAMES_MAX; i++) {
            snprintf(name, sizeof name, "%d", i);
            assert_int_equal(plait_family_publish(name, queue), 0);
        }
        assert_int_equal(plait_family_publish("one more", queue), -ENOSPC);
        assert_int_equal(plait_family_withdraw("500"), 0);
        assert_int_equal(plait_family_publish("one more", event), 0);
        assert_ptr_equal(plait_family_find("one more", PLAIT_NOW), event);
        assert_ptr_equal(plait_family_find("999", PLAIT_NOW), queue);
        assert_int_equal(plait_family_withdraw("one more"), 0);
        assert_int_equal(plait_family_publish("500", queue), 0);
        for (int i = 0; i < PLAIT_FAMILY_NAMES_MAX; i++) {
            snprintf(name, sizeof name, "%d", i);
            assert_int_equal(plait_family_withdraw(name), 0);
        }
    }
}

/* --- waiting --------------------------------------------------------------------------------------------------------------- */

static int find_it(void)
{
    return plait_family_find("later", PLAIT_FOREVER) == queue ? 0 : 1;
}

static void who_waits_is_woken(void **state)
{
    struct member finders[3];
    for (int i = 0; i < 3; i++) finders[i] = member_start(find_it);
    for (int i = 0; i < 3; i++) member_until_sleeps(&finders[i]);
    assert_int_equal(plait_family_publish("something else", event), 0);
    for (int i = 0; i < 3; i++) member_until_sleeps(&finders[i]);
    assert_int_equal(plait_family_publish("later", queue), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(member_wait(&finders[i], "a finder"), 0);
    member_all_leave();
    assert_int_equal(plait_family_withdraw("later"), 0);
    assert_int_equal(plait_family_withdraw("something else"), 0);
}

static void a_report_says_what_is_waited_for(void **state)
{
    char *text = NULL;
    size_t size;
    const struct member finder = member_start(find_it);
    member_until_sleeps(&finder);
    FILE *file = open_memstream(&text, &size);
    assert_int_equal(plait_deadlock_report(file), 0);
    fclose(file);
    assert_non_null(strstr(text, "waits for the publishing of a name"));
    free(text);
    assert_int_equal(plait_family_publish("later", queue), 0);
    assert_int_equal(member_wait(&finder, "a finder"), 0);
    member_all_leave();
    assert_int_equal(plait_family_withdraw("later"), 0);
}

/* --- many ------------------------------------------------------------------------------------------------------------------- */

enum { ROUNDS = 300, WORKERS = 4 };

/* "a" is always the queue, "b" the event: never the one for the other, although they change places. */
static int publish_and_find(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        const char *name = (i + getpid()) % 2 ? "a name that is somewhat longer than others" : "a name that is somewhat longer";
        void *object = (i + getpid()) % 2 ? (void *)queue : (void *)event;
        CHECK(plait_family_publish(name, object) == 0);
        void *found = plait_family_find(name, PLAIT_NOW);
        CHECK(!found || found == object);
        const int withdrawn = plait_family_withdraw(name);
        CHECK(withdrawn == 0 || withdrawn == -ENOENT);
    }
    return 0;
}

static void many_at_once_find_what_they_have_named(void **state)
{
    struct member workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) workers[i] = member_start(publish_and_find);
    for (int i = 0; i < WORKERS; i++) assert_int_equal(member_wait(&workers[i], "a worker"), 0);
    member_all_leave();
    plait_family_withdraw("a name that is somewhat longer than others");
    plait_family_withdraw("a name that is somewhat longer");
}

#define NAMES_TEST(of) cmocka_unit_test_setup_teardown(of, make_family, free_all)

static const struct CMUnitTest tests[] = {
    NAMES_TEST(what_is_published_is_found), NAMES_TEST(what_is_withdrawn_is_not), NAMES_TEST(a_name_means_one_object),
    NAMES_TEST(names_have_an_end), NAMES_TEST(misuse_is_told), NAMES_TEST(there_is_room_for_a_thousand),
    NAMES_TEST(who_waits_is_woken), NAMES_TEST(a_report_says_what_is_waited_for),
    NAMES_TEST(many_at_once_find_what_they_have_named),
};

TEST_MAIN(tests)
