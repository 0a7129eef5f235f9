/* SPDX-License-Identifier: MIT */
/*
 * service.h - the real servers that tests/services/run.py starts for a test program
 */
#ifndef TESTS_SERVICE_H
#define TESTS_SERVICE_H

/*
 * Start services, by the names that run.py has for them ("origin nginx"), and put where they are
 * into the environment, as it does for the programs that it runs. They end with this program,
 * however it ends.
 *
 * 0, or the status to exit with: 77 if a program that is to serve is not installed, which skips
 * the test.
 */
int services_start(const char *names);

/* What the environment says: service_info("REDIS") is the value of SERVICE_REDIS. Fails the test if
 * there is no such thing. */
const char *service_info(const char *name);
/* The same as a number. */
int service_number(const char *name);

/* Have a service do something, and wait until it has: service_do("kill", "redis"). The verbs are
 * those of tests/services/control.py. */
void service_do(const char *verb, const char *name);

#endif
