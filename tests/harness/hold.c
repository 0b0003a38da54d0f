#include "hold.h"

#include "member.h"

static struct held {
    enum plait__point point;
    int times;
    _Atomic bool there, may_go;
} *held;

void hold_forget(void)
{
    if (!held) held = test_shared(sizeof *held);
    *held = (struct held){ 0 };
}

static bool may_go(void *unused)
{
    (void)unused;
    return held->may_go;
}

static void hold_here(enum plait__point point)
{
    if (point != held->point || --held->times != 0) return;
    held->there = true;
    test_until(may_go, NULL);
}

void hold_at(enum plait__point point, int times)
{
    held->point = point;
    held->times = times;
    plait__point_hook = hold_here;
}

static bool is_there(void *unused)
{
    (void)unused;
    return held->there;
}

void hold_until_there(void)
{
    test_soon(is_there, NULL, "who is to be held");
}

void hold_let_go(void)
{
    held->may_go = true;
}
