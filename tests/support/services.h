/* SPDX-License-Identifier: MIT */
/*
 * services.h - real services for a test program: tests/services/run.py
 */
#ifndef TESTS_SERVICES_H
#define TESTS_SERVICES_H

#include <stdbool.h>

/*
 * Start services, by the names that run.py has for them ("origin nginx"), and put where they are
 * into the environment. They end with the program, however it ends.
 *
 * 0, or the status to exit with: 77 if a program that is to serve is not installed, which skips
 * the test.
 */
int services_start(const char *names);

/* A variable that services_start() has set; the test cannot go on without. */
const char *service(const char *name);

#endif
