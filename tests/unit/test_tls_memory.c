/* SPDX-License-Identifier: MIT */
/*
 * test_tls_memory.c - what a connection of TLS costs: while it is idle, and while it is busy
 *
 * Both ends are here, so that a pair is measured. What OpenSSL takes for itself is in the first
 * figure, by the allocator's count, and not in the second, which counts the library's calls.
 */
#include "base/memory.h"
#include "support/allocation.h"
#include "support/tls_room.h"

#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS = 38, ENOUGH = 256 * 1024 }; /* a room has 80 protocols */

/* --- pairs ------------------------------------------------------------------------------- */

struct pair {
    struct room *room;
    int sock; /* of the server's end */
    aio_transport *ends[2];
};

static int begin_server(void *arg, void **ret_result)
{
    struct pair *pair = arg;
    aio_accepted_options options = AIO_ACCEPTED_OPTIONS_INIT;

    options.sock = pair->sock;
    options.ssl = tls_server;
    return aio_loop_connect_accepted_socket_with(NULL, room_factory, pair->room, &options,
                                                 &pair->ends[1]);
}

static int open_pair(struct room *room, struct pair *pair)
{
    AIO_AUTO(aio_task) task = NULL;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    int fds[2];

    room_socketpair(fds);
    *pair = (struct pair){.room = room, .sock = fds[1]};
    options.sock = fds[0];
    options.ssl = tls_client;
    options.server_hostname = "one.test";
    task = aio_create_task(begin_server, pair);
    TRY(aio_loop_create_connection(NULL, room_factory, room, &options, &pair->ends[0]));
    return aio_await(task, NULL);
}

static void close_pair(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        aio_transport_abort(pair->ends[i]);
        aio_transport_unref(pair->ends[i]);
    }
}

/* The protocol at an end of a pair. */
static struct talk *talk_at(const struct pair *pair, int end)
{
    for (size_t i = 0; i < pair->room->count; i++)
        if (pair->room->talks[i].transport == pair->ends[end])
            return &pair->room->talks[i];
    return NULL;
}

/* Both ways, more than a record, and wait until it is there. */
static int use_pair(struct pair *pair)
{
    static char much[100000];

    for (int i = 0; i < 2; i++) {
        struct talk *talk = talk_at(pair, 1 - i);
        size_t before = talk->received;

        TRY(aio_transport_write(pair->ends[i], much, sizeof(much)));
        TRY(talk_wait_received(talk, before + sizeof(much)));
    }
    return 0;
}

/* --- idle -------------------------------------------------------------------------------- */

static int hold_idle_pairs(void *arg, void **ret_result)
{
    static struct pair pairs[PAIRS];
    struct room *room = arg;
    size_t before;
    size_t after;

    room->quiet = true;
    TRY(open_pair(room, &pairs[0])); /* what is made once is made now */
    TRY(use_pair(&pairs[0]));
    TRY(room_turn());
    before = mallinfo2().uordblks;
    for (size_t i = 1; i < PAIRS; i++) {
        TRY(open_pair(room, &pairs[i]));
        TRY(use_pair(&pairs[i]));
    }
    TRY(room_turn());
    after = mallinfo2().uordblks;
    /* 37 KiB, of which OpenSSL has 32. A buffer of either end would be 16 more. Where a sanitizer
     * allocates, nothing is counted. */
    CHECK((after - before) / (PAIRS - 1) < 44 * 1024);
    for (size_t i = 0; i < PAIRS; i++)
        close_pair(&pairs[i]);
    return room_turn();
}

static void an_idle_pair_holds_no_buffers_whatever_went_through_it(void **state)
{
    (void)state;
    room_run(hold_idle_pairs);
}

/* --- busy -------------------------------------------------------------------------------- */

static size_t calls;

static void *counting_allocate(size_t bytes, void *arg)
{
    (void)arg;
    calls++;
    return malloc(bytes);
}

static void *counting_reallocate(void *old, size_t bytes, void *arg)
{
    (void)arg;
    calls++;
    return realloc(old, bytes);
}

static void counting_release(void *memory, void *arg)
{
    (void)arg;
    free(memory);
}

static int setup_counting(void **state)
{
    static const aio_allocator counting = {
        .size = sizeof(counting),
        .allocate = counting_allocate,
        .reallocate = counting_reallocate,
        .release = counting_release,
    };

    (void)state;
    tls_client = authority_client();
    tls_server = authority_server("one.pem");
    return aio_set_allocator(&counting);
}

static int teardown_counting(void **state)
{
    (void)state;
    aio_tls_context_unref(tls_client);
    aio_tls_context_unref(tls_server);
    return aio_set_allocator(NULL);
}

/* Small and large writes, of callbacks and of a task, both ways. */
static int exchange(struct pair *pair)
{
    static char piece[40000];

    for (int i = 0; i < 2; i++) {
        struct talk *talk = talk_at(pair, 1 - i);
        size_t before = talk->received;

        TRY(aio_transport_write(pair->ends[i], piece, 10));
        TRY(aio_transport_write(pair->ends[i], piece, sizeof(piece)));
        while (talk->received < before + 10 + sizeof(piece)) /* a wait would allocate */
            TRY(aio_sleep(0));
    }
    return 0;
}

static int write_for_long(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct pair pair;
    size_t before;

    room->quiet = true;
    TRY(open_pair(room, &pair));
    for (int i = 0; i < 20; i++)
        TRY(exchange(&pair));
    before = calls;
    for (int i = 0; i < 200; i++)
        TRY(exchange(&pair));
    CHECK(calls == before);
    close_pair(&pair);
    return room_turn();
}

static void a_busy_pair_allocates_nothing(void **state)
{
    (void)state;
    room_run(write_for_long);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(an_idle_pair_holds_no_buffers_whatever_went_through_it),
        cmocka_unit_test_setup_teardown(a_busy_pair_allocates_nothing, setup_counting,
                                        teardown_counting),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
