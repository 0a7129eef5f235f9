/* SPDX-License-Identifier: MIT */
/*
 * blocking.c - handlers that run in a thread
 *
 * While the thread has the request the task must not touch it, so it waits for the thread whatever
 * happens, as Starlette does: a cancellation is passed on afterwards. The loop can be closed under it
 * all the same; the job holds the request, which then is its alone.
 *
 * Thread: the loop's, but for the job.
 */
#include "http/web/web.h"

#include <aio/executor.h>
#include <aio/wait.h>

struct blocking {
    aio_http_request *request; /* referenced */
    const struct aio__web_route *route;
};

static int run_job(void *arg, void **ret_result)
{
    struct blocking *job = arg;

    return job->route->handler(job->request, job->route->arg);
}

static void destroy_job(void *arg)
{
    aio_http_request_unref(((struct blocking *)arg)->request);
}

/* Wait until it is done; gives what the wait was cut short by, or 0. */
static int wait_for_job(aio_future *job)
{
    int interrupted = 0;

    while (!aio_future_done(job)) {
        aio_future *outer = aio_shield(job);
        int err = aio_await(outer, NULL);

        aio_future_unref(outer);
        if (!aio_future_done(job)) {
            if (err != AIO_ECANCELLED)
                return err; /* there is no waiting any more */
            interrupted = err;
        }
    }
    return interrupted;
}

int aio__web_run_blocking(aio_http_request *request, const struct aio__web_route *route)
{
    struct blocking arg = {request, route};
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_future *job;
    const void *data;
    size_t size;
    int interrupted;
    int err;

    err = aio_http_request_body(request, &data, &size);
    if (err < 0)
        return err;
    options.arg_size = sizeof(arg);
    options.arg_destroy = destroy_job;
    options.copy_context = true;
    (void)aio_http_request_ref(request);
    job = aio_loop_run_in_executor_with(NULL, NULL, run_job, &arg, &options);
    if (job == NULL)
        return aio_last_failure();
    interrupted = wait_for_job(job);
    err = interrupted == 0 || aio_future_done(job) ? aio_future_result(job, NULL) : interrupted;
    aio_future_unref(job);
    return err < 0 || interrupted == 0 ? err : interrupted;
}
