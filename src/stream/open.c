/* SPDX-License-Identifier: MIT */
/*
 * open.c - streams by connecting and by serving
 *
 * Thread: the loop's.
 */
#include "net/server_internal.h"
#include "stream/stream_internal.h"

#include <aio/memory.h>

/* --- connecting ---------------------------------------------------------------------------- */

/* A protocol made before there is a connection. */
struct opening {
    aio_stream_reader *reader;
    aio_protocol *protocol; /* NULL once a transport has it */
};

static aio_protocol *give_protocol(void *arg)
{
    struct opening *opening = arg;
    aio_protocol *protocol = opening->protocol;

    opening->protocol = NULL;
    return protocol;
}

static int begin_opening(struct opening *opening, size_t limit, aio_stream_reader **ret_reader,
                         aio_stream_writer **ret_writer)
{
    opening->protocol = NULL;
    opening->reader = NULL;
    if (ret_reader == NULL || ret_writer == NULL)
        return aio_raise(AIO_EVALUE, "places for the reader and the writer are needed, not NULL");
    opening->reader = aio_stream_reader_new(NULL, limit == 0 ? AIO_STREAM_LIMIT : limit);
    if (opening->reader == NULL)
        return aio__null_future();
    opening->protocol = aio_stream_protocol_new(opening->reader, NULL, NULL, false);
    return opening->protocol == NULL ? aio__null_future() : 0;
}

/* The connection is made, or err says why not: make the writer, and hand both over. */
static int end_opening(struct opening *opening, int err, aio_transport *transport,
                       aio_stream_reader **ret_reader, aio_stream_writer **ret_writer)
{
    aio_stream_writer *writer;

    if (opening->protocol != NULL)
        opening->protocol->ops->release(opening->protocol);
    if (err < 0)
        goto drop_reader;
    /* Nothing has run since connection_made: it still has its protocol. */
    writer =
        aio_stream_writer_new(transport, aio_transport_get_protocol(transport), opening->reader);
    if (writer == NULL) {
        err = aio__null_future();
        aio_transport_abort(transport);
    }
    aio_transport_unref(transport);
    if (err < 0)
        goto drop_reader;
    *ret_reader = opening->reader;
    *ret_writer = writer;
    return 0;

drop_reader:
    aio_stream_reader_unref(opening->reader);
    return err;
}

int aio_open_connection_with(const aio_connect_options *options, size_t limit,
                             aio_stream_reader **ret_reader, aio_stream_writer **ret_writer)
{
    aio_transport *transport = NULL;
    struct opening opening;
    int err = begin_opening(&opening, limit, ret_reader, ret_writer);

    if (err == 0)
        err = aio_loop_create_connection(NULL, give_protocol, &opening, options, &transport);
    return end_opening(&opening, err, transport, ret_reader, ret_writer);
}

int aio_open_connection(const char *host, int port, aio_stream_reader **ret_reader,
                        aio_stream_writer **ret_writer)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    options.host = host;
    options.port = port;
    return aio_open_connection_with(&options, 0, ret_reader, ret_writer);
}

int aio_open_unix_connection_with(const aio_unix_connect_options *options, size_t limit,
                                  aio_stream_reader **ret_reader, aio_stream_writer **ret_writer)
{
    aio_transport *transport = NULL;
    struct opening opening;
    int err = begin_opening(&opening, limit, ret_reader, ret_writer);

    if (err == 0)
        err = aio_loop_create_unix_connection(NULL, give_protocol, &opening, options, &transport);
    return end_opening(&opening, err, transport, ret_reader, ret_writer);
}

int aio_open_unix_connection(const char *path, aio_stream_reader **ret_reader,
                             aio_stream_writer **ret_writer)
{
    aio_unix_connect_options options = AIO_UNIX_CONNECT_OPTIONS_INIT;

    options.path = path;
    return aio_open_unix_connection_with(&options, 0, ret_reader, ret_writer);
}

/* --- serving ------------------------------------------------------------------------------- */

/* What the factory of a server needs; freed with the server. */
struct serving {
    aio_client_connected_fn client;
    void *client_arg;
    size_t limit;
};

static aio_protocol *make_protocol(void *arg)
{
    const struct serving *serving = arg;
    aio_stream_reader *reader = aio_stream_reader_new(NULL, serving->limit);
    aio_protocol *protocol =
        aio_stream_protocol_new(reader, serving->client, serving->client_arg, false);

    aio_stream_reader_unref(reader); /* the protocol keeps it */
    return protocol;
}

static int begin_serving(aio_client_connected_fn client, void *arg, size_t limit,
                         aio_server **ret_server, struct serving **ret_serving)
{
    struct serving *serving;

    if (client == NULL)
        return aio_raise(AIO_EVALUE, "no function for connected clients given");
    if (ret_server == NULL)
        return aio_raise(AIO_EVALUE, "a place for the server is needed, not NULL");
    serving = aio_malloc(sizeof(*serving));
    if (serving == NULL)
        return AIO_ENOMEM;
    serving->client = client;
    serving->client_arg = arg;
    serving->limit = limit == 0 ? AIO_STREAM_LIMIT : limit;
    *ret_serving = serving;
    return 0;
}

/* The server is made, or err says why not. */
static int end_serving(struct serving *serving, int err, aio_server *server,
                       aio_server **ret_server)
{
    if (err < 0) {
        aio_free(serving);
        return err;
    }
    aio__server_own_arg(server);
    *ret_server = server;
    return 0;
}

int aio_start_server_with(aio_client_connected_fn client, void *arg,
                          const aio_server_options *options, size_t limit, aio_server **ret_server)
{
    struct serving *serving = NULL;
    aio_server *server = NULL;
    int err = begin_serving(client, arg, limit, ret_server, &serving);

    if (err == 0)
        err = aio_loop_create_server(NULL, make_protocol, serving, options, &server);
    return end_serving(serving, err, server, ret_server);
}

int aio_start_server(aio_client_connected_fn client, void *arg, const char *host, int port,
                     aio_server **ret_server)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.host = host;
    options.port = port;
    return aio_start_server_with(client, arg, &options, 0, ret_server);
}

int aio_start_unix_server_with(aio_client_connected_fn client, void *arg,
                               const aio_unix_server_options *options, size_t limit,
                               aio_server **ret_server)
{
    struct serving *serving = NULL;
    aio_server *server = NULL;
    int err = begin_serving(client, arg, limit, ret_server, &serving);

    if (err == 0)
        err = aio_loop_create_unix_server(NULL, make_protocol, serving, options, &server);
    return end_serving(serving, err, server, ret_server);
}

int aio_start_unix_server(aio_client_connected_fn client, void *arg, const char *path,
                          aio_server **ret_server)
{
    aio_unix_server_options options = AIO_UNIX_SERVER_OPTIONS_INIT;

    options.path = path;
    return aio_start_unix_server_with(client, arg, &options, 0, ret_server);
}
