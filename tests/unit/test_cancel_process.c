/* SPDX-License-Identifier: MIT */
/*
 * test_cancel_process.c - looking names up, and processes, cancelled at every point
 */
#include "support/allocation.h"
#include "support/dnsserver.h"
#include "support/sweep.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char names[64]; /* where our name server is */

/* --- names ----------------------------------------------------------------------------- */

/* The name server has a process of its own, as its descriptors are not to be counted here. */
static pid_t server_pid;

static void serve_names(int answer)
{
    struct dns_server *server = dns_server_start();
    const char *address = server == NULL ? "" : dns_server_address(server);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (write(answer, address, strlen(address) + 1) > 0)
        (void)pause();
    _exit(EXIT_FAILURE);
}

static int start_names(void **state)
{
    int ends[2];
    ssize_t size;

    if (pipe(ends) != 0)
        return -1;
    server_pid = fork();
    if (server_pid == 0)
        serve_names(ends[1]);
    size = read(ends[0], names, sizeof(names));
    close(ends[0]);
    close(ends[1]);
    return size > 1 ? 0 : -1;
}

static int stop_names(void **state)
{
    (void)kill(server_pid, SIGKILL);
    return waitpid(server_pid, NULL, 0) == server_pid ? 0 : -1;
}

static int ask_our_server(struct ground *g)
{
    aio_dns_options options = AIO_DNS_OPTIONS_INIT;

    (void)g;
    options.servers = names;
    options.timeout = 5;
    return aio_loop_set_dns_options(NULL, &options);
}

static int look_up(const char *name)
{
    struct addrinfo *list;

    TRY(aio_loop_getaddrinfo(NULL, name, "80", NULL, &list));
    aio_freeaddrinfo(list);
    return 0;
}

static int look_up_one(struct ground *g)
{
    return look_up("one.test");
}

static int look_up_big(struct ground *g)
{
    return look_up("big.test"); /* by UDP, then by TCP */
}

static int look_up_silent(struct ground *g)
{
    return look_up("silent.test");
}

static int look_up_own(struct ground *g)
{
    return look_up("localhost");
}

static int look_up_address(struct ground *g)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    aio_nameinfo name;

    return aio_loop_getnameinfo(NULL, (struct sockaddr *)&address, 0, &name);
}

static void looking_names_up_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.prepare = ask_our_server, .run = look_up_one, .keeps_handles = true},
        {.prepare = ask_our_server, .run = look_up_big, .keeps_handles = true},
        {.prepare = ask_our_server, .run = look_up_silent, .points = 20, .keeps_handles = true},
        {.prepare = ask_our_server, .run = look_up_own, .keeps_handles = true},
        {.prepare = ask_our_server, .run = look_up_address, .keeps_handles = true},
    };

#ifndef AIO__CARES
    skip(); /* there is nobody whom our server could be told of */
#endif
    sweep(operations, COUNT_OF(operations));
}

/* --- processes ------------------------------------------------------------------------- */

static int start_cat(struct ground *g)
{
    static const char *const argv[] = {"cat", NULL};
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;

    options.std_in = AIO_SUBPROCESS_PIPE;
    options.std_out = AIO_SUBPROCESS_PIPE;
    return aio_create_subprocess_exec(argv, &options, &g->process);
}

static int run_program(struct ground *g)
{
    static const char *const argv[] = {"true", NULL};
    int code;

    TRY(aio_create_subprocess_exec(argv, NULL, &g->process));
    TRY(aio_process_wait(g->process, &code));
    CHECK(code == 0);
    return 0;
}

static int run_command(struct ground *g)
{
    TRY(aio_create_subprocess_shell("exit 0", NULL, &g->process));
    return aio_process_wait(g->process, NULL);
}

static int run_missing_program(struct ground *g)
{
    static const char *const argv[] = {"/nowhere/to/be/found", NULL};
    int err = aio_create_subprocess_exec(argv, NULL, &g->process);

    return err == -ENOENT ? 0 : err;
}

static int talk_to_program(struct ground *g)
{
    aio_process_output output;

    TRY(aio_process_communicate(g->process, "hello", 5, &output));
    aio_process_output_clear(&output);
    return 0;
}

static int wait_for_program(struct ground *g)
{
    return aio_process_wait(g->process, NULL);
}

/* It is still there for others to wait for. */
static int program_goes_on(struct ground *g)
{
    CHECK(!aio_process_returncode(g->process, NULL));
    return 0;
}

static int run_as_transport(struct ground *g)
{
    static const char *const argv[] = {"cat", NULL};
    aio_transport *transport;

    TRY(aio_loop_subprocess_exec(NULL, room_factory, g->room, argv, NULL, &transport, NULL));
    aio_transport_close(transport); /* which kills it */
    aio_transport_unref(transport);
    TRY(talk_wait_lost(&g->room->talks[0]));
    return 0;
}

static int run_command_as_transport(struct ground *g)
{
    aio_transport *transport;

    TRY(aio_loop_subprocess_shell(NULL, room_factory, g->room, "exec cat", NULL, &transport, NULL));
    aio_transport_close(transport);
    aio_transport_unref(transport);
    TRY(talk_wait_lost(&g->room->talks[0]));
    return 0;
}

static void processes_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.run = run_program},
        {.run = run_command},
        {.run = run_missing_program},
        {.prepare = start_cat, .run = talk_to_program},
        {.prepare = start_cat, .run = wait_for_program, .check = program_goes_on, .points = 8},
    };

    sweep(operations, COUNT_OF(operations));
}

static void transports_of_processes_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.run = run_as_transport},
        {.run = run_command_as_transport},
    };

    sweep(operations, COUNT_OF(operations));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(looking_names_up_can_be_cancelled_anywhere),
        TEST(processes_can_be_cancelled_anywhere),
        TEST(transports_of_processes_can_be_cancelled_anywhere),
    };

    return RUN_TESTS(tests, start_names, stop_names);
}
