/* SPDX-License-Identifier: MIT */
/*
 * store.c - words and their values, some of which are forgotten after a while
 *
 * A list, for there are few. Each entry that does not stay for ever has a timer, and takes it
 * along when it goes.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    struct store *store;
    char *key;
    char *value;
    aio_handle *timer; /* NULL: stays for ever */
};

struct store {
    aio_loop *loop;
    struct entry *entries;
};

static void entry_free(struct entry *entry)
{
    aio_handle_cancel(entry->timer);
    aio_handle_unref(entry->timer);
    free(entry->key);
    free(entry->value);
    free(entry);
}

/* The link to the entry of a key; to NULL if there is none. */
static struct entry **find(struct store *store, const char *key)
{
    struct entry **link = &store->entries;

    while (*link != NULL && strcmp((*link)->key, key) != 0)
        link = &(*link)->next;
    return link;
}

static void forget(struct store *store, const char *key)
{
    struct entry **link = find(store, key);
    struct entry *entry = *link;

    if (entry != NULL) {
        *link = entry->next;
        entry_free(entry);
    }
}

/* The timer of an entry. */
static int expire(void *arg)
{
    struct entry *entry = arg;

    forget(entry->store, entry->key);
    return 0;
}

struct store *store_new(aio_loop *loop)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store != NULL)
        store->loop = loop;
    return store;
}

void store_free(struct store *store)
{
    while (store != NULL && store->entries != NULL)
        forget(store, store->entries->key);
    free(store);
}

int store_set(struct store *store, const char *key, const char *value, double seconds)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    int err = AIO_ENOMEM;

    if (entry == NULL)
        return err;
    entry->store = store;
    entry->key = strdup(key);
    entry->value = strdup(value);
    if (entry->key == NULL || entry->value == NULL)
        goto free_entry;
    if (seconds != AIO_FOREVER) {
        err = aio_loop_call_later(store->loop, seconds, expire, entry, &entry->timer);
        if (err < 0)
            goto free_entry;
    }
    forget(store, key);
    entry->next = store->entries;
    store->entries = entry;
    return 0;

free_entry:
    entry_free(entry);
    return err;
}

const char *store_get(const struct store *store, const char *key)
{
    for (const struct entry *entry = store->entries; entry != NULL; entry = entry->next)
        if (strcmp(entry->key, key) == 0)
            return entry->value;
    return NULL;
}
