/* SPDX-License-Identifier: MIT */
/*
 * test_http_smuggling.c - requests that two readers could take for different ones
 *
 * Each is sent with a second request behind it. It has to be answered with 400 (or 505 for another version) and nothing else, and the connection closed: the second one is never seen.
 */
#include "http/site.h"

#include <stdio.h>

#define SECOND "GET /second HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET    "GET / HTTP/1.1\r\nHost: x\r\n"
#define POST   "POST / HTTP/1.1\r\nHost: x\r\n"
#define CHUNK  POST "Transfer-Encoding: chunked\r\n\r\n"

struct vector {
    const char *what;
    const char *text;
    size_t size;
    int status;
};

#define REFUSED_WITH(code, title, bytes)                                                           \
    {                                                                                              \
        .what = (title), .text = (bytes), .size = sizeof(bytes) - 1, .status = (code)              \
    }
#define REFUSED(title, bytes) REFUSED_WITH(400, title, bytes)

static const struct vector vectors[] = {
    REFUSED("both lengths",
            POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("both lengths, the other way",
            POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
    REFUSED("two lengths", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    REFUSED("the same length twice", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    REFUSED("a list of lengths", POST "Content-Length: 5, 5\r\n\r\nhello"),
    REFUSED("a length with a sign", POST "Content-Length: +5\r\n\r\nhello"),
    REFUSED("a negative length", POST "Content-Length: -5\r\n\r\nhello"),
    REFUSED("a hexadecimal length", POST "Content-Length: 0x5\r\n\r\nhello"),
    REFUSED("a length with a blank inside", POST "Content-Length: 1 0\r\n\r\nhello"),
    REFUSED("a length of nothing", POST "Content-Length:\r\n\r\n"),
    REFUSED("a length of letters", POST "Content-Length: five\r\n\r\nhello"),
    REFUSED("a length past 64 bits", POST "Content-Length: 18446744073709551617\r\n\r\nhello"),
    REFUSED("an encoding almost chunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    REFUSED("an encoding behind chunked",
            POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    REFUSED("an encoding before chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("two encodings",
            POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("an encoding after an empty one",
            POST "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("identity", POST "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx"),
    REFUSED("quoted chunked", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    REFUSED("a vertical tab before chunked", POST "Transfer-Encoding: \x0b"
                                                  "chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("an encoding in HTTP/1.0",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("a blank before the colon", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("a blank before another colon", GET "X : b\r\n\r\n"),
    REFUSED("a tab before the colon", GET "X\t: b\r\n\r\n"),
    REFUSED("a blank in a name", GET "X Y: b\r\n\r\n"),
    REFUSED("no colon", GET "Xyz\r\n\r\n"),
    REFUSED("no name", GET ": b\r\n\r\n"),
    REFUSED("a name with a letter beyond ASCII", GET "X\xc3\xa4: b\r\n\r\n"),
    REFUSED("a folded line", GET "A: b\r\n Content-Length: 5\r\n\r\n"),
    REFUSED("a line folded with a tab", GET "A: b\r\n\tc\r\n\r\n"),
    REFUSED("a first header that is folded", "GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    REFUSED("a bare LF behind the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n"),
    REFUSED("a bare LF behind a header", "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n"),
    REFUSED("bare LFs alone", "GET / HTTP/1.1\nHost: x\n\n"),
    REFUSED("a bare LF at the end", "GET / HTTP/1.1\r\nHost: x\r\n\n"),
    REFUSED("a bare CR in a value", GET "X-Abc:\rxTransfer-Encoding: chunked\r\n\r\n"),
    REFUSED("a bare CR behind the request line", "GET / HTTP/1.1\rHost: x\r\n\r\n"),
    REFUSED("two CRs", GET "A: b\r\r\n\r\n"),
    REFUSED("a NUL in a value", GET "A: b\0c\r\n\r\n"),
    REFUSED("a NUL in a name", GET "A\0: b\r\n\r\n"),
    REFUSED("a NUL in the target", "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("an escaped NUL in the target", "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a control character in a value", GET "A: b\x01\r\n\r\n"),
    REFUSED("a delete in a value", GET "A: b\x7f\r\n\r\n"),
    REFUSED("HTTP/0.9", "GET /\r\n\r\n"),
    REFUSED("HTTP/0.9 with a head", "GET /\r\nHost: x\r\nContent-Length: 5\r\n\r\n"),
    REFUSED("HTTP/0.9 by name", "GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
    REFUSED("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    REFUSED_WITH(505, "HTTP/1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n"),
    REFUSED("HTTP/11", "GET / HTTP/11\r\nHost: x\r\n\r\n"),
    REFUSED("a version of its own case", "GET / http/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a blank behind the version", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
    REFUSED("a second target", "GET / /b HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("two blanks before the version", "GET /  HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a tab before the target", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("no target", "GET HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a relative target", "GET a HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a target of another kind", "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a tunnel", "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a method nobody knows", "GETT / HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a method in small letters", "get / HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a method of odd characters", "G@T / HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a blank before the method", " GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("two empty lines before the method", "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("no host", "GET / HTTP/1.1\r\nA: b\r\n\r\n"),
    REFUSED("no header", "GET / HTTP/1.1\r\n\r\n"),
    REFUSED("two hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
    REFUSED("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    REFUSED("an answer", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    REFUSED("no size of a chunk", CHUNK "\r\n\r\n"),
    REFUSED("a size that is none", CHUNK "g\r\nhello\r\n0\r\n\r\n"),
    REFUSED("a size with a sign", CHUNK "+5\r\nhello\r\n0\r\n\r\n"),
    REFUSED("a negative size", CHUNK "-1\r\nhello\r\n0\r\n\r\n"),
    REFUSED("a size with 0x", CHUNK "0x5\r\nhello\r\n0\r\n\r\n"),
    REFUSED("a size behind a blank", CHUNK " 5\r\nhello\r\n0\r\n\r\n"),
    REFUSED("a size before a blank", CHUNK "5 \r\nhello\r\n0\r\n\r\n"),
    REFUSED("a size past 64 bits", CHUNK "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    REFUSED("a size with an underscore", CHUNK "1_0\r\nhello\r\n0\r\n\r\n"),
    REFUSED("a bare LF behind a size", CHUNK "5\nhello\r\n0\r\n\r\n"),
    REFUSED("a bare CR behind a size", CHUNK "2\r\r;a\r\n02\r\n0\r\n\r\n"),
    REFUSED("a bare LF in an extension", CHUNK "5;a\nb\r\nhello\r\n0\r\n\r\n"),
    REFUSED("a bare LF behind a chunk", CHUNK "5\r\nhello\n0\r\n\r\n"),
    REFUSED("a chunk longer than its size", CHUNK "5\r\nhello!\r\n0\r\n\r\n"),
    REFUSED("a bare LF behind the last size", CHUNK "0\n\r\n"),
    REFUSED("a bare LF at the very end", CHUNK "0\r\n\n"),
    REFUSED("a bare LF behind a trailer", CHUNK "0\r\nA: b\n\r\n"),
    REFUSED("a folded trailer", CHUNK "0\r\nA: b\r\n c\r\n\r\n"),
    REFUSED("a trailer with a blank before the colon", CHUNK "0\r\nA : b\r\n\r\n"),
};

/* Reads the body, as most handlers do. */
static int answer_request(aio_http_request *request, void *arg)
{
    struct room *room = arg;
    const void *data;
    size_t size;
    int err;

    if (strcmp(aio_http_request_path(request), "/second") == 0)
        room->refuse++; /* smuggled */
    err = aio_http_request_body(request, &data, &size);
    if (err < 0)
        return err;
    room->fail_code++;
    return aio_http_respond(request, 200, "text/plain", data, size);
}

static struct answer answer;

static int check_vector(struct room *room, const aio_http_server *server,
                        const struct vector *vector, size_t step)
{
    size_t size = vector->size;
    struct peer peer;
    ptrdiff_t rest;

    TRY(peer_open(&peer, server));
    for (size_t i = 0; i < size; i += step) {
        if (peer_send(&peer, vector->text + i, size - i < step ? size - i : step) < 0)
            break; /* it is closed already */
        if (step < size)
            TRY(room_turn());
    }
    (void)peer_send(&peer, SECOND, strlen(SECOND));
    if (peer_hear(&peer, &answer) < 0)
        return aio_raise(AIO_EASSERTION, "%s: no answer", vector->what);
    rest = peer_hear_end(&peer);
    peer_close(&peer);
    if (answer.status != vector->status)
        return aio_raise(AIO_EASSERTION, "%s: %d", vector->what, answer.status);
    if (rest != 0)
        return aio_raise(AIO_EASSERTION, "%s: %td bytes behind the answer", vector->what, rest);
    if (room->refuse != 0 || room->fail_code != 0)
        return aio_raise(AIO_EASSERTION, "%s: the handler got it", vector->what);
    CHECK_TEXT(answer_header(&answer, "connection"), "close");
    return 0;
}

static int try_all(struct room *room, size_t step)
{
    aio_http_server *server = NULL;

    TRY(site_start(answer_request, room, NULL, &server));
    for (size_t i = 0; i < COUNT_OF(vectors); i++)
        TRY(check_vector(room, server, &vectors[i], step));
    return site_stop(server);
}

static int try_whole(void *arg, void **ret_result)
{
    return try_all(arg, SIZE_MAX);
}

static int try_bytewise(void *arg, void **ret_result)
{
    return try_all(arg, 1);
}

static void what_can_be_read_in_two_ways_is_refused(void **state)
{
    room_run(try_whole);
}

static void the_same_is_refused_when_it_comes_byte_by_byte(void **state)
{
    room_run(try_bytewise);
}

/* What looks odd and is allowed, so that the table above is not right by refusing everything. */
static int try_odd_ones(void *arg, void **ret_result)
{
    static const char *const odd[] = {
        "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", /* an empty line before, of old clients */
        "GET / HTTP/1.1\r\nhOsT:x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA:\t b \t\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: \xc3\xa4\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 005\r\n\r\nhello",
        CHUNK "5;a=b\r\nhello\r\n0\r\nA: b\r\nX-Length: 7\r\n\r\n",
        CHUNK "0005\r\nhello\r\n000\r\n\r\n",
        CHUNK "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
    };
    struct room *room = arg;
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(site_start(answer_request, room, NULL, &server));
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        TRY(peer_open(&peer, server));
        TRY(peer_say(&peer, odd[i]));
        TRY(peer_say(&peer, "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        TRY(peer_hear(&peer, &answer));
        if (answer.status != 200)
            return aio_raise(AIO_EASSERTION, "%s: %d", odd[i], answer.status);
        TRY(peer_hear(&peer, &answer));
        CHECK(answer.status == 200);
        CHECK(peer_hear_end(&peer) == 0);
        peer_close(&peer);
    }
    CHECK(room->fail_code == 2 * (int)COUNT_OF(odd));
    return site_stop(server);
}

static void what_is_odd_but_clear_is_answered(void **state)
{
    room_run(try_odd_ones);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(the_same_is_refused_when_it_comes_byte_by_byte),
        cmocka_unit_test(what_is_odd_but_clear_is_answered),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
