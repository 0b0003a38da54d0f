/* contract_join.h - the rows of test_contract for doors, joining and names. */
#ifndef PLAIT_TEST_CONTRACT_JOIN_H
#define PLAIT_TEST_CONTRACT_JOIN_H

#include "harness.h"

#include <plait.h>

static plait_door *open_a_door(void)
{
    char path[40];
    snprintf(path, sizeof path, "@plait-contract-%d", (int)getpid());
    plait_door *door = plait_family_listen(path, NULL);
    CHECK(door);
    return door;
}

/* Nobody comes. */
static void use_a_door(void)
{
    plait_door *door = open_a_door();
    CHECK(plait_door_fileno(door) > 2);
    CHECK(plait_door_admit(door, plait_after(0.002)) == -ETIMEDOUT);
    CHECK(plait_door_close(door) == 0 && plait_door_serve(door) == 0);
    CHECK(plait_door_free(door) == 0);
}

/* The family of another, in a process that has none. */
static void join_nobody(void)
{
    CHECK(plait_family_join("@plait-contract-nobody", plait_after(1)) == -ECONNREFUSED);
}

static void use_a_name(void)
{
    void *object = plait_alloc(100);
    CHECK(plait_family_publish("contract", object) == 0 && plait_family_find("contract", PLAIT_NOW) == object);
    CHECK(plait_family_withdraw("contract") == 0 && !plait_family_find("contract", plait_after(0.02)));
    CHECK(plait_free(object) == 0);
}

#define JOIN_FUNCTIONS(X)                                                                             \
    X(plait_family_listen, ANY_TIME, use_a_door())                                                    \
    X(plait_door_admit, ANY_TIME, use_a_door())                                                       \
    X(plait_door_serve, ANY_TIME, use_a_door())                                                       \
    X(plait_door_fileno, ANY_TIME, use_a_door())                                                      \
    X(plait_door_close, ANY_TIME, use_a_door())                                                       \
    X(plait_door_free, ANY_TIME, CHECK(plait_door_free(open_a_door()) == 0))                          \
    X(plait_family_join, ANY_TIME, join_nobody())                                                     \
    X(plait_family_publish, ANY_TIME, use_a_name())                                                   \
    X(plait_family_find, ANY_TIME, use_a_name())                                                      \
    X(plait_family_withdraw, ANY_TIME, use_a_name())

#endif
