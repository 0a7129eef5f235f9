/* SPDX-License-Identifier: MIT */
/*
 * place.c - addresses of functions and constants that mean the same in another process
 *
 * A program or library is known by a hash of its program headers and notes, among which linkers
 * put an id of the build. A place in another build is thus not found, rather than a wrong one.
 *
 * Modules that were asked for are remembered, until the loader adds or removes one.
 *
 * Thread: any.
 */
#include "executor/place.h"

#include "executor/function.h"

#include <link.h>
#include <pthread.h>
#include <string.h>

/* More than a program has in use; if not, some are looked up again. */
enum { REMEMBERED = 16 };

struct module {
    uint64_t hash; /* 0: an empty place */
    uintptr_t base;
    const ElfW(Phdr) * headers;
    size_t count;
};

static struct {
    pthread_mutex_t lock;
    struct module modules[REMEMBERED];
    size_t next; /* to be replaced */
    unsigned long long adds, subs;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- what the loader says --------------------------------------------------------------- */

static struct module describe(const struct dl_phdr_info *info)
{
    return (struct module){
        .base = info->dlpi_addr, .headers = info->dlpi_phdr, .count = info->dlpi_phnum};
}

/* Never that of AIO__PLACE_NULL or AIO__PLACE_NAMED. */
static uint64_t hash_module(const struct module *module)
{
    uint64_t hash =
        aio__hash(module->headers, module->count * sizeof(*module->headers), AIO__HASH_START);

    for (size_t i = 0; i < module->count; i++) {
        const ElfW(Phdr) *header = &module->headers[i];

        if (header->p_type == PT_NOTE)
            hash = aio__hash((const void *)(module->base + header->p_vaddr), header->p_memsz, hash);
    }
    return hash > AIO__PLACE_NAMED ? hash : hash + AIO__PLACE_NAMED + 1;
}

/* The segment that is loaded around an address; NULL: the address is not in this module. */
static const ElfW(Phdr) * segment_at(const struct module *module, uintptr_t address)
{
    for (size_t i = 0; i < module->count; i++) {
        const ElfW(Phdr) *header = &module->headers[i];

        if (header->p_type == PT_LOAD && address - module->base - header->p_vaddr < header->p_memsz)
            return header;
    }
    return NULL;
}

/* --- looking for a module --------------------------------------------------------------- */

struct search {
    uint64_t hash; /* 0: the one with the address */
    uintptr_t address;
    struct module found;
};

static bool matches(const struct module *module, const struct search *search)
{
    return search->hash != 0 ? module->hash == search->hash
                             : segment_at(module, search->address) != NULL;
}

/* The first module says whether all are still those that are remembered. */
static int check_known(struct dl_phdr_info *info, size_t size, void *arg)
{
    if (info->dlpi_adds != known.adds || info->dlpi_subs != known.subs) {
        memset(known.modules, 0, sizeof(known.modules));
        known.adds = info->dlpi_adds;
        known.subs = info->dlpi_subs;
    }
    return 1;
}

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;
    struct module module = describe(info);

    if (search->hash == 0 && segment_at(&module, search->address) == NULL)
        return 0;
    module.hash = hash_module(&module);
    if (!matches(&module, search))
        return 0;
    search->found = module;
    return 1;
}

static bool find_module(struct search *search)
{
    bool found = false;

    (void)pthread_mutex_lock(&known.lock);
    (void)dl_iterate_phdr(check_known, NULL);
    for (size_t i = 0; i < REMEMBERED && !found; i++) {
        found = known.modules[i].hash != 0 && matches(&known.modules[i], search);
        if (found)
            search->found = known.modules[i];
    }
    if (!found && dl_iterate_phdr(look, search) != 0) {
        found = true;
        known.modules[known.next++ % REMEMBERED] = search->found;
    }
    (void)pthread_mutex_unlock(&known.lock);
    return found;
}

/* --- there and back --------------------------------------------------------------------- */

bool aio__place_of(const void *address, struct aio__place *ret_place)
{
    struct search search = {.address = (uintptr_t)address};

    if (address == NULL) {
        *ret_place = (struct aio__place){AIO__PLACE_NULL, 0};
        return true;
    }
    if (!find_module(&search))
        return false;
    *ret_place = (struct aio__place){search.found.hash, search.address - search.found.base};
    return true;
}

bool aio__place_find(struct aio__place place, bool is_code, void **ret_address)
{
    struct search search = {.hash = place.module};
    const ElfW(Phdr) * segment;
    uintptr_t address;

    if (place.module == AIO__PLACE_NULL) {
        *ret_address = NULL;
        return true;
    }
    if (place.module == AIO__PLACE_NAMED || !find_module(&search))
        return false;
    address = search.found.base + (uintptr_t)place.offset;
    segment = segment_at(&search.found, address);
    if (segment == NULL || (segment->p_flags & (is_code ? PF_X : PF_R)) == 0)
        return false;
    *ret_address = (void *)address;
    return true;
}
