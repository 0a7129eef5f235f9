/* SPDX-License-Identifier: MIT */
/*
 * dnsserver.h - a name server on the loopback, in a thread, with a few names
 *
 *   one.test            A 192.0.2.1
 *   both.test           A 192.0.2.1, AAAA 2001:db8::1
 *   alias.test          CNAME one.test, and its address
 *   big.test            DNS_SERVER_BIG addresses: too many for UDP, so TCP has to be used
 *   short.a.test        A 192.0.2.11
 *   short.b.test        A 192.0.2.12
 *   fail.test           SERVFAIL
 *   silent.test         no answer
 *   first.test          A 192.0.2.21, once second.test was asked for
 *   second.test         A 192.0.2.22
 *   four.test           A 127.0.0.1, 127.0.0.2, AAAA ::1, ::ffff:127.0.0.3
 *   1.2.0.192.in-addr.arpa   PTR one.test
 *   others              NXDOMAIN
 */
#ifndef TESTS_DNSSERVER_H
#define TESTS_DNSSERVER_H

#include <stdbool.h>
#include <stddef.h>

enum { DNS_SERVER_BIG = 60 };

struct dns_server;

/* NULL if it cannot be had. */
struct dns_server *dns_server_start(void);
void dns_server_stop(struct dns_server *server);

/* "127.0.0.1:PORT" */
const char *dns_server_address(const struct dns_server *server);

/* How many questions have come, by UDP and TCP. */
unsigned dns_server_questions(const struct dns_server *server);

#endif
