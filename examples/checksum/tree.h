/* SPDX-License-Identifier: MIT */
/*
 * tree.h - the files below some folders
 */
#ifndef CHECKSUM_TREE_H
#define CHECKSUM_TREE_H

#include "digest.h"

#include <stddef.h>

/* A name below a folder, and what became of it. */
struct file {
    char *name;
    int code; /* 0, or why it has no digest */
    unsigned char digest[DIGEST_SIZE];
};

struct tree {
    struct file *files;
    size_t count;
    size_t capacity;
};

/**
 * Collect everything below some folders that is no folder itself, in the order of the names'
 * bytes. A link to a folder is not followed, any other link stands for what it leads to. A
 * folder that cannot be read becomes a file with that code. Blocks: it is for an executor.
 *
 * @param tree     Empty; to be freed with tree_free(), also after a failure.
 * @param folders  Ends with NULL. What is no folder stands for itself.
 * @param stop_fd  Once this descriptor can be read, collecting ends.
 * @return 0, -EINTR if it was stopped, AIO_ENOMEM.
 */
int tree_collect(struct tree *tree, char *const *folders, int stop_fd);

void tree_free(struct tree *tree);

#endif
