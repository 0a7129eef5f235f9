/* SPDX-License-Identifier: MIT */
/*
 * tls_room.h - contexts of TLS for tests in a room
 */
#ifndef TESTS_TLS_ROOM_H
#define TESTS_TLS_ROOM_H

#include "support/authority.h"
#include "support/room.h"

/* A test's: a client that trusts the group's authority, and a server with the certificate one.pem. */
extern aio_tls_context *tls_client;
extern aio_tls_context *tls_server;

/* cmocka's setup and teardown, which counts allocations, too; and a table's entry. The group's are
 * authority_make() and authority_drop(). */
int tls_room_setup(void **state);
int tls_room_teardown(void **state);
#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, tls_room_setup, tls_room_teardown)

/* The port of a server at 127.0.0.1, and how the client connects to it. */
int tls_room_port(aio_server *server);
aio_connect_options tls_room_options(int port);

#endif
