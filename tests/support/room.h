/* SPDX-License-Identifier: MIT */
/*
 * room.h - a loop on the real clock, and protocols that note what happens to them
 *
 * For tests of connections. The test's body is a coroutine: it waits for what the protocols note,
 * never for a time, and says with CHECK() what must hold, which the runner asserts outside of it.
 */
#ifndef TESTS_ROOM_H
#define TESTS_ROOM_H

#include "support/unit.h"

#include <aio/aio.h>
#include <string.h>

struct room;

/* A protocol; its transport is referenced until the end of the test. */
struct talk {
    aio_protocol base;
    struct room *room;
    aio_transport *transport;
    size_t received; /* bytes, or datagrams' bytes */
    uint32_t sum;    /* of all bytes received, by place: see room_sum() */
    bool made;
    bool lost;
    bool released;
    unsigned paused;  /* calls */
    unsigned resumed; /* calls */
    size_t used;
    char trace[1024]; /* "made data:5 eof lost" */
    char data[4096];  /* the first bytes received */
    char buffer[512]; /* of a protocol that brings its own */
};

/* What the protocols of a room do, beside noting. */
struct room {
    aio_loop *loop;
    aio_event *news; /* set whenever something was noted */
    size_t count;
    struct talk talks[80];
    bool buffered;       /* they bring their own buffer */
    bool echoes;         /* they send back what they get */
    bool keeps_open;     /* eof_received gives true */
    bool quiet;          /* "data:N" is not noted */
    size_t refuse;       /* so many calls of the factory fail */
    const char *fail_in; /* the callback that fails, by what it notes; NULL: none */
    int fail_code;
    unsigned reports; /* of the exception handler */
    char report[200]; /* the last one: "MESSAGE: Error" */
    void *subject;    /* the test's own */
    int fds[2];       /* the test's own; closed at the end unless -1 */
};

/* Run a coroutine to its end in a room of its own; asserts that it gives 0, and that no fd and no
 * allocation is left. */
void room_run(aio_coro_fn body);

/* The same with each allocation failing in turn: the body may give any code then. */
void room_run_starved(aio_coro_fn body);

/* A factory; its argument is the room. */
aio_protocol *room_factory(void *room);

/* Suspend until every condition's function is true; it is asked whenever something was noted. */
int room_wait(struct room *room, bool (*is_so)(const struct room *room));

/* Suspend until a protocol has noted a text, has received so many bytes, or is lost. */
int talk_wait_for(struct talk *talk, const char *text);
int talk_wait_received(struct talk *talk, size_t count);
int talk_wait_lost(struct talk *talk);

/* Note, and wake who waits. */
void talk_note(struct talk *talk, const char *format, ...) AIO_PRINTF(2, 3);

/* Bytes of a pattern, and the sum a protocol has once it has got them all. */
void room_fill(char *data, size_t size);
uint32_t room_sum(uint32_t sum, size_t place, const char *data, size_t size);

/* Connected sockets; by TCP on loopback, both blocking. */
void room_socketpair(int fds[2]);
void room_tcp_pair(int fds[2]);

/* Close fds[1]. Gives 0. */
int room_hang_up(struct room *room);

/* Write a byte to a transport that is over, so often without a word: the next two are warned of. 0, or
 * a raised code. */
int room_write_late(aio_transport *transport, unsigned silent, const char *warning);

/* A server of streams that sends back each line. */
int room_echo_lines(aio_stream_reader *reader, aio_stream_writer *writer, void *arg);

/* Make close() of a TCP socket a reset. */
void room_reset(int fd);

/* Open file descriptors of this process. */
size_t room_open_fds(void);

/* Give way to the loop a few times: all that is ready has run after that. */
int room_turn(void);

/* In a body: what is not so ends it. */
#define CHECK(so)                                                                                  \
    do {                                                                                           \
        if (!(so))                                                                                 \
            return aio_raise(AIO_EASSERTION, "%s:%d: not so: %s", __FILE__, __LINE__, #so);        \
    } while (0)
#define CHECK_CODE(call, code)                                                                     \
    do {                                                                                           \
        int check_code_ = (call);                                                                  \
        if (check_code_ != (code))                                                                 \
            return aio_raise(AIO_EASSERTION, "%s:%d: %s gave %d %s: %s", __FILE__, __LINE__,       \
                             #call, check_code_, aio_error_name(check_code_),                      \
                             check_code_ < 0 ? aio_error_text(check_code_) : "");                  \
    } while (0)
#define CHECK_TEXT(text, expected)                                                                 \
    do {                                                                                           \
        if (strcmp((text), (expected)) != 0)                                                       \
            return aio_raise(AIO_EASSERTION, "%s:%d: %s is \"%s\"", __FILE__, __LINE__, #text,     \
                             (text));                                                              \
    } while (0)
/* A failure ends the body with its code: shortage of memory, say. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        int try_ = (call);                                                                         \
        if (try_ < 0)                                                                              \
            return try_;                                                                           \
    } while (0)

#endif
