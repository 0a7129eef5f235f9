/* SPDX-License-Identifier: MIT */
/*
 * embed_glib.c - loops that GLib drives: several in several threads, and in a child process
 *
 * What examples/embed/glib_source.c has to keep besides what its program shows.
 */
#include "../../examples/embed/glib_source.h"
#include "support/unit.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, JOBS = 200 };

struct host {
    pthread_t thread;
    GMainLoop *main_loop;
    GSource *source;
    unsigned done;
    int code;
};

static int do_nothing(void *arg, void **ret_result)
{
    return 0;
}

/* A job in a thread, whose end has to wake the main loop. */
static int work(void *arg, void **ret_result)
{
    struct host *host = arg;
    int err = aio_to_thread(do_nothing, NULL, NULL);

    if (err == 0)
        host->done++;
    return err;
}

static gboolean after_step(gpointer data)
{
    struct host *host = data;

    if (glib_source_code(host->source) < 0)
        host->code = glib_source_code(host->source);
    if (host->code < 0 || host->done == JOBS)
        g_main_loop_quit(host->main_loop);
    return G_SOURCE_CONTINUE;
}

static int begin(struct host *host, aio_loop *loop, GMainContext *context)
{
    host->main_loop = g_main_loop_new(context, FALSE);
    host->source = glib_source_new(loop);
    g_source_set_callback(host->source, after_step, host, NULL);
    (void)g_source_attach(host->source, context);
    for (unsigned i = 0; i < JOBS; i++) {
        aio_task *task = aio_loop_create_task(loop, work, host, NULL);

        if (task == NULL)
            return aio_last_failure();
        aio_future_unref(task);
    }
    return 0;
}

static void end(struct host *host)
{
    g_source_destroy(host->source);
    g_source_unref(host->source);
    g_main_loop_unref(host->main_loop);
}

static void *run_host(void *arg)
{
    struct host *host = arg;
    GMainContext *context = g_main_context_new();
    aio_loop *loop = aio_new_event_loop();
    int err;

    g_main_context_push_thread_default(context);
    host->code = begin(host, loop, context);
    if (host->code == 0)
        g_main_loop_run(host->main_loop);
    end(host);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
    err = aio_loop_close(loop);
    if (host->code == 0)
        host->code = err;
    aio_loop_unref(loop);
    return NULL;
}

static void main_loops_in_several_threads_hear_all(void **state)
{
    struct host hosts[THREADS] = {{.done = 0}};

    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&hosts[i].thread, NULL, run_host, &hosts[i]), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(hosts[i].thread, NULL), 0);
        assert_int_equal(hosts[i].code, 0);
        assert_int_equal(hosts[i].done, JOBS);
    }
}

static void main_loop_in_a_child_process_is_told(void **state)
{
    struct host host = {.done = 0};
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    int status = -1;
    pid_t pid;

    assert_int_equal(begin(&host, loop, NULL), 0);
    pid = fork();
    if (pid == 0) {
        g_main_loop_run(host.main_loop);
        _exit(host.code == AIO_ERUNTIME && host.done == 0 && aio_loop_close(loop) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    g_main_loop_run(host.main_loop); /* the parent's is not disturbed */
    assert_int_equal(host.code, 0);
    assert_int_equal(host.done, JOBS);
    end(&host);
    assert_int_equal(aio_loop_close(loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(main_loops_in_several_threads_hear_all),
        cmocka_unit_test(main_loop_in_a_child_process_is_told),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
