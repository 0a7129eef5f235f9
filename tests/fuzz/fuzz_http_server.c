/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_server.c - whatever a client can send to a service
 *
 * The first byte says in what pieces the rest comes. What is written has to be answers, and the
 * same input in one piece or byte by byte has to be answered alike.
 */
#include "fuzz/fuzz_http_site.h"

static int echo(aio_http_request *request, void *arg)
{
    const void *data;
    size_t size;
    int err = aio_http_request_body(request, &data, &size);

    return err < 0 ? err : aio_http_respond(request, 200, "text/plain", data, size);
}

static int read_pieces(aio_http_request *request, void *arg)
{
    char piece[7];
    ptrdiff_t got;
    int err = aio_http_stream(request, 200, NULL, AIO_HTTP_UNKNOWN_LENGTH);

    while (err == 0 && (got = aio_http_request_read(request, piece, sizeof(piece))) != 0)
        err = got < 0 ? (int)got : aio_http_write(request, piece, (size_t)got);
    return err;
}

static int wait_a_turn(aio_http_request *request, void *arg)
{
    int err = aio_sleep(0);

    return err < 0 ? err : aio_web_text(request, 200, aio_web_path_text(request, "p"));
}

static int say_values(aio_http_request *request, void *arg)
{
    const char *form = NULL;
    int err = aio_web_form(request, "f", &form);

    if (err < 0)
        return err;
    return aio_web_json(request, 200, "[s s s I]", aio_web_query(request, "q"), form,
                        aio_web_cookie(request, "c"), aio_web_path_int(request, "i"));
}

static aio_web *make_app(void)
{
    aio_web *app = aio_web_new();

    MUST(app != NULL);
    MUST(aio_web_post(app, "/e", echo, NULL) == 0);
    MUST(aio_web_post(app, "/p", read_pieces, NULL) == 0);
    MUST(aio_web_get(app, "/w/{p:path}", wait_a_turn, NULL) == 0);
    MUST(aio_web_get(app, "/v/{i:int}", say_values, NULL) == 0);
    MUST(aio_web_post(app, "/v/{i:int}", say_values, NULL) == 0);
    return app;
}

static void check_answers(const struct fuzz_wire *wire)
{
    MUST(wire->size == 0 || wire->size < 9 || memcmp(wire->data, "HTTP/1.1 ", 9) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_wire wire;
    static struct fuzz_wire whole;
    aio_http_server *server = fuzz_site(make_app);

    if (size == 0)
        return 0;
    fuzz_talk(server, &wire, data + 1, size - 1, data[0] == 0 ? SIZE_MAX / 2 : data[0]);
    check_answers(&wire);
    if (data[0] == 0)
        return 0;
    fuzz_talk(server, &whole, data + 1, size - 1, SIZE_MAX / 2);
    if (!wire.aborted && !whole.aborted && !wire.paused && !whole.paused) {
        MUST(wire.size >= 12 || whole.size == wire.size);
        MUST(wire.size < 12 || memcmp(wire.data, whole.data, 12) == 0); /* the first status */
    }
    return 0;
}
