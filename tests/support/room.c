/* SPDX-License-Identifier: MIT */
/*
 * room.c - a loop on the real clock, and protocols that note what happens to them
 */
#include "support/room.h"

#include "base/memory.h"
#include "loop/loop_internal.h"
#include "support/allocation.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- noting ---------------------------------------------------------------------------- */

void talk_note(struct talk *talk, const char *format, ...)
{
    char text[128];
    va_list args;
    size_t length;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    length = strlen(text);
    assert_true(talk->used + length + 2 < sizeof(talk->trace));
    talk->used += (size_t)sprintf(talk->trace + talk->used, "%s%s", talk->used ? " " : "", text);
    aio_event_set(talk->room->news);
}

static int outcome(struct talk *talk, const char *what)
{
    struct room *room = talk->room;

    if (room->fail_in == NULL || strcmp(room->fail_in, what) != 0)
        return 0;
    return aio_raise(room->fail_code, "as the test wants it");
}

static struct talk *talk_of(aio_protocol *protocol)
{
    return (struct talk *)(void *)protocol;
}

static int on_made(aio_protocol *self, aio_transport *transport)
{
    struct talk *talk = talk_of(self);

    talk->transport = aio_transport_ref(transport);
    talk->made = true;
    talk_note(talk, "made");
    return outcome(talk, "made");
}

static int on_lost(aio_protocol *self, aio_exception *error)
{
    struct talk *talk = talk_of(self);

    talk->lost = true;
    if (error == NULL)
        talk_note(talk, "lost");
    else
        talk_note(talk, "lost!%s", aio_error_name(aio_exception_code(error)));
    return outcome(talk, "lost");
}

static int on_pause(aio_protocol *self)
{
    struct talk *talk = talk_of(self);

    talk->paused++;
    talk_note(talk, "pause");
    return outcome(talk, "pause");
}

static int on_resume(aio_protocol *self)
{
    struct talk *talk = talk_of(self);

    talk->resumed++;
    talk_note(talk, "resume");
    return outcome(talk, "resume");
}

static void on_release(aio_protocol *self)
{
    talk_of(self)->released = true;
}

static int take(struct talk *talk, const char *data, size_t size)
{
    size_t room = talk->received < sizeof(talk->data) ? sizeof(talk->data) - talk->received : 0;

    if (room > 0)
        memcpy(talk->data + talk->received, data, size < room ? size : room);
    talk->sum = room_sum(talk->sum, talk->received, data, size);
    talk->received += size;
    if (!talk->room->quiet)
        talk_note(talk, "data:%zu", size);
    aio_event_set(talk->room->news);
    if (talk->room->echoes)
        return aio_transport_write(talk->transport, data, size);
    return outcome(talk, "data");
}

static int on_data(aio_protocol *self, const void *data, size_t size)
{
    return take(talk_of(self), data, size);
}

static int on_get_buffer(aio_protocol *self, size_t hint, void **ret_data, size_t *ret_size)
{
    struct talk *talk = talk_of(self);

    *ret_data = talk->buffer;
    *ret_size = talk->room->fail_in != NULL && strcmp(talk->room->fail_in, "empty") == 0
                    ? 0
                    : sizeof(talk->buffer);
    return outcome(talk, "get_buffer");
}

static int on_updated(aio_protocol *self, size_t size)
{
    struct talk *talk = talk_of(self);

    return take(talk, talk->buffer, size);
}

static bool on_eof(aio_protocol *self)
{
    struct talk *talk = talk_of(self);

    talk_note(talk, "eof");
    return talk->room->keeps_open;
}

static int on_datagram(aio_protocol *self, const void *data, size_t size,
                       const struct sockaddr *address)
{
    (void)address;
    return take(talk_of(self), data, size);
}

static int on_error(aio_protocol *self, aio_exception *error)
{
    struct talk *talk = talk_of(self);

    talk_note(talk, "error!%s", aio_error_name(aio_exception_code(error)));
    return outcome(talk, "error");
}

static const aio_protocol_ops plain_ops = {
    .size = sizeof(plain_ops),
    .connection_made = on_made,
    .connection_lost = on_lost,
    .pause_writing = on_pause,
    .resume_writing = on_resume,
    .release = on_release,
    .data_received = on_data,
    .eof_received = on_eof,
    .datagram_received = on_datagram,
    .error_received = on_error,
};

static const aio_protocol_ops buffered_ops = {
    .size = sizeof(buffered_ops),
    .connection_made = on_made,
    .connection_lost = on_lost,
    .pause_writing = on_pause,
    .resume_writing = on_resume,
    .release = on_release,
    .get_buffer = on_get_buffer,
    .buffer_updated = on_updated,
    .eof_received = on_eof,
};

aio_protocol *room_factory(void *arg)
{
    struct room *room = arg;
    struct talk *talk = &room->talks[room->count];

    if (room->refuse > 0) {
        room->refuse--;
        (void)aio_raise(AIO_EVALUE, "no protocol today");
        return NULL;
    }
    assert_true(room->count < COUNT_OF(room->talks));
    room->count++;
    talk->base.ops = room->buffered ? &buffered_ops : &plain_ops;
    talk->room = room;
    return &talk->base;
}

/* --- waiting --------------------------------------------------------------------------- */

int room_wait(struct room *room, bool (*is_so)(const struct room *room))
{
    while (!is_so(room)) {
        aio_event_clear(room->news);
        TRY(aio_event_wait(room->news));
    }
    return 0;
}

int talk_wait_for(struct talk *talk, const char *text)
{
    while (strstr(talk->trace, text) == NULL) {
        aio_event_clear(talk->room->news);
        TRY(aio_event_wait(talk->room->news));
    }
    return 0;
}

int talk_wait_received(struct talk *talk, size_t count)
{
    while (talk->received < count) {
        aio_event_clear(talk->room->news);
        TRY(aio_event_wait(talk->room->news));
    }
    return 0;
}

int talk_wait_lost(struct talk *talk)
{
    while (!talk->lost) {
        aio_event_clear(talk->room->news);
        TRY(aio_event_wait(talk->room->news));
    }
    return 0;
}

int room_turn(void)
{
    for (int i = 0; i < 5; i++)
        TRY(aio_sleep(0));
    return 0;
}

/* --- bytes ----------------------------------------------------------------------------- */

void room_fill(char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7 + i / 251);
}

uint32_t room_sum(uint32_t sum, size_t place, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += (uint32_t)(unsigned char)data[i] * (uint32_t)(place + i + 1);
    return sum;
}

/* --- sockets --------------------------------------------------------------------------- */

void room_socketpair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

int room_hang_up(struct room *room)
{
    close(room->fds[1]);
    room->fds[1] = -1;
    return 0;
}

struct late {
    const char *text;
    unsigned warnings;
};

static void count_late(aio_log_level level, const char *text, void *arg)
{
    struct late *late = arg;

    late->warnings += level == AIO_LOG_WARNING && strcmp(text, late->text) == 0;
}

int room_write_late(aio_transport *transport, unsigned silent, const char *warning)
{
    struct late late = {.text = warning};
    unsigned first = 0;
    int err = 0;

    aio_log_set_handler(count_late, &late);
    for (unsigned i = 0; i < silent && err == 0; i++)
        err = aio_transport_write(transport, "x", 1);
    first = late.warnings;
    for (unsigned i = 0; i < 2 && err == 0; i++)
        err = aio_transport_write(transport, "x", 1);
    aio_log_set_handler(NULL, NULL);
    CHECK_CODE(err, 0);
    CHECK(first == 0);
    CHECK(late.warnings == 2);
    return 0;
}

void room_tcp_pair(int fds[2])
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int some = 64 * 1024;

    assert_int_equal(bind(listener, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&name, size), 0);
    fds[1] = accept(listener, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(listener);
    for (size_t i = 0; i < 2; i++) { /* or the kernel would take megabytes */
        assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &some, sizeof(some)), 0);
        assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &some, sizeof(some)), 0);
    }
}

void room_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(fd);
}

size_t room_open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* --- running --------------------------------------------------------------------------- */

static int hear(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    struct room *room = arg;

    (void)loop;
    room->reports++;
    (void)snprintf(room->report, sizeof(room->report), "%s: %s", context->message,
                   context->error == NULL ? ""
                                          : aio_error_name(aio_exception_code(context->error)));
    aio_event_set(room->news);
    return 0;
}

/* What the body gave, and its text. */
static int run(aio_coro_fn body, char *text, size_t size)
{
    static struct room room;
    size_t fds;
    aio_task *task;
    int err;

    room.loop = aio_new_event_loop(); /* libuv keeps two from the first loop on */
    (void)aio_loop_close(room.loop);
    aio_loop_unref(room.loop);
    fds = room_open_fds();
    memset(&room, 0, sizeof(room));
    room.fds[0] = room.fds[1] = -1;
    room.loop = aio_new_event_loop();
    room.news = room.loop == NULL ? NULL : aio_event_new();
    err = room.news == NULL ? AIO_ENOMEM : 0;
    if (err == 0) {
        /* Each object an allocation of its own, so that any of them can be made to fail. */
        room.loop->pool.largest = 0;
        aio_loop_set_exception_handler(room.loop, hear, &room);
        task = aio_loop_create_task(room.loop, body, &room, NULL);
        err = aio_loop_run_until_complete(room.loop, task, NULL);
        (void)snprintf(text, size, "%s", err < 0 ? aio_error_text(err) : "");
        aio_future_unref(task);
    }
    for (size_t i = 0; i < 2; i++)
        if (room.fds[i] >= 0)
            close(room.fds[i]);
    if (err == AIO_EASSERTION)
        fail_msg("%s", text); /* what it left open matters no more */
    if (room.loop != NULL)
        assert_int_equal(aio_loop_close(room.loop), 0);
    for (size_t i = 0; i < room.count; i++) {
        assert_true(room.talks[i].released);
        aio_transport_unref(room.talks[i].transport);
    }
    aio_event_unref(room.news);
    aio_loop_unref(room.loop);
    assert_int_equal(room_open_fds(), fds);
    return err;
}

void room_run(aio_coro_fn body)
{
    char text[1100] = "";
    int err = run(body, text, sizeof(text));

    if (err != 0)
        fail_msg("%s: %s", aio_error_name(err), text);
}

static void run_once(void *arg)
{
    aio_coro_fn *body = arg;
    char text[1100] = "";

    (void)run(*body, text, sizeof(text));
}

void room_run_starved(aio_coro_fn body)
{
    assert_true(with_each_allocation_failing(run_once, &body) > 0);
}

int room_echo_lines(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_bytes line = {0};
    int err;

    while ((err = aio_stream_reader_readline(reader, &line)) == 0 && line.size > 0) {
        err = aio_stream_writer_write(writer, line.data, line.size);
        aio_bytes_free(&line);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err < 0)
            break;
    }
    aio_bytes_free(&line);
    aio_stream_writer_close(writer);
    return err;
}
