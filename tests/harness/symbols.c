#include "symbols.h"

#include "harness.h"

#include <elf.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct library {
    const char *file;
    size_t size;
};

/* A test program lies in BUILD/tests/, the library in BUILD/. */
static struct library library_open(const char *name)
{
    char program[PATH_MAX] = "", path[PATH_MAX + 32];
    assert_true(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    snprintf(path, sizeof path, "%s/%s", dirname(dirname(program)), name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    assert_true(fd >= 0 && fstat(fd, &status) == 0);
    const char *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(file, MAP_FAILED);
    close(fd);
    assert_memory_equal(file, ELFMAG, SELFMAG);
    return (struct library){ file, (size_t)status.st_size };
}

static int names_of(const char *name, bool exported, char names[SYMBOLS_MAX][SYMBOL_SIZE])
{
    const struct library library = library_open(name);
    const ElfW(Ehdr) *header = (const void *)library.file;
    const ElfW(Shdr) *sections = (const void *)(library.file + header->e_shoff), *table = NULL;
    for (int i = 0; i < header->e_shnum; i++)
        if (sections[i].sh_type == SHT_DYNSYM) table = &sections[i];
    assert_non_null(table);
    const ElfW(Sym) *symbols = (const void *)(library.file + table->sh_offset);
    const char *strings = library.file + sections[table->sh_link].sh_offset;
    int count = 0;
    for (size_t i = 1; i < table->sh_size / sizeof *symbols; i++) {
        const unsigned section = symbols[i].st_shndx;
        if (section == SHN_ABS || (section != SHN_UNDEF) != exported) continue;        /* absolute are the names of versions */
        assert_in_range(count, 0, SYMBOLS_MAX - 1);
        snprintf(names[count++], SYMBOL_SIZE, "%s", strings + symbols[i].st_name);
    }
    munmap((void *)(uintptr_t)library.file, library.size);
    return count;
}

int symbols_exported(const char *library, char names[SYMBOLS_MAX][SYMBOL_SIZE])
{
    return names_of(library, true, names);
}

int symbols_needed(const char *library, char names[SYMBOLS_MAX][SYMBOL_SIZE])
{
    return names_of(library, false, names);
}
