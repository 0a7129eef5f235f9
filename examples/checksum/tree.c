/* SPDX-License-Identifier: MIT */
/*
 * tree.c - the files below some folders
 *
 * Folders still to be read wait in a list instead of on the stack, so that a deep tree
 * costs neither stack nor descriptors.
 */
#include "tree.h"

#include <aio/error.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A list of names is a tree too: one in which the digests stay empty. */
static int append(struct tree *tree, char *name, int code)
{
    if (name == NULL)
        return AIO_ENOMEM;
    if (tree->count == tree->capacity) {
        size_t capacity = tree->capacity == 0 ? 64 : tree->capacity * 2;
        struct file *files = reallocarray(tree->files, capacity, sizeof(*files));

        if (files == NULL) {
            free(name);
            return AIO_ENOMEM;
        }
        tree->files = files;
        tree->capacity = capacity;
    }
    tree->files[tree->count++] = (struct file){.name = name, .code = code};
    return 0;
}

static char *join(const char *folder, const char *name)
{
    size_t folder_length = strlen(folder);
    size_t name_size = strlen(name) + 1;
    bool slash = folder_length > 0 && folder[folder_length - 1] != '/';
    char *path = malloc(folder_length + slash + name_size);

    if (path == NULL)
        return NULL;
    memcpy(path, folder, folder_length);
    if (slash)
        path[folder_length] = '/';
    memcpy(path + folder_length + slash, name, name_size);
    return path;
}

/* Put a name where it belongs: to the files, to the folders to be read, or nowhere. */
static int sort_in(struct tree *tree, struct tree *unread, char *name)
{
    struct stat status;
    bool is_link;

    if (name == NULL)
        return AIO_ENOMEM;
    if (lstat(name, &status) < 0)
        return append(tree, name, -errno);

    is_link = S_ISLNK(status.st_mode);
    if (is_link && stat(name, &status) < 0)
        return append(tree, name, -errno);
    if (!S_ISDIR(status.st_mode))
        return append(tree, name, 0);
    if (!is_link)
        return append(unread, name, 0);
    free(name);
    return 0;
}

/* Read one folder. Takes its name. */
static int read_folder(struct tree *tree, struct tree *unread, char *folder)
{
    DIR *dir = opendir(folder);
    int err = 0;

    if (dir == NULL)
        return append(tree, folder, -errno);

    while (err == 0) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = sort_in(tree, unread, join(folder, entry->d_name));
    }
    if (err == 0 && errno != 0)
        err = append(tree, folder, -errno);
    else
        free(folder);
    (void)closedir(dir);
    return err;
}

static bool stop_asked(int stop_fd)
{
    struct pollfd fds = {.fd = stop_fd, .events = POLLIN};

    return poll(&fds, 1, 0) > 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

int tree_collect(struct tree *tree, char *const *folders, int stop_fd)
{
    struct tree unread = {0};
    int err = 0;

    for (; *folders != NULL && err == 0; folders++)
        err = sort_in(tree, &unread, strdup(*folders));
    while (err == 0 && unread.count > 0) {
        unread.count--;
        err = read_folder(tree, &unread, unread.files[unread.count].name);
        if (err == 0 && stop_asked(stop_fd))
            err = -EINTR;
    }
    tree_free(&unread);
    if (tree->count > 1)
        qsort(tree->files, tree->count, sizeof(*tree->files), compare_names);
    return err;
}

void tree_free(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->files[i].name);
    free(tree->files);
    *tree = (struct tree){0};
}
