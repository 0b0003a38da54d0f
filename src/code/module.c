#include "code/module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/error.h"
#include "code/loader.h"

#define SMALLEST_PAGE 4096u
#define HEADERS_MAX 64u
#define NOTES_MAX 65536u                                   /* bytes of notes to look at */

_Static_assert(sizeof(struct plait__build) == 40, "no bytes between the fields: it is compared as a whole");

/* ---- reading, in memory or in a file ---- */

struct elf {
    int fd;                                                /* -1: in memory */
    uintptr_t bias;
    const ElfW(Phdr) *headers;
    uint32_t count;
    int error;                                             /* why a read failed, unless the file was too short */
};

static bool lies_within(const ElfW(Phdr) *part, const ElfW(Phdr) *segment)
{
    return segment->p_type == PT_LOAD && part->p_vaddr >= segment->p_vaddr && part->p_filesz <= segment->p_filesz &&
           part->p_vaddr - segment->p_vaddr <= segment->p_filesz - part->p_filesz;
}

static bool is_loaded(const struct elf *elf, const ElfW(Phdr) *part)
{
    for (uint32_t i = 0; i < elf->count; i++)
        if (lies_within(part, &elf->headers[i])) return true;
    return false;
}

/* Also between constants, where a sanitizer keeps watch; volatile, so that it is not made a call of memcpy. */
__attribute__((no_sanitize("address")))
static void read_memory(uintptr_t from, void *to, size_t size)
{
    typedef uint64_t __attribute__((may_alias, aligned(1))) word;
    size_t at = 0;
    for (; size - at >= sizeof(word); at += sizeof(word)) *(word *)((char *)to + at) = *(const volatile word *)(from + at);
    for (; at < size; at++) ((char *)to)[at] = *(const volatile char *)(from + at);
}

static bool read_file(int fd, void *to, size_t size, uint64_t at, int *why)
{
    ssize_t got;
    do got = pread(fd, to, size, (off_t)at);
    while (got < 0 && errno == EINTR);
    if (got < 0) *why = errno;
    return got == (ssize_t)size;
}

/* Bytes of a part of it, which in memory has to be loaded. */
static bool read_part(struct elf *elf, const ElfW(Phdr) *part, uint64_t at, void *to, size_t size)
{
    if (at > part->p_filesz || size > part->p_filesz - at) return false;
    if (elf->fd >= 0) return read_file(elf->fd, to, size, part->p_offset + at, &elf->error);
    read_memory(elf->bias + part->p_vaddr + at, to, size);
    return true;
}

static bool is_elf(const ElfW(Ehdr) *header)
{
    const unsigned char class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == class &&
           header->e_phentsize == sizeof(ElfW(Phdr)) && header->e_phnum > 0 && header->e_phnum <= HEADERS_MAX;
}

/* ---- which build ---- */

static uint64_t round_up(uint64_t size, uint64_t alignment)
{
    return (size + alignment - 1) / alignment * alignment;
}

static bool find_id_in(struct elf *elf, const ElfW(Phdr) *notes, struct plait__build *build)
{
    uint64_t alignment = notes->p_align == 8 ? 8 : 4;
    struct {
        ElfW(Nhdr) header;
        char name[4];
    } note;
    for (uint64_t at = 0; at < NOTES_MAX && read_part(elf, notes, at, &note, sizeof note);) {
        uint64_t content = round_up(at + sizeof note.header + note.header.n_namesz, alignment);
        uint32_t length = note.header.n_descsz;
        if (note.header.n_type == NT_GNU_BUILD_ID && note.header.n_namesz == 4 && memcmp(note.name, "GNU", 4) == 0 && length) {
            build->kind = PLAIT__BUILD_ID;
            build->length = length;
            return read_part(elf, notes, content, build->bytes, length < sizeof build->bytes ? length : sizeof build->bytes);
        }
        at = round_up(content + length, alignment);
    }
    return false;
}

static bool find_id(struct elf *elf, struct plait__build *build)
{
    for (uint32_t i = 0; i < elf->count; i++) {
        const ElfW(Phdr) *part = &elf->headers[i];
        if (part->p_type != PT_NOTE || (elf->fd < 0 && !is_loaded(elf, part))) continue;
        if (find_id_in(elf, part, build)) return true;
        memset(build, 0, sizeof *build);
    }
    return false;
}

/* Two chains, so that the CPU can work on both: some GB/s. */
static void mix(uint64_t sums[2], uint64_t word)
{
    sums[0] = (sums[0] ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    sums[1] = (sums[1] ^ word) * UINT64_C(0xc2b2ae3d27d4eb4f);
    sums[0] ^= sums[0] >> 29;
    sums[1] ^= sums[1] >> 32;
}

static void mix_bytes(uint64_t sums[2], const unsigned char *bytes, size_t size)
{
    uint64_t word;
    for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        mix(sums, word);
    }
    word = 0;
    memcpy(&word, bytes, size);
    mix(sums, word);
}

/* In pieces of the same size from memory and from a file: the last word of each is filled up. */
static bool mix_segment(struct elf *elf, const ElfW(Phdr) *segment, uint64_t sums[2])
{
    unsigned char piece[4096];
    mix(sums, segment->p_vaddr);
    mix(sums, segment->p_filesz);
    for (uint64_t at = 0; at < segment->p_filesz; at += sizeof piece) {
        uint64_t rest = segment->p_filesz - at;
        size_t size = rest < sizeof piece ? (size_t)rest : sizeof piece;
        if (!read_part(elf, segment, at, piece, size)) return false;
        mix_bytes(sums, piece, size);
    }
    return true;
}

/* Code with relocations in it looks different wherever it is loaded. */
static bool has_fixed_code(struct elf *elf, const ElfW(Phdr) *dynamic)
{
    ElfW(Dyn) entry;
    if (elf->fd < 0 && !is_loaded(elf, dynamic)) return true;
    for (uint64_t at = 0; read_part(elf, dynamic, at, &entry, sizeof entry) && entry.d_tag != DT_NULL; at += sizeof entry)
        if (entry.d_tag == DT_TEXTREL || (entry.d_tag == DT_FLAGS && (entry.d_un.d_val & DF_TEXTREL))) return false;
    return true;
}

/* Code and constants. */
static bool hash_what_is_fixed(struct elf *elf, struct plait__build *build)
{
    uint64_t sums[2] = { 1, 2 };
    for (uint32_t i = 0; i < elf->count; i++) {
        const ElfW(Phdr) *part = &elf->headers[i];
        if (part->p_type == PT_DYNAMIC && !has_fixed_code(elf, part)) return false;
        if (part->p_type != PT_LOAD || (part->p_flags & PF_W)) continue;
        if (!(part->p_flags & PF_R) || !mix_segment(elf, part, sums)) return false;
    }
    build->kind = PLAIT__BUILD_HASH;
    build->length = sizeof sums;
    memcpy(build->bytes, sums, sizeof sums);
    return true;
}

static bool find_build(struct elf *elf, struct plait__build *build)
{
    memset(build, 0, sizeof *build);
    return (find_id(elf, build) || hash_what_is_fixed(elf, build)) && !elf->error;
}

struct plait__build_text plait__build_text(const struct plait__build *build)
{
    struct plait__build_text text;
    int used = snprintf(text.text, sizeof text.text, build->kind == PLAIT__BUILD_ID ? "build-id " : "content with hash ");
    for (uint32_t i = 0; i < build->length && i < 8; i++)
        used += snprintf(text.text + used, sizeof text.text - (size_t)used, "%02x", build->bytes[i]);
    return text;
}

/* ---- the program ---- */

/* What the kernel told us of it.  Static programs have no PT_PHDR, but their ELF header in front of the table. */
static bool look_at_program(struct plait__module *module)
{
    uintptr_t table = getauxval(AT_PHDR), start = table - sizeof(ElfW(Ehdr));
    *module = (struct plait__module){ (const void *)table, (uint32_t)getauxval(AT_PHNUM), true, 0, "" };
    if (!table || getauxval(AT_PHENT) != sizeof module->headers[0]) return false;
    for (uint32_t i = 0; i < module->count; i++) {
        module->bias = table - module->headers[i].p_vaddr;
        if (module->headers[i].p_type == PT_PHDR) return true;
    }
    const ElfW(Ehdr) *header = (const void *)start;
    if (start % SMALLEST_PAGE != 0 || !is_elf(header)) return false;
    module->bias = header->e_type == ET_EXEC ? 0 : start;
    return true;
}

/* It is looked at once, as its code may have to be hashed.  Who comes while another thread is at it does it for himself, and so
 * does for ever a child that was forked in that moment: nobody waits.  Afterwards nobody writes. */
static struct program {
    bool is_known;
    struct plait__module module;
    struct plait__build build;
} known_program;
static _Atomic uint32_t program_state;
enum { UNKNOWN, IN_WORK, KNOWN };

static const struct program *look(struct program *own)
{
    struct program *program = own;
    uint32_t state = UNKNOWN;
    bool ours = atomic_compare_exchange_strong(&program_state, &state, IN_WORK);
    if (ours) program = &known_program;
    program->is_known = look_at_program(&program->module);
    struct elf elf = { -1, program->module.bias, program->module.headers, program->module.count, 0 };
    if (!program->is_known || !find_build(&elf, &program->build)) memset(&program->build, 0, sizeof program->build);
    if (ours) atomic_store_explicit(&program_state, KNOWN, memory_order_release);
    return program;
}

/* Acquire: with the release above, who reads KNOWN reads the rest. */
static const struct program *the_program(struct program *own)
{
    bool is_known = atomic_load_explicit(&program_state, memory_order_acquire) == KNOWN;
    return PLAIT__LIKELY(is_known) ? &known_program : look(own);
}

bool plait__module_of_program(struct plait__module *module)
{
    struct program own;
    const struct program *program = the_program(&own);
    *module = program->module;
    return program->is_known;
}

/* ---- modules ---- */

static bool lies_in(const struct plait__module *module, uintptr_t address)
{
    for (uint32_t i = 0; i < module->count; i++) {
        const ElfW(Phdr) *segment = &module->headers[i];
        if (segment->p_type == PT_LOAD && address - (module->bias + segment->p_vaddr) < segment->p_memsz) return true;
    }
    return false;
}

bool plait__module_runs(const struct plait__module *module, uintptr_t address)
{
    for (uint32_t i = 0; i < module->count; i++) {
        const ElfW(Phdr) *segment = &module->headers[i];
        bool is_code = segment->p_type == PT_LOAD && (segment->p_flags & PF_X);
        if (is_code && address - (module->bias + segment->p_vaddr) < segment->p_filesz) return true;
    }
    return false;
}

/* Its ELF header, and the table behind that, are in its first page. */
static bool look_at_object(uintptr_t start, const char *name, struct plait__module *module)
{
    const ElfW(Ehdr) *header = (const void *)start;
    if (!is_elf(header) || header->e_phoff > SMALLEST_PAGE) return false;
    if (header->e_phoff + header->e_phnum * sizeof(ElfW(Phdr)) > SMALLEST_PAGE) return false;
    *module = (struct plait__module){ (const void *)(start + header->e_phoff), header->e_phnum, !*name, 0, name };
    uint32_t first = 0;
    while (first < module->count && module->headers[first].p_type != PT_LOAD) first++;
    if (first == module->count) return false;
    uintptr_t page = getauxval(AT_PAGESZ);
    module->bias = start - module->headers[first].p_vaddr / page * page;
    return true;
}

bool plait__module_at(uintptr_t address, struct plait__module *module)
{
    uintptr_t start;
    const char *name;
    if (plait__module_of_program(module) && lies_in(module, address)) return true;
    if (!plait__loader_find(address, &start, &name) || start == getauxval(AT_SYSINFO_EHDR)) return false;
    return look_at_object(start, name, module);
}

int plait__module_build(const struct plait__module *module, struct plait__build *build)
{
    struct program own;
    const struct program *program = the_program(&own);
    struct elf elf = { -1, module->bias, module->headers, module->count, 0 };
    if (program->is_known && program->module.headers == module->headers) *build = program->build;
    else if (!find_build(&elf, build)) build->kind = PLAIT__NO_BUILD;
    if (build->kind != PLAIT__NO_BUILD) return 0;
    return plait__fail(PLAIT_ENOFUNCTION, "%s has no build-id, and code that is changed as it is loaded", module->name);
}

/* ---- files ---- */

static int refuse(const char *why)
{
    return plait__fail(PLAIT_ENOFUNCTION, "%s", why);
}

/* The loader would map what is not there any more, and die. */
static bool is_whole(const struct elf *elf, uint64_t size)
{
    for (uint32_t i = 0; i < elf->count; i++) {
        const ElfW(Phdr) *segment = &elf->headers[i];
        if (segment->p_type == PT_LOAD && (segment->p_offset > size || segment->p_filesz > size - segment->p_offset)) return false;
    }
    return true;
}

/* Its header and its table of segments.  Why not, or NULL. */
static const char *read_headers(struct elf *elf, ElfW(Phdr) headers[HEADERS_MAX])
{
    struct stat status;
    ElfW(Ehdr) header;
    if (fstat(elf->fd, &status) != 0 || !S_ISREG(status.st_mode)) return "it is no file";
    bool has_header = read_file(elf->fd, &header, sizeof header, 0, &elf->error);
    if (!has_header || !is_elf(&header) || header.e_type != ET_DYN) return "it is no shared object for this machine";
    elf->headers = headers;
    elf->count = header.e_phnum;
    bool has_table = header.e_phoff < (uint64_t)status.st_size &&
                     read_file(elf->fd, headers, elf->count * sizeof headers[0], header.e_phoff, &elf->error);
    return has_table && is_whole(elf, (uint64_t)status.st_size) ? NULL : "it is cut short";
}

static int build_of_descriptor(int fd, struct plait__build *build)
{
    ElfW(Phdr) headers[HEADERS_MAX];
    struct elf elf = { .fd = fd };
    const char *why = read_headers(&elf, headers);
    if (!why && !find_build(&elf, build)) why = "it has no build-id, and code that is changed as it is loaded";
    return elf.error ? refuse(strerror(elf.error)) : why ? refuse(why) : 0;
}

bool plait__module_is_no_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

/* NONBLOCK: a fifo may lie there by now. */
int plait__module_build_of_file(const char *path, struct plait__build *build)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return refuse(strerror(errno));
    int error = build_of_descriptor(fd, build);
    close(fd);
    return error;
}
