/* SPDX-License-Identifier: MIT */
/*
 * test_subprocess_transport.c - child processes as transports, and what their protocols hear
 */
#include "support/fixture.h"
#include "support/room.h"

#include <aio/aio.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A protocol that keeps what it hears, in order. */
struct hearer {
    aio_protocol protocol;
    aio_transport *transport;
    char events[512]; /* "made", "1:text", "1 lost", "exited", "lost", "released" */
    int fail_with;    /* what pipe_data_received gives */
    aio_future *done; /* finished by the release */
};

static struct hearer hearer;

static void hear(const char *event)
{
    size_t used = strlen(hearer.events);

    (void)snprintf(hearer.events + used, sizeof(hearer.events) - used, "%s%s", used ? ", " : "",
                   event);
}

static int on_made(aio_protocol *self, aio_transport *transport)
{
    hearer.transport = transport;
    hear("made");
    return 0;
}

static int on_lost(aio_protocol *self, aio_exception *error)
{
    hear(error == NULL ? "lost" : "lost with an error");
    return 0;
}

static void on_release(aio_protocol *self)
{
    hear("released");
    if (hearer.done != NULL)
        (void)aio_future_set_result(hearer.done, NULL);
}

static int on_pipe_data(aio_protocol *self, int fd, const void *data, size_t size)
{
    char event[64];

    (void)snprintf(event, sizeof(event), "%d:%.*s", fd, (int)size, (const char *)data);
    hear(event);
    return hearer.fail_with;
}

static int on_pipe_lost(aio_protocol *self, int fd, aio_exception *error)
{
    char event[64];

    (void)snprintf(event, sizeof(event), "%d lost%s%s", fd, error == NULL ? "" : " ",
                   error == NULL ? "" : aio_error_name(aio_exception_code(error)));
    hear(event);
    return 0;
}

static int on_exited(aio_protocol *self)
{
    hear("exited");
    return 0;
}

static int on_pause(aio_protocol *self)
{
    hear("pause");
    return 0;
}

static int on_resume(aio_protocol *self)
{
    hear("resume");
    return 0;
}

static const aio_protocol_ops hearer_ops = {
    .size = sizeof(aio_protocol_ops),
    .connection_made = on_made,
    .connection_lost = on_lost,
    .pause_writing = on_pause,
    .resume_writing = on_resume,
    .release = on_release,
    .pipe_data_received = on_pipe_data,
    .pipe_connection_lost = on_pipe_lost,
    .process_exited = on_exited,
};

static aio_protocol *make_hearer(void *arg)
{
    hearer.protocol.ops = &hearer_ops;
    return &hearer.protocol;
}

static aio_protocol *refuse(void *arg)
{
    (void)aio_raise(AIO_EUSER - 3, "not today");
    return NULL;
}

/* --- running ------------------------------------------------------------------------------ */

/* What a test wants of a child; the result is for it to assert. */
struct plan {
    const char *command;
    aio_subprocess_options options;
    aio_protocol_factory_fn factory;
    int (*with)(aio_transport *transport); /* once it has begun; may be NULL */
    int err;
    int code;
};

static int run_plan(void *arg, void **ret_result)
{
    struct plan *plan = arg;
    aio_transport *transport;
    aio_protocol *protocol = NULL;
    int err;

    err = aio_loop_subprocess_shell(NULL, plan->factory, NULL, plan->command, &plan->options,
                                    &transport, &protocol);
    if (err < 0)
        return err;
    if (protocol != &hearer.protocol)
        hear("another protocol");
    if (plan->with != NULL)
        err = plan->with(transport);
    if (err == 0)
        err = aio_await(hearer.done, NULL);
    if (!aio_subprocess_transport_get_returncode(transport, &plan->code))
        plan->code = -1000;
    aio_transport_unref(transport);
    return err;
}

static struct plan plan_for(const char *command)
{
    struct plan plan = {.command = command, .factory = make_hearer};

    plan.options = (aio_subprocess_options)AIO_SUBPROCESS_OPTIONS_INIT;
    return plan;
}

static void carry_out(struct fixture *f, struct plan *plan)
{
    aio_task *task;

    memset(hearer.events, 0, sizeof(hearer.events));
    hearer.done = aio_future_new(f->loop);
    assert_non_null(hearer.done);
    task = aio_loop_create_task(f->loop, run_plan, plan, NULL);
    plan->err = aio_loop_run_until_complete(f->loop, task, NULL);
    aio_future_unref(task);
    aio_future_unref(hearer.done);
    hearer.done = NULL;
}

static int setup(void **state)
{
    memset(&hearer, 0, sizeof(hearer));
    return fx_setup_real(state);
}

static int teardown(void **state)
{
    int err = fx_teardown(state);

    if (waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD)
        return err;
    print_error("a child is left\n");
    return -1;
}

/* Where an event stands; fails the test if it is not there, or more than once. */
static size_t place_of(const char *event)
{
    const char *found = strstr(hearer.events, event);

    if (found == NULL || strstr(found + 1, event) != NULL)
        fail_msg("not once \"%s\" in \"%s\"", event, hearer.events);
    return (size_t)(found - hearer.events);
}

/* --- what a protocol hears ---------------------------------------------------------------- */

/* after asyncio's test_events.SubprocessTestsMixin.test_subprocess_stderr */
static void protocol_hears_all_and_the_loss_last(void **state)
{
    struct plan plan = plan_for("echo out; echo err >&2; exit 3");

    carry_out(*state, &plan);
    assert_int_equal(plan.err, 0);
    assert_int_equal(plan.code, 3);
    assert_int_equal(place_of("made"), 0);
    assert_true(place_of("1:out\n") < place_of("1 lost"));
    assert_true(place_of("2:err\n") < place_of("2 lost"));
    assert_true(place_of("0 lost") < place_of(", lost"));
    assert_true(place_of("1 lost") < place_of(", lost"));
    assert_true(place_of("2 lost") < place_of(", lost"));
    assert_true(place_of("exited") < place_of(", lost"));
    assert_int_equal(place_of(", lost, released"), strlen(hearer.events) - 16);
}

static void protocol_hears_only_of_pipes_there_are(void **state)
{
    struct plan plan = plan_for("exit 0");

    plan.options.std_in = AIO_SUBPROCESS_DEVNULL;
    plan.options.std_out = AIO_SUBPROCESS_INHERIT;
    plan.options.std_err = AIO_SUBPROCESS_DEVNULL;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, 0);
    assert_string_equal(hearer.events, "made, exited, lost, released");
}

static int write_and_close(aio_transport *transport)
{
    aio_transport *input = aio_subprocess_transport_get_pipe_transport(transport, 0);
    int err = aio_transport_write(input, "to the child", 12);

    aio_transport_close(input);
    return err;
}

/* after asyncio's test_subprocess_interactive */
static void child_reads_what_is_written_to_its_pipe(void **state)
{
    struct plan plan = plan_for("exec cat");

    plan.with = write_and_close;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, 0);
    assert_int_equal(plan.code, 0);
    (void)place_of("1:to the child");
}

static int write_a_lot(aio_transport *transport)
{
    static const char zeros[4 * 1024 * 1024];
    aio_transport *input = aio_subprocess_transport_get_pipe_transport(transport, 0);
    int err = aio_transport_write(input, zeros, sizeof(zeros));

    if (aio_transport_get_write_buffer_size(input) == 0)
        hear("nothing buffered");
    aio_transport_close(input);
    return err;
}

static void protocol_is_paused_while_the_pipe_is_full(void **state)
{
    struct plan plan = plan_for("wc -c");

    plan.with = write_a_lot;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, 0);
    assert_true(place_of("pause") < place_of("resume"));
    (void)place_of("1:4194304\n");
}

static void protocol_hears_that_buffered_input_was_lost(void **state)
{
    struct plan plan = plan_for("exec head -c 1");

    plan.with = write_a_lot;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, 0);
    (void)place_of("0 lost BrokenPipeError");
}

static void failure_of_a_protocol_is_reported(void **state)
{
    struct plan plan = plan_for("echo out");

    plan.options.std_err = AIO_SUBPROCESS_INHERIT;
    hearer.fail_with = AIO_EVALUE;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, 0);
    (void)place_of("1:out\n");
    fx_assert_reports(*state, "Exception in callback ValueError");
}

/* --- what a transport does ---------------------------------------------------------------- */

/* after asyncio's test_subprocess_close_after_finish, test_close_kill_running */
static int close_twice(aio_transport *transport)
{
    aio_transport_close(transport);
    if (!aio_transport_is_closing(transport))
        hear("not closing");
    aio_transport_close(transport);
    return 0;
}

static void close_kills_the_child(void **state)
{
    struct plan plan = plan_for("exec sleep 1000");

    plan.with = close_twice;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, 0);
    assert_int_equal(plan.code, -SIGKILL);
    assert_int_equal(place_of(", lost, released"), strlen(hearer.events) - 16);
}

static int terminate(aio_transport *transport)
{
    return aio_subprocess_transport_terminate(transport);
}

static void terminate_sends_sigterm(void **state)
{
    struct plan plan = plan_for("exec sleep 1000");

    plan.with = terminate;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, 0);
    assert_int_equal(plan.code, -SIGTERM);
}

static int send_usr1(aio_transport *transport)
{
    if (aio_subprocess_transport_send_signal(transport, 0x7fffffff) >= 0)
        hear("no such signal was sent");
    return aio_subprocess_transport_send_signal(transport, SIGUSR1);
}

static void send_signal_sends_any_signal(void **state)
{
    struct plan plan = plan_for("exec sleep 1000");

    plan.with = send_usr1;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, 0);
    assert_int_equal(plan.code, -SIGUSR1);
    assert_null(strstr(hearer.events, "was sent"));
}

static int look_around(aio_transport *transport)
{
    const pid_t *pid = aio_transport_get_extra_info(transport, "subprocess");
    aio_transport *output = aio_subprocess_transport_get_pipe_transport(transport, 1);

    if (pid == NULL || *pid <= 0 || *pid != aio_subprocess_transport_get_pid(transport))
        hear("no pid");
    if (aio_subprocess_transport_get_pipe_transport(transport, 2) != NULL ||
        aio_subprocess_transport_get_pipe_transport(transport, 3) != NULL ||
        aio_subprocess_transport_get_pipe_transport(transport, -1) != NULL)
        hear("too many pipes");
    if (output == NULL || aio_transport_get_extra_info(output, "pipe") == NULL)
        hear("no pipe");
    if (aio_subprocess_transport_get_pid(output) != -1 ||
        aio_subprocess_transport_kill(output) != AIO_EVALUE)
        hear("a pipe is a process");
    if (aio_transport_write(output, "x", 1) != AIO_ENOTIMPLEMENTED)
        hear("the output can be written");
    if (aio_transport_get_loop(transport) != aio_get_running_loop())
        hear("another loop");
    return aio_subprocess_transport_kill(transport);
}

static void transport_knows_its_process_and_pipes(void **state)
{
    struct plan plan = plan_for("exec sleep 1000");

    plan.options.std_err = AIO_SUBPROCESS_INHERIT;
    plan.with = look_around;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, 0);
    assert_null(strstr(hearer.events, "no"));
    assert_null(strstr(hearer.events, "too many"));
    assert_null(strstr(hearer.events, "a pipe"));
    assert_null(strstr(hearer.events, "another"));
    assert_null(strstr(hearer.events, "can be"));
}

/* --- what goes wrong at the start --------------------------------------------------------- */

static void start_that_fails_releases_the_protocol(void **state)
{
    struct plan plan = plan_for("exit 0");

    plan.options.cwd = "/no/such/folder";
    carry_out(*state, &plan);
    assert_int_equal(plan.err, -ENOENT);
    assert_string_equal(hearer.events, "released");
}

static void factory_that_refuses_ends_the_start(void **state)
{
    struct plan plan = plan_for("exit 0");

    plan.factory = refuse;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, AIO_EUSER - 3);
    plan.factory = NULL;
    carry_out(*state, &plan);
    assert_int_equal(plan.err, AIO_EVALUE);
    assert_string_equal(hearer.events, "");
}

/* --- shortage of memory ------------------------------------------------------------------ */

/* Whatever is missing, the child is waited for and the protocol released. */
static int run_if_we_can(void *arg, void **ret_result)
{
    AIO_AUTO(aio_transport) transport = NULL;
    aio_transport *input;
    int err;

    hearer = (struct hearer){0};
    TRY(aio_loop_subprocess_shell(NULL, make_hearer, NULL, "echo one; cat", NULL, &transport,
                                  NULL));
    input = aio_subprocess_transport_get_pipe_transport(transport, 0);
    err = aio_transport_write(input, "two", 3);
    aio_transport_close(input);
    while (strstr(hearer.events, "two") == NULL && strstr(hearer.events, "1 lost") == NULL)
        TRY(aio_sleep(0));
    aio_transport_close(transport);
    while (strstr(hearer.events, "released") == NULL)
        TRY(aio_sleep(0));
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return err;
}

static void process_as_transport_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(run_if_we_can);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(protocol_hears_all_and_the_loss_last),
        TEST(protocol_hears_only_of_pipes_there_are),
        TEST(child_reads_what_is_written_to_its_pipe),
        TEST(protocol_is_paused_while_the_pipe_is_full),
        TEST(protocol_hears_that_buffered_input_was_lost),
        TEST(failure_of_a_protocol_is_reported),
        TEST(close_kills_the_child),
        TEST(terminate_sends_sigterm),
        TEST(send_signal_sends_any_signal),
        TEST(transport_knows_its_process_and_pipes),
        TEST(start_that_fails_releases_the_protocol),
        TEST(factory_that_refuses_ends_the_start),
        cmocka_unit_test_setup_teardown(process_as_transport_survives_every_shortage_of_memory,
                                        count_allocations, check_allocations),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
