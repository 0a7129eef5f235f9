/* SPDX-License-Identifier: MIT */
/*
 * backtrace.c - walking the stack, and finding names in the symbol tables of ELF files
 *
 * The unwinder is the compiler's own (unwind.h): unlike backtrace() it loads nothing when it is
 * first used, which a small stack could not bear. dladdr() would know exported functions only;
 * coroutines are mostly static, so that the full symbol table is read, from the file.
 *
 * Thread: any.
 */
#include "base/backtrace.h"

#include "base/compiler.h"
#include "base/text.h"

#include <aio/memory.h>
#include <string.h>
#include <unwind.h>

#ifdef __linux__
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

/* --- the stack ---------------------------------------------------------------------------- */

struct walk {
    const void **places;
    size_t limit;
    size_t count;
    bool first;
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    const void *place = (const void *)(uintptr_t)_Unwind_GetIP(context);

    if (walk->first) {
        walk->first = false;
        return _URC_NO_REASON;
    }
    if (place == NULL || walk->count == walk->limit)
        return _URC_END_OF_STACK;
    walk->places[walk->count++] = place;
    return _URC_NO_REASON;
}

AIO__NOINLINE size_t aio__backtrace(const void **places, size_t limit)
{
    struct walk walk = {.places = places, .limit = limit, .first = true};

    (void)_Unwind_Backtrace(note_frame, &walk);
    return walk.count;
}

/* A call may be the last instruction of its function: look at what is before the place. */
bool aio__place_is_in(const void *place, void (*function)(void))
{
    const void *start = _Unwind_FindEnclosingFunction((void *)((uintptr_t)place - 1));

    return start != NULL && start == (const void *)(uintptr_t)function;
}

/* --- names -------------------------------------------------------------------------------- */

#ifdef __linux__

struct image {
    const char *data;
    size_t size;
};

struct object {
    uintptr_t address; /* to be found */
    uintptr_t base;
    char path[AIO__SYMBOL_OBJECT];
    bool found;
};

static int look_into_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct object *object = arg;

    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr;

        if (part->p_type != PT_LOAD || object->address - start >= part->p_memsz)
            continue;
        object->base = info->dlpi_addr;
        object->found = true;
        (void)strncpy(object->path, info->dlpi_name, sizeof(object->path) - 1);
        return 1;
    }
    return 0;
}

/* The program itself has no name there. */
static void name_program(struct object *object)
{
    ssize_t length = readlink("/proc/self/exe", object->path, sizeof(object->path) - 1);

    object->path[length < 0 ? 0 : length] = '\0';
}

static bool map_file(const char *path, struct image *ret_image)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    void *data = MAP_FAILED;

    if (fd < 0)
        return false;
    if (fstat(fd, &stat) == 0 && stat.st_size > (off_t)sizeof(ElfW(Ehdr)))
        data = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (data == MAP_FAILED)
        return false;
    ret_image->data = data;
    ret_image->size = (size_t)stat.st_size;
    return true;
}

/* A part of the file, which may be anything by now; NULL if it is not all there. */
static const void *part_of(const struct image *image, uint64_t offset, uint64_t size)
{
    if (offset > image->size || size > image->size - offset || offset % _Alignof(ElfW(Sym)) != 0)
        return NULL;
    return image->data + offset;
}

static bool find_in_table(const struct image *image, const ElfW(Shdr) * table,
                          const ElfW(Shdr) * strings, uintptr_t value, char *name)
{
    const ElfW(Sym) *symbols = part_of(image, table->sh_offset, table->sh_size);

    if (symbols == NULL || strings->sh_offset > image->size ||
        strings->sh_size > image->size - strings->sh_offset)
        return false;
    for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++) {
        const ElfW(Sym) *symbol = &symbols[i];
        size_t length;

        /* The type is in the same bits for either class of file. */
        if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
            value - symbol->st_value >= symbol->st_size || symbol->st_name >= strings->sh_size)
            continue;
        length = strnlen(image->data + strings->sh_offset + symbol->st_name,
                         strings->sh_size - symbol->st_name);
        if (length >= AIO__SYMBOL_NAME)
            length = AIO__SYMBOL_NAME - 1;
        memcpy(name, image->data + strings->sh_offset + symbol->st_name, length);
        name[length] = '\0';
        return true;
    }
    return false;
}

/* The full table if the file has not been stripped of it, else that of what is exported. */
static void find_in_image(const struct image *image, uintptr_t value, char *name)
{
    const ElfW(Ehdr) *header = (const void *)image->data;
    const ElfW(Shdr) * sections;

    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_shentsize != sizeof(*sections))
        return;
    sections = part_of(image, header->e_shoff, (uint64_t)header->e_shnum * sizeof(*sections));
    if (sections == NULL)
        return;
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < header->e_shnum; i++)
            if (sections[i].sh_type == (pass == 0 ? SHT_SYMTAB : SHT_DYNSYM) &&
                sections[i].sh_link < header->e_shnum &&
                find_in_table(image, &sections[i], &sections[sections[i].sh_link], value, name))
                return;
}

static void find_symbol(uintptr_t address, struct aio__symbol *symbol)
{
    struct object object = {.address = address};
    struct image image;
    bool is_program;

    (void)dl_iterate_phdr(look_into_object, &object);
    if (!object.found)
        return;
    is_program = object.path[0] == '\0';
    if (is_program)
        name_program(&object);
    memcpy(symbol->object, object.path, sizeof(symbol->object));
    symbol->offset = address - object.base;
    /* The link leads to the program's own file, even where that has been replaced. */
    if (map_file(is_program ? "/proc/self/exe" : object.path, &image)) {
        find_in_image(&image, symbol->offset, symbol->name);
        (void)munmap((void *)(uintptr_t)image.data, image.size);
    }
}

#else

static void find_symbol(uintptr_t address, struct aio__symbol *symbol)
{
    (void)address;
    (void)symbol;
}

#endif

void aio__symbol_find(const void *place, struct aio__symbol *ret_symbol)
{
    memset(ret_symbol, 0, sizeof(*ret_symbol));
    find_symbol((uintptr_t)place - 1, ret_symbol);
}

/* --- text --------------------------------------------------------------------------------- */

static void put_place(struct aio__text *text, const void *place)
{
    struct aio__symbol symbol;
    const char *file;

    aio__symbol_find(place, &symbol);
    if (strncmp(symbol.name, "aio__", 5) == 0)
        return;
    file = strrchr(symbol.object, '/');
    file = file != NULL ? file + 1 : symbol.object;
    aio__text_printf(text, "%s  %s", text->length == 0 ? "" : "\n",
                     symbol.name[0] != '\0' ? symbol.name : "?");
    if (*file != '\0')
        aio__text_printf(text, " (%s+0x%zx)", file, (size_t)symbol.offset);
    else
        aio__text_printf(text, " (0x%zx)", (size_t)(uintptr_t)place);
}

char *aio__backtrace_text(const void *const *places, size_t count)
{
    const size_t line = 32 + AIO__SYMBOL_NAME + AIO__SYMBOL_OBJECT;
    struct aio__text text = {.size = count * line + 1};

    text.buffer = aio_malloc(text.size);
    if (text.buffer == NULL)
        return NULL;
    text.buffer[0] = '\0';
    while (count > 0)
        put_place(&text, places[--count]);
    return text.buffer;
}
