/* SPDX-License-Identifier: MIT */
/*
 * stress_process_pool.c - worker processes that die at any moment
 *
 *     stress_process_pool [JOBS [SEED]]
 *
 * Some jobs kill their worker: at once, or by an alarm that goes off when the worker has long got
 * another job, waits for one, or is in the middle of a request or a reply. Now and then all are
 * killed from here. A pool is broken then, and another takes its place. Every job ends, with the
 * right result or as one of a broken pool; in the end no process is left.
 */
#include <aio/aio.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 3, BATCH = 100, LIMIT = 120 /* seconds that a batch may take */ };

static uint64_t seed;
static uint64_t random_state;
static unsigned long results, broken, cancelled, pools;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, what);
    fflush(stderr);
    _Exit(EXIT_FAILURE);
}

static unsigned chance(unsigned below)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

/* --- in a worker: the argument says how many bytes to reply, and how to die --- */

struct order {
    int signum;         /* to die of; 0: none */
    unsigned delay;     /* until then, in microseconds; 0: at once */
    uint32_t size;      /* of the reply, */
    unsigned char fill; /* which is made of it */
};

static int obey(void *arg, void **ret_result)
{
    const struct order *order = arg;
    static aio_buffer reply;
    static unsigned char *bytes;

    if (order->signum != 0 && order->delay == 0)
        (void)raise(order->signum);
    if (order->delay != 0) {
        const struct itimerval alarm = {.it_value.tv_usec = order->delay};

        (void)setitimer(ITIMER_REAL, &alarm, NULL);
    }
    free(bytes);
    bytes = malloc(order->size);
    if (bytes == NULL)
        return AIO_ENOMEM;
    memset(bytes, order->fill, order->size);
    reply = (aio_buffer){bytes, order->size};
    *ret_result = &reply;
    return 0;
}

/* --- here --- */

static struct order make_order(void)
{
    static const int signals[] = {SIGKILL, SIGTERM, SIGINT, SIGUSR1};
    struct order order;

    memset(&order, 0, sizeof(order));
    order.size = chance(20) == 0 ? 1 + chance(4000000) : 1 + chance(5000);
    order.fill = (unsigned char)(1 + chance(255));
    if (chance(150) == 0)
        order.signum = signals[chance(4)];
    else if (chance(150) == 0)
        order.delay = 1 + chance(20000);
    return order;
}

static bool is_right(const aio_buffer *reply, const struct order *order)
{
    const unsigned char *bytes = reply->data;

    return reply->size == order->size && bytes[0] == order->fill &&
           memcmp(bytes, bytes + 1, reply->size - 1) == 0;
}

static aio_executor *make_pool(void)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;

    options.max_workers = WORKERS;
    options.max_tasks_per_child = chance(3) == 0 ? 7 : 0;
    pool = aio_process_pool_new(&options);
    check(pool != NULL, "no pool");
    pools++;
    return pool;
}

static aio_concurrent_future *submit(aio_executor *pool, struct order *order)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.arg_size = sizeof(*order);
    options.result_codec = &aio_codec_bytes;
    return aio_executor_submit_with(pool, obey, order, &options);
}

static void count_outcome(aio_concurrent_future *fut, const struct order *order)
{
    void *value = NULL;
    int code = aio_concurrent_future_result(fut, 0, &value);

    if (code == 0) {
        check(is_right(value, order), "a result is wrong");
        results++;
    } else if (code == AIO_ECANCELLED) {
        cancelled++;
    } else {
        check(code == AIO_EBROKENPROCESSPOOL, aio_error_text(code));
        check(aio_error_text(code)[0] != '\0', "the error says nothing");
        broken++;
    }
    aio_concurrent_future_unref(fut);
}

/* Gives how many the pool has taken; all, unless it is broken by now. */
static unsigned run_batch(aio_executor *pool, unsigned count, bool *ret_usable)
{
    aio_concurrent_future *futs[BATCH];
    struct order orders[BATCH];
    unsigned submitted = 0;
    size_t done = 0;

    while (submitted < count) {
        orders[submitted] = make_order();
        futs[submitted] = submit(pool, &orders[submitted]);
        if (futs[submitted] == NULL)
            break;
        submitted++;
    }
    *ret_usable = submitted == count;
    check(*ret_usable || aio_last_failure() == AIO_EBROKENPROCESSPOOL, "a job was refused");
    if (*ret_usable && chance(20) == 0) {
        (void)aio_concurrent_wait(futs, submitted, 1, AIO_FIRST_COMPLETED, NULL);
        check(aio_process_pool_kill_workers(pool) == 0, "the workers cannot be killed");
        *ret_usable = false;
    }
    check(aio_concurrent_wait(futs, submitted, LIMIT, AIO_ALL_COMPLETED, &done) == 0, "no wait");
    check(done == submitted, "some jobs never end");
    for (unsigned i = 0; i < submitted; i++)
        count_outcome(futs[i], &orders[i]);
    return submitted;
}

static void drop_pool(aio_executor *pool)
{
    check(aio_executor_shutdown(pool, LIMIT, false) == 0, "the pool does not end");
    aio_executor_unref(pool);
    check(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a process is left");
}

int main(int argc, char **argv)
{
    unsigned long jobs, left;
    aio_executor *pool;

    if (aio_process_worker_main(argc, argv))
        return EXIT_SUCCESS;
    jobs = left = argc > 1 ? strtoul(argv[1], NULL, 0) : 10000;
    seed = random_state = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
    pool = make_pool();
    while (left > 0) {
        bool usable;

        left -= run_batch(pool, left < BATCH ? (unsigned)left : BATCH, &usable);
        if (!usable) {
            drop_pool(pool);
            pool = make_pool();
        }
    }
    drop_pool(pool);
    check(results + broken + cancelled == jobs, "some jobs were lost");
    printf("seed %llu: %lu pools, %lu results, %lu broken, %lu cancelled\n",
           (unsigned long long)seed, pools, results, broken, cancelled);
    return EXIT_SUCCESS;
}
