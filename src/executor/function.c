/* SPDX-License-Identifier: MIT */
/*
 * function.c - functions by name
 *
 * A list that only grows, newest first, so that looking something up needs no lock. Programs
 * register a handful.
 *
 * Thread: any.
 */
#include "executor/function.h"

#include "base/compiler.h"
#include "executor/chunk.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct entry {
    struct entry *next;
    uint64_t hash;
    const aio_function *function;
};

static _Atomic(struct entry *) entries;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of those who add */

/* FNV-1a: of names, so that a word stands for each. */
uint64_t aio__hash(const void *bytes, size_t size, uint64_t hash)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_name(const char *name)
{
    return aio__hash(name, strlen(name), AIO__HASH_START);
}

static const struct entry *first(void)
{
    return atomic_load_explicit(&entries, memory_order_acquire);
}

const aio_function *aio__function_by_hash(uint64_t hash)
{
    for (const struct entry *entry = first(); entry != NULL; entry = entry->next)
        if (entry->hash == hash)
            return entry->function;
    return hash == hash_name(aio__chunk_function.name) ? &aio__chunk_function : NULL;
}

uint64_t aio__function_hash(const aio_function *function)
{
    return hash_name(function->name);
}

const aio_function *aio_function_by_name(const char *name)
{
    const aio_function *function = name == NULL ? NULL : aio__function_by_hash(hash_name(name));

    return function != NULL && strcmp(function->name, name) == 0 ? function : NULL;
}

const aio_function *aio_function_of(int (*fn)(void *arg, void **ret_result))
{
    for (const struct entry *entry = first(); entry != NULL; entry = entry->next)
        if (entry->function->fn == fn)
            return entry->function;
    return fn == aio__chunk_function.fn ? &aio__chunk_function : NULL;
}

static int add(const aio_function *function)
{
    uint64_t hash = hash_name(function->name);
    const aio_function *other = aio__function_by_hash(hash);
    struct entry *entry;

    if (other != NULL && other->fn == function->fn && strcmp(other->name, function->name) == 0)
        return 0;
    if (other != NULL)
        return aio_raise(AIO_EVALUE, "another function is registered as '%s'", other->name);
    entry = aio_malloc(sizeof(*entry));
    if (entry == NULL)
        return AIO_ENOMEM;
    *entry = (struct entry){.next = atomic_load(&entries), .hash = hash, .function = function};
    atomic_store_explicit(&entries, entry, memory_order_release);
    return 0;
}

int aio_function_register(const aio_function *function)
{
    int err;

    if (function == NULL || function->size < sizeof(*function) || function->name == NULL ||
        function->fn == NULL)
        return aio_raise(AIO_EVALUE, "a function with a name is needed");
    (void)pthread_mutex_lock(&lock);
    err = add(function);
    (void)pthread_mutex_unlock(&lock);
    return err;
}
