/* SPDX-License-Identifier: MIT */
/*
 * test_io_costs.c - what a request must not cost: an allocation, a needless system call
 *
 * A server and its client in one loop, over a socket pair, after they have warmed up.
 */
#include "base/compiler.h"
#include "fiber/sanitize.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WARM_UP = 20, REQUESTS = 200, SIZE = 1000, BUFFER = 32 * 1024 };

/* --- echoing by streams ---------------------------------------------------------------- */

/* A stream over one end of the pair, which is taken. */
static int open_stream(int fd, aio_stream_reader **reader, aio_stream_writer **writer)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    options.sock = fd;
    return aio_open_connection_with(&options, 0, reader, writer);
}

static int echo_by_stream(void *arg, void **ret_result)
{
    static char buffer[BUFFER];
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    size_t size = 1;
    int err = open_stream(*(int *)arg, &reader, &writer);

    while (err == 0 && size > 0) {
        err = aio_stream_reader_read_into(reader, buffer, sizeof(buffer), &size);
        if (err == 0 && size > 0)
            err = aio_stream_writer_write(writer, buffer, size);
        if (err == 0 && size > 0)
            err = aio_stream_writer_drain(writer);
    }
    aio_stream_writer_close(writer);
    return err;
}

static int echo_by_views(void *arg, void **ret_result)
{
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_buffer view = {.size = 1};
    int err = open_stream(*(int *)arg, &reader, &writer);

    while (err == 0 && view.size > 0) {
        err = aio_stream_reader_peek(reader, 1, &view);
        if (err == 0)
            err = aio_stream_writer_write(writer, view.data, view.size);
        if (err == 0)
            err = aio_stream_reader_consume(reader, view.size);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
    }
    aio_stream_writer_close(writer);
    return err;
}

/* --- echoing by a protocol ------------------------------------------------------------- */

struct echo {
    aio_protocol base;
    aio_transport *transport;
};

static int on_made(aio_protocol *base, aio_transport *transport)
{
    ((struct echo *)base)->transport = transport;
    return 0;
}

static int on_data(aio_protocol *base, const void *data, size_t size)
{
    return aio_transport_write(((struct echo *)base)->transport, data, size);
}

static const aio_protocol_ops echo_ops = {
    .size = sizeof(echo_ops),
    .connection_made = on_made,
    .data_received = on_data,
};

static aio_protocol *make_echo(void *arg)
{
    static struct echo echo = {.base = {&echo_ops}};

    return &echo.base;
}

static int echo_by_protocol(void *arg, void **ret_result)
{
    return aio_loop_connect_accepted_socket(NULL, make_echo, NULL, *(int *)arg, NULL);
}

/* --- asking ---------------------------------------------------------------------------- */

static int ask(aio_stream_reader *reader, aio_stream_writer *writer)
{
    static char request[SIZE];
    static char answer[SIZE];
    int err;

    for (size_t i = 0; i < SIZE; i++)
        request[i]++;
    err = aio_stream_writer_write(writer, request, SIZE);
    if (err == 0)
        err = aio_stream_writer_drain(writer);
    if (err == 0)
        err = aio_stream_reader_readexactly_into(reader, answer, SIZE);
    if (err == 0 && memcmp(request, answer, SIZE) != 0)
        err = aio_raise(AIO_EASSERTION, "something else came back");
    return err;
}

struct talk {
    aio_coro_fn server;
    int (*once_warm)(void); /* NULL: nothing */
    size_t made;            /* allocations from then on */
};

static int talk_to(struct talk *talk, int *fds)
{
    AIO_AUTO(aio_task) server = aio_create_task(talk->server, &fds[1]);
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    size_t before;
    int err = open_stream(fds[0], &reader, &writer);

    for (int i = 0; i < WARM_UP && err == 0; i++)
        err = ask(reader, writer);
    before = made_allocations();
    if (err == 0 && talk->once_warm != NULL)
        err = talk->once_warm();
    for (int i = 0; i < REQUESTS && err == 0; i++)
        err = ask(reader, writer);
    talk->made = made_allocations() - before;
    if (talk->once_warm != NULL)
        _exit(err == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    aio_stream_writer_close(writer);
    if (err == 0)
        err = aio_stream_writer_wait_closed(writer);
    if (err == 0)
        err = aio_await(server, NULL);
    return err;
}

static int run_talk(void *arg, void **ret_result)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        return aio_raise(-errno, "no socket pair");
    return talk_to(arg, fds);
}

static void request_to_a_stream_allocates_nothing(void **state)
{
    struct talk talk = {.server = echo_by_stream, .made = SIZE_MAX};

    assert_int_equal(aio_run(run_talk, &talk, NULL), 0);
    assert_int_equal(talk.made, 0);
}

static void request_to_a_stream_that_looks_at_it_allocates_nothing(void **state)
{
    struct talk talk = {.server = echo_by_views, .made = SIZE_MAX};

    if (AIO__ASAN || AIO__ON_VALGRIND)
        skip(); /* for their sake memory is not passed on */
    assert_int_equal(aio_run(run_talk, &talk, NULL), 0);
    assert_int_equal(talk.made, 0);
}

static void request_to_a_protocol_allocates_nothing(void **state)
{
    struct talk talk = {.server = echo_by_protocol, .made = SIZE_MAX};

    assert_int_equal(aio_run(run_talk, &talk, NULL), 0);
    assert_int_equal(talk.made, 0);
}

/* --- system calls ---------------------------------------------------------------------- */

enum { NO_SECCOMP = 77 };

/* From here on the thread may receive, send, poll and end; anything else kills the process. */
static int allow_only_io(void)
{
    enum { ALLOWED = 6 };
    static const unsigned allowed[ALLOWED] = {SYS_recvfrom,     SYS_sendto,
                                              SYS_epoll_pwait,  SYS_exit_group,
#ifdef SYS_epoll_wait
                                              SYS_epoll_wait,
#else
                                              SYS_epoll_pwait,
#endif
                                              SYS_clock_gettime /* where there is no vDSO */};
    struct sock_filter filter[ALLOWED + 3];
    struct sock_fprog program = {COUNT_OF(filter), filter};

    filter[0] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned char i = 0; i < ALLOWED; i++)
        filter[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
                                                     (unsigned char)(ALLOWED - i), 0);
    filter[ALLOWED + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    filter[ALLOWED + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        _exit(NO_SECCOMP);
    return 0;
}

static void assert_only_io(aio_coro_fn server)
{
    int status;
    pid_t pid;

    if (AIO__ASAN || AIO__TSAN || AIO__ON_VALGRIND)
        skip(); /* their run time makes calls of its own */
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct talk talk = {.server = server, .once_warm = allow_only_io};

        (void)aio_run(run_talk, &talk, NULL);
        _exit(EXIT_FAILURE);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SECCOMP)
        skip();
    assert_false(WIFSIGNALED(status)); /* SIGSYS: there was another call */
    assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
}

static void request_to_a_stream_takes_but_receiving_sending_and_polling(void **state)
{
    assert_only_io(echo_by_stream);
}

static void request_to_a_protocol_takes_but_receiving_sending_and_polling(void **state)
{
    assert_only_io(echo_by_protocol);
}

#define COUNTED(test) cmocka_unit_test_setup_teardown(test, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUNTED(request_to_a_stream_allocates_nothing),
        COUNTED(request_to_a_stream_that_looks_at_it_allocates_nothing),
        COUNTED(request_to_a_protocol_allocates_nothing),
        cmocka_unit_test(request_to_a_stream_takes_but_receiving_sending_and_polling),
        cmocka_unit_test(request_to_a_protocol_takes_but_receiving_sending_and_polling),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
