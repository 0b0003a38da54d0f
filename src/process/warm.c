/* process/warm.c - make the pages that a fork will soon need its own, before it is in a hurry.
 *
 * A fresh fork has no page tables for code, and shares every page that it is about to write with its parent: its first steps cost
 * some hundred faults, half a microsecond and more each. */
#include "process/server.h"

#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22                              /* Linux 5.14; older ones refuse, and the child is not as fast */
#define MADV_POPULATE_WRITE 23
#endif

#define CODE_MOST ((uintptr_t)8 << 20)                     /* bytes of each module: nobody runs through more at once */
#define DATA_MOST ((uintptr_t)256 << 10)                   /* these cost memory, too */

static uintptr_t page_size;

/* The pages of `size` bytes from `start` on, at most so many. */
static void populate(uintptr_t start, uintptr_t size, uintptr_t most, int advice)
{
    uintptr_t begin = start / page_size * page_size, end = (start + (size < most ? size : most) + page_size - 1) / page_size * page_size;
    madvise((void *)begin, end - begin, advice);
}

static int populate_module(struct dl_phdr_info *module, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (int i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD) continue;
        bool is_data = segment->p_flags & PF_W;
        populate(module->dlpi_addr + segment->p_vaddr, segment->p_memsz, is_data ? DATA_MOST : CODE_MOST,
                 is_data ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    }
    return 0;
}

static void populate_stack(void)
{
    char here;
    const uintptr_t depth = 48 << 10;
    populate((uintptr_t)&here - depth, depth, depth, MADV_POPULATE_WRITE);
}

static void populate_heap(void)
{
    char *volatile block = malloc(64);
    if (block) populate((uintptr_t)block, 64, page_size, MADV_POPULATE_WRITE);
    free(block);
    const uintptr_t top = (uintptr_t)sbrk(0), last = 64 << 10;
    if (top > last) populate(top - last, last, last, MADV_POPULATE_WRITE);
}

void plait__warm_up(void)
{
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    dl_iterate_phdr(populate_module, NULL);
    populate_stack();
    populate_heap();
}
