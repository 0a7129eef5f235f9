/* SPDX-License-Identifier: MIT */
/*
 * place.h - addresses of functions and constants that mean the same in another process
 *
 * For src/executor. The system loads the same program or library at different addresses in two
 * processes, but what is in it stays where it is within it.
 */
#ifndef AIO__PLACE_H
#define AIO__PLACE_H

#include <aio/common.h>

struct aio__place {
    uint64_t module; /* tells a program or library, and each build of it, from the others; or: */
    uint64_t offset; /* in it */
};

#define AIO__PLACE_NULL  0 /* a module: no address at all */
#define AIO__PLACE_NAMED 1 /* a module: offset stands for the name of a registered function */

/* Where an address is. NULL has a place. false: in no program or library. */
bool aio__place_of(const void *address, struct aio__place *ret_place);

/* What is there in this process: code, or data that can be read. false: nothing of the kind. */
bool aio__place_find(struct aio__place place, bool is_code, void **ret_address);

#endif
