/* Cells: where values lie. */
#include "value/value.h"

#include <pthread.h>
#include <stdlib.h>

/* 1.5 MiB of the C library's heap.  None under AddressSanitizer, which finds out what is used after it was freed. */
#if defined __SANITIZE_ADDRESS__
enum { KEPT = 0 };
#else
enum { KEPT = 1 << 15 };
#endif

_Thread_local struct plait__cells plait__cells;

/* Whether this thread has been here: at its end its cells are freed, and none are kept after that. */
static _Thread_local enum { NEVER, KEEPS, KEEPS_NONE } how;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

static void free_all(void)
{
    while (plait__cells.first) {
        struct plait__cell *next = plait__cells.first->next;
        free(plait__cells.first);
        plait__cells.first = next;
    }
}

static void at_thread_end(void *unused)
{
    (void)unused;
    plait__cells_keep(0);
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, at_thread_end) == 0;
}

/* Without a key the thread keeps nothing: nobody would free it. */
static void begin(void)
{
    int saved = errno;
    pthread_once(&once, make_key);
    const bool may_keep = KEPT > 0 && has_key && pthread_setspecific(key, &plait__cells) == 0;
    how = may_keep ? KEEPS : KEEPS_NONE;
    plait__cells.left = may_keep ? KEPT : 0;
    errno = saved;
}

/* A cell that did not come from the list makes no room in it. */
void *plait__cell_from_heap(void)
{
    void *cell = malloc(PLAIT__CELL);
    return cell ? cell : plait__no_memory();
}

void plait__cell_to_heap(void *freed)
{
    if (how == NEVER) {
        begin();
        if (plait__cells.left) {
            plait__cell_free(freed);
            return;
        }
    }
    free(freed);
}

void plait__cells_keep(unsigned count)
{
    free_all();
    how = count ? KEEPS : KEEPS_NONE;
    plait__cells.left = count;
}
