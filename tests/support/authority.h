/* SPDX-License-Identifier: MIT */
/*
 * authority.h - certificates for tests, by an authority of their own
 *
 * A group's setup makes them with openssl in a folder of their own, its teardown removes them:
 *   ca.pem ca.key        the authority
 *   one.pem              certificate and key of one.test and 127.0.0.1
 *   two.pem              of two.test
 *   client.pem           of client.test
 *   locked.pem           as one.pem, the key encrypted with "open sesame"
 *   revoked.pem, crl.pem  one that the authority has taken back, and its list that says so
 */
#ifndef TESTS_AUTHORITY_H
#define TESTS_AUTHORITY_H

#include <aio/tls.h>

int authority_make(void **state);
int authority_drop(void **state);

/* The path of a file of these: in one place, so not to be kept. */
const char *authority_file(const char *name);

/* Contexts: a client that trusts the authority, a server with a certificate. NULL: no memory. */
aio_tls_context *authority_client(void);
aio_tls_context *authority_server(const char *certificate);

#endif
