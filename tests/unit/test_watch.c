/* SPDX-License-Identifier: MIT */
/*
 * test_watch.c - callbacks for descriptors that can be read or written
 */
#include "base/memory.h"
#include "support/fixture.h"

#include <aio/aio.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two ends of a connection, and what a test needs to say about them. */
struct ends {
    struct fixture *f;
    int here;
    int there;
    unsigned calls;
};

static int setup(void **state)
{
    static struct ends ends;
    int pair[2];

    if (fx_setup_real(state) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        return -1;
    ends = (struct ends){*state, pair[0], pair[1], 0};
    ends.f->subject = &ends;
    return 0;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        assert_int_equal(close(*fd), 0);
    *fd = -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct ends *ends = f->subject;

    if (ends->here >= 0)
        (void)close(ends->here);
    if (ends->there >= 0)
        (void)close(ends->there);
    return fx_teardown(state);
}

static struct ends *ends_of(void **state)
{
    struct fixture *f = *state;

    return f->subject;
}

static void make_readable(struct ends *ends)
{
    assert_int_equal(write(ends->there, "x", 1), 1);
}

/* --- callbacks ------------------------------------------------------------------------- */

static int note_read(void *arg)
{
    struct ends *ends = arg;

    ends->calls++;
    fx_note(ends->f, "read");
    return 0;
}

static int note_write(void *arg)
{
    struct ends *ends = arg;

    ends->calls++;
    fx_note(ends->f, "write");
    return 0;
}

static int note_other_read(void *arg)
{
    struct ends *ends = arg;

    fx_note(ends->f, "other");
    return 0;
}

static int read_and_remove(void *arg)
{
    struct ends *ends = arg;

    fx_note(ends->f, "read, removed %d", aio_loop_remove_reader(ends->f->loop, ends->here));
    return 0;
}

static int replace_reader(void *arg)
{
    struct ends *ends = arg;

    fx_note(ends->f, "replaces");
    return aio_loop_add_reader(ends->f->loop, ends->here, note_other_read, ends);
}

static int remove_and_add(void *arg)
{
    struct ends *ends = arg;

    fx_note(ends->f, "again");
    (void)aio_loop_remove_reader(ends->f->loop, ends->here);
    return aio_loop_add_reader(ends->f->loop, ends->here, note_other_read, ends);
}

static int read_and_remove_writer(void *arg)
{
    struct ends *ends = arg;

    fx_note(ends->f, "read, removed %d", aio_loop_remove_writer(ends->f->loop, ends->here));
    return 0;
}

static int read_byte(void *arg)
{
    struct ends *ends = arg;
    char byte;
    ssize_t count = read(ends->here, &byte, 1);

    ends->calls++;
    if (count < 0)
        fx_note(ends->f, "%s", strerror(errno));
    else
        fx_note(ends->f, "%zd", count);
    return 0;
}

static int close_here(void *arg)
{
    struct ends *ends = arg;

    fx_note(ends->f, "closes");
    return close(ends->here);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Some iterations, each with a poll. */
static void turn(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(aio_loop_call_soon(f->loop, nothing, NULL, NULL), 0);
        fx_step(f);
    }
}

static void add_reader(struct ends *ends, aio_callback_fn fn)
{
    assert_int_equal(aio_loop_add_reader(ends->f->loop, ends->here, fn, ends), 0);
}

static void add_writer(struct ends *ends, aio_callback_fn fn)
{
    assert_int_equal(aio_loop_add_writer(ends->f->loop, ends->here, fn, ends), 0);
}

/* --- watching -------------------------------------------------------------------------- */

/* S8 */
static void reader_is_called_once_an_iteration_while_there_is_something(void **state)
{
    struct ends *ends = ends_of(state);

    add_reader(ends, note_read);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "");
    make_readable(ends);
    turn(ends->f, 3);
    fx_assert_trace(ends->f, "- read, - read, - read");
    assert_true(aio_loop_remove_reader(ends->f->loop, ends->here));
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "");
    assert_false(aio_loop_remove_reader(ends->f->loop, ends->here));
}

/* S8 */
static void reader_comes_before_the_writer_of_its_descriptor(void **state)
{
    struct ends *ends = ends_of(state);

    add_writer(ends, note_write);
    add_reader(ends, note_read);
    make_readable(ends);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "- read, - write, - read, - write");
}

static void writer_is_called_without_the_reader(void **state)
{
    struct ends *ends = ends_of(state);

    add_writer(ends, note_write);
    add_reader(ends, note_read);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "- write, - write");
    assert_true(aio_loop_remove_writer(ends->f->loop, ends->here));
    make_readable(ends);
    turn(ends->f, 1);
    fx_assert_trace(ends->f, "- read");
}

/* After asyncio's test_selector_events.BaseSelectorEventLoopTests.test_add_reader_existing */
static void reader_added_again_replaces_the_first(void **state)
{
    struct ends *ends = ends_of(state);

    add_reader(ends, note_read);
    add_reader(ends, note_other_read);
    make_readable(ends);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "- other, - other");
    assert_true(aio_loop_remove_reader(ends->f->loop, ends->here));
    assert_false(aio_loop_remove_reader(ends->f->loop, ends->here));
}

static void reader_may_remove_itself(void **state)
{
    struct ends *ends = ends_of(state);

    add_reader(ends, read_and_remove);
    make_readable(ends);
    turn(ends->f, 3);
    fx_assert_trace(ends->f, "- read, removed 1");
}

static void reader_may_replace_itself(void **state)
{
    struct ends *ends = ends_of(state);

    add_reader(ends, replace_reader);
    make_readable(ends);
    turn(ends->f, 3);
    fx_assert_trace(ends->f, "- replaces, - other, - other");
    add_reader(ends, remove_and_add);
    turn(ends->f, 3);
    fx_assert_trace(ends->f, "- again, - other, - other");
}

/* S6: what is queued but taken back does not run. */
static void reader_may_remove_the_writer_that_is_queued_behind_it(void **state)
{
    struct ends *ends = ends_of(state);

    add_reader(ends, read_and_remove_writer);
    add_writer(ends, note_write);
    make_readable(ends);
    turn(ends->f, 1);
    fx_assert_trace(ends->f, "- read, removed 1");
    assert_true(aio_loop_remove_reader(ends->f->loop, ends->here));
}

static void removed_reader_that_is_queued_does_not_run(void **state)
{
    struct ends *ends = ends_of(state);
    AIO_AUTO(aio_handle) handle = NULL;

    add_reader(ends, note_read);
    make_readable(ends);
    assert_int_equal(aio_loop_call_soon(ends->f->loop, read_and_remove, ends, &handle), 0);
    fx_step(ends->f);
    fx_assert_trace(ends->f, "- read, removed 1");
}

static void end_of_the_peer_makes_it_readable(void **state)
{
    struct ends *ends = ends_of(state);

    add_reader(ends, read_byte);
    make_readable(ends);
    close_end(&ends->there);
    turn(ends->f, 3);
    fx_assert_trace(ends->f, "- 1, - 0, - 0");
}

static int fail_in_reader(void *arg)
{
    struct ends *ends = arg;

    fx_note(ends->f, "fails");
    return aio_raise(AIO_EVALUE, "bad");
}

static void reader_that_fails_is_reported_and_goes_on(void **state)
{
    struct ends *ends = ends_of(state);

    add_reader(ends, fail_in_reader);
    make_readable(ends);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "- fails, - fails");
    assert_int_equal(ends->f->reports, 2);
    assert_non_null(strstr(ends->f->reported, "ValueError"));
    ends->f->reports = 0;
}

/* --- descriptors with an error ----------------------------------------------------------- */

/* A pipe whose reader is gone: an error is pending for as long as it is open. */
static void error_on_a_descriptor_calls_the_writer_again_and_again(void **state)
{
    struct ends *ends = ends_of(state);
    int ends_of_pipe[2];

    assert_int_equal(pipe(ends_of_pipe), 0);
    assert_int_equal(close(ends_of_pipe[0]), 0);
    assert_int_equal(aio_loop_add_writer(ends->f->loop, ends_of_pipe[1], note_write, ends), 0);
    turn(ends->f, 4);
    fx_assert_trace(ends->f, "- write, - write, - write, - write");
    assert_true(aio_loop_remove_writer(ends->f->loop, ends_of_pipe[1]));
    turn(ends->f, 1);
    fx_assert_trace(ends->f, "");
    assert_int_equal(close(ends_of_pipe[1]), 0);
}

static void error_on_a_descriptor_calls_reader_and_writer(void **state)
{
    struct ends *ends = ends_of(state);
    int ends_of_pipe[2];

    assert_int_equal(pipe(ends_of_pipe), 0);
    assert_int_equal(close(ends_of_pipe[0]), 0);
    assert_int_equal(aio_loop_add_writer(ends->f->loop, ends_of_pipe[1], note_write, ends), 0);
    assert_int_equal(aio_loop_add_reader(ends->f->loop, ends_of_pipe[1], note_read, ends), 0);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "- read, - write, - read, - write");
    assert_true(aio_loop_remove_reader(ends->f->loop, ends_of_pipe[1]));
    assert_true(aio_loop_remove_writer(ends->f->loop, ends_of_pipe[1]));
    assert_int_equal(close(ends_of_pipe[1]), 0);
}

/* --- descriptors that cannot be watched --------------------------------------------------- */

static void regular_file_cannot_be_watched(void **state)
{
    struct ends *ends = ends_of(state);
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_int_equal(aio_loop_add_reader(ends->f->loop, fileno(file), note_read, ends), -EPERM);
    assert_int_equal(aio_loop_add_writer(ends->f->loop, fileno(file), note_write, ends), -EPERM);
    assert_false(aio_loop_remove_reader(ends->f->loop, fileno(file)));
    turn(ends->f, 1);
    assert_int_equal(fclose(file), 0);
}

static void descriptor_that_is_not_open_cannot_be_watched(void **state)
{
    struct ends *ends = ends_of(state);
    int fd = ends->here;

    close_end(&ends->here);
    assert_int_equal(aio_loop_add_reader(ends->f->loop, fd, note_read, ends), -EBADF);
    assert_int_equal(aio_loop_add_writer(ends->f->loop, fd, note_write, ends), -EBADF);
    turn(ends->f, 1);
}

static void number_of_no_descriptor_costs_no_memory(void **state)
{
    struct ends *ends = ends_of(state);

    aio__fail_allocation(1);
    assert_int_equal(aio_loop_add_reader(ends->f->loop, 1 << 30, note_read, ends), -EBADF);
    assert_false(aio__fail_allocation_happened());
}

static void negative_descriptor_is_refused(void **state)
{
    struct ends *ends = ends_of(state);

    assert_int_equal(aio_loop_add_reader(ends->f->loop, -1, note_read, ends), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "Invalid file descriptor: -1");
    assert_int_equal(aio_loop_add_writer(ends->f->loop, -7, note_read, ends), AIO_EVALUE);
    assert_false(aio_loop_remove_reader(ends->f->loop, -1));
    assert_false(aio_loop_remove_writer(ends->f->loop, 1 << 20));
}

static void watching_needs_a_loop_and_a_function(void **state)
{
    struct ends *ends = ends_of(state);

    assert_int_equal(aio_loop_add_reader(NULL, ends->here, note_read, ends), AIO_ENOLOOP);
    assert_int_equal(aio_loop_add_writer(NULL, ends->here, note_read, ends), AIO_ENOLOOP);
    assert_false(aio_loop_remove_reader(NULL, ends->here));
    assert_false(aio_loop_remove_writer(NULL, ends->here));
    assert_int_equal(aio_loop_add_reader(ends->f->loop, ends->here, NULL, ends), AIO_EVALUE);
    assert_int_equal(aio_loop_add_writer(ends->f->loop, ends->here, NULL, ends), AIO_EVALUE);
}

/* --- closed behind our back --------------------------------------------------------------- */

static void descriptor_closed_while_it_is_watched_is_silent(void **state)
{
    struct ends *ends = ends_of(state);
    int fd = ends->here;

    add_reader(ends, note_read);
    add_writer(ends, note_write);
    turn(ends->f, 1);
    fx_assert_trace(ends->f, "- write");
    close_end(&ends->here);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "");
    assert_true(aio_loop_remove_writer(ends->f->loop, fd));
    turn(ends->f, 1);
    assert_true(aio_loop_remove_reader(ends->f->loop, fd));
    turn(ends->f, 1);
}

/* libuv tells the kernel of a descriptor before it polls, which may be too late. */
static void descriptor_closed_before_the_poll_that_would_watch_it_does_no_harm(void **state)
{
    struct ends *ends = ends_of(state);
    int fd = ends->here;

    add_reader(ends, note_read);
    close_end(&ends->here);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "");
    assert_true(aio_loop_remove_reader(ends->f->loop, fd));
    turn(ends->f, 1);
}

static void watcher_added_to_one_that_was_closed_is_refused(void **state)
{
    struct ends *ends = ends_of(state);
    int fd = ends->here;

    add_reader(ends, note_read);
    turn(ends->f, 1);
    close_end(&ends->here);
    assert_int_equal(aio_loop_add_writer(ends->f->loop, fd, note_write, ends), -EBADF);
    turn(ends->f, 1);
    assert_true(aio_loop_remove_reader(ends->f->loop, fd));
    assert_false(aio_loop_remove_writer(ends->f->loop, fd));
    turn(ends->f, 1);
    fx_assert_trace(ends->f, "");
}

static void reader_may_close_its_descriptor(void **state)
{
    struct ends *ends = ends_of(state);
    int fd = ends->here;

    add_reader(ends, close_here);
    add_writer(ends, note_write);
    make_readable(ends);
    turn(ends->f, 3);
    ends->here = -1;
    /* Both were found ready by the poll before. */
    fx_assert_trace(ends->f, "- closes, - write");
    assert_true(aio_loop_remove_reader(ends->f->loop, fd));
    assert_true(aio_loop_remove_writer(ends->f->loop, fd));
    turn(ends->f, 1);
}

/* The number comes back for something else while the old one is still registered. */
static void number_of_a_closed_descriptor_may_be_watched_anew(void **state)
{
    struct ends *ends = ends_of(state);
    int fd = ends->here;
    int pair[2];

    add_reader(ends, note_read);
    turn(ends->f, 1);
    close_end(&ends->here);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pair[0], fd);
    ends->here = pair[0];
    add_reader(ends, note_other_read);
    assert_int_equal(write(pair[1], "x", 1), 1);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "- other, - other");
    assert_true(aio_loop_remove_reader(ends->f->loop, fd));
    assert_int_equal(close(pair[1]), 0);
}

static void number_that_has_become_a_regular_file_is_silent(void **state)
{
    struct ends *ends = ends_of(state);
    int fd = ends->here;
    FILE *file = tmpfile();

    assert_non_null(file);
    add_reader(ends, note_read);
    assert_int_equal(dup2(fileno(file), fd), fd);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "");
    assert_true(aio_loop_remove_reader(ends->f->loop, fd));
    assert_int_equal(fclose(file), 0);
}

/* --- the end --------------------------------------------------------------------------- */

static void loop_may_be_closed_while_watchers_are_there(void **state)
{
    struct ends *ends = ends_of(state);

    add_reader(ends, note_read);
    add_writer(ends, note_write);
    make_readable(ends);
    turn(ends->f, 1);
    fx_assert_trace(ends->f, "- read, - write");
    assert_int_equal(aio_loop_close(ends->f->loop), 0);
    assert_false(aio_loop_remove_reader(ends->f->loop, ends->here));
    /* The descriptor is the program's, and still open. */
    assert_int_equal(write(ends->there, "x", 1), 1);
    assert_int_equal(write(ends->here, "x", 1), 1);
}

/* S51 */
static aio_contextvar *variable;
static char value_text[] = "set";

static int note_variable(void *arg)
{
    struct ends *ends = arg;
    void *value = NULL;

    (void)aio_contextvar_get(variable, &value);
    fx_note(ends->f, "%s", value == NULL ? "unset" : (const char *)value);
    /* It stays in this watcher's own copy, for its next call. */
    return aio_contextvar_set(variable, value_text, NULL);
}

static void watcher_runs_in_one_context_of_its_own(void **state)
{
    struct ends *ends = ends_of(state);

    variable = aio_contextvar_new("variable", NULL);
    add_reader(ends, note_variable);
    add_writer(ends, note_variable);
    make_readable(ends);
    turn(ends->f, 2);
    fx_assert_trace(ends->f, "- unset, - unset, - set, - set");
    assert_true(aio_loop_remove_reader(ends->f->loop, ends->here));
    assert_true(aio_loop_remove_writer(ends->f->loop, ends->here));
    aio_contextvar_unref(variable);
}

/* --- many at once ---------------------------------------------------------------------- */

enum { MANY = 200 };

/* So many descriptors of one end, all of them readable. */
struct crowd {
    struct ends *ends;
    struct one {
        struct crowd *crowd;
        int fd;
    } one[MANY];
    size_t calls;
    size_t calls_before_soon; /* how many had been called when what the first queued ran */
    bool stops;               /* the first stops the loop */
};

static int note_soon(void *arg)
{
    struct crowd *crowd = arg;

    crowd->calls_before_soon = crowd->calls;
    return 0;
}

static int read_one(void *arg)
{
    struct one *one = arg;
    struct crowd *crowd = one->crowd;
    aio_loop *loop = crowd->ends->f->loop;

    if (crowd->calls++ == 0) {
        assert_int_equal(aio_loop_call_soon(loop, note_soon, crowd, NULL), 0);
        if (crowd->stops)
            aio_loop_stop(loop);
    }
    assert_true(aio_loop_remove_reader(loop, one->fd));
    return 0;
}

static void gather_crowd(struct crowd *crowd, struct ends *ends)
{
    memset(crowd, 0, sizeof(*crowd));
    crowd->ends = ends;
    for (size_t i = 0; i < MANY; i++) {
        crowd->one[i] = (struct one){crowd, dup(ends->here)};
        assert_true(crowd->one[i].fd >= 0);
        assert_int_equal(
            aio_loop_add_reader(ends->f->loop, crowd->one[i].fd, read_one, &crowd->one[i]), 0);
    }
    make_readable(ends);
}

static void disperse_crowd(struct crowd *crowd)
{
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(close(crowd->one[i].fd), 0);
}

static void what_one_of_many_queues_waits_for_a_part_of_them_only(void **state)
{
    struct ends *ends = ends_of(state);
    struct crowd crowd;

    gather_crowd(&crowd, ends);
    for (size_t i = 0; i < MANY && crowd.calls < MANY; i++)
        turn(ends->f, 1);
    assert_int_equal(crowd.calls, MANY);
    assert_in_range(crowd.calls_before_soon, 1, MANY - 1);
    disperse_crowd(&crowd);
}

static void stop_among_many_leaves_the_rest_to_the_next_run(void **state)
{
    struct ends *ends = ends_of(state);
    struct crowd crowd;

    gather_crowd(&crowd, ends);
    crowd.stops = true;
    assert_int_equal(aio_loop_run_forever(ends->f->loop), 0);
    assert_in_range(crowd.calls, 1, MANY - 1);
    assert_int_equal(crowd.calls_before_soon, 0);
    for (size_t i = 0; i < MANY && crowd.calls < MANY; i++)
        turn(ends->f, 1);
    assert_int_equal(crowd.calls, MANY);
    assert_true(crowd.calls_before_soon > 0);
    disperse_crowd(&crowd);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reader_is_called_once_an_iteration_while_there_is_something),
        TEST(reader_comes_before_the_writer_of_its_descriptor),
        TEST(writer_is_called_without_the_reader),
        TEST(reader_added_again_replaces_the_first),
        TEST(reader_may_remove_itself),
        TEST(reader_may_replace_itself),
        TEST(reader_may_remove_the_writer_that_is_queued_behind_it),
        TEST(removed_reader_that_is_queued_does_not_run),
        TEST(end_of_the_peer_makes_it_readable),
        TEST(reader_that_fails_is_reported_and_goes_on),
        TEST(error_on_a_descriptor_calls_the_writer_again_and_again),
        TEST(error_on_a_descriptor_calls_reader_and_writer),
        TEST(regular_file_cannot_be_watched),
        TEST(descriptor_that_is_not_open_cannot_be_watched),
        TEST(number_of_no_descriptor_costs_no_memory),
        TEST(negative_descriptor_is_refused),
        TEST(watching_needs_a_loop_and_a_function),
        TEST(descriptor_closed_while_it_is_watched_is_silent),
        TEST(descriptor_closed_before_the_poll_that_would_watch_it_does_no_harm),
        TEST(watcher_added_to_one_that_was_closed_is_refused),
        TEST(reader_may_close_its_descriptor),
        TEST(number_of_a_closed_descriptor_may_be_watched_anew),
        TEST(number_that_has_become_a_regular_file_is_silent),
        TEST(loop_may_be_closed_while_watchers_are_there),
        TEST(watcher_runs_in_one_context_of_its_own),
        TEST(what_one_of_many_queues_waits_for_a_part_of_them_only),
        TEST(stop_among_many_leaves_the_rest_to_the_next_run),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
