/* SPDX-License-Identifier: MIT */
/*
 * tls_room.c - contexts of TLS for tests in a room
 */
#include "support/tls_room.h"

#include "support/allocation.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

aio_tls_context *tls_client;
aio_tls_context *tls_server;

int tls_room_setup(void **state)
{
    int err = count_allocations(state);

    tls_client = authority_client();
    tls_server = authority_server("one.pem");
    return err;
}

int tls_room_teardown(void **state)
{
    aio_tls_context_unref(tls_client);
    aio_tls_context_unref(tls_server);
    return check_allocations(state);
}

int tls_room_port(aio_server *server)
{
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    int fd = -1;

    (void)aio_server_sockets(server, &fd, 1);
    (void)getsockname(fd, (struct sockaddr *)&name, &size);
    return ntohs(name.sin_port);
}

aio_connect_options tls_room_options(int port)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = port;
    options.ssl = tls_client;
    return options;
}
