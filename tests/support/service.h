/* SPDX-License-Identifier: MIT */
/*
 * service.h - the real servers that tests/services/run.py has started for this program
 */
#ifndef TESTS_SERVICE_H
#define TESTS_SERVICE_H

/* What the environment says: service_info("REDIS") is the value of SERVICE_REDIS. Fails the test if
 * there is no such thing. */
const char *service_info(const char *name);
/* The same as a number. */
int service_number(const char *name);

/* Have a service do something, and wait until it has: service_do("kill", "redis"). The verbs are
 * those of tests/services/control.py. */
void service_do(const char *verb, const char *name);

#endif
