/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what fuzzers are made of
 *
 * Each is a file with LLVMFuzzerTestOneInput(). `./dev fuzz` links it with libFuzzer; the suite links
 * it with replay.c, which gives it the corpus that was found.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold, in a release build too. */
#define MUST(so)                                                                                   \
    do {                                                                                           \
        if (!(so)) {                                                                               \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #so);                 \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
