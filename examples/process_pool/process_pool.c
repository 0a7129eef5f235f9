/* SPDX-License-Identifier: MIT */
/*
 * process_pool.c - which numbers are prime? Asked of several processes at a time
 *
 *     process_pool [-j N] [-c] NUMBER...
 *
 * The numbers go out as plain structs and come back with the answer, some in one message. With -c
 * the last call crashes, as code one cannot trust may: the program goes on, and tells.
 */
#include <aio/aio.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_JOBS 256

struct question {
    uint64_t number;
    bool crash;
    bool is_prime; /* the answer */
    int pid;       /* of whom */
};

static const aio_codec question_codec = AIO_CODEC_STRUCT(struct question);

static bool is_prime(uint64_t number)
{
    if (number < 4)
        return number > 1;
    if (number % 2 == 0)
        return false;
    for (uint64_t i = 3; i <= number / i; i += 2)
        if (number % i == 0)
            return false;
    return true;
}

/* In a process of its own: its argument is a copy, which serves for the result. */
static int ask(void *arg, void **ret_result)
{
    struct question *question = arg;

    if (question->crash)
        abort();
    question->is_prime = is_prime(question->number);
    question->pid = getpid();
    printf("worker: %" PRIu64 " is done\n", question->number);
    *ret_result = question;
    return 0;
}

static int print_all(aio_executor_results *results)
{
    const struct question *question;
    void *value;
    int err;

    while ((err = aio_executor_results_next(results, &value)) == 0) {
        question = value;
        if (question->pid == getpid())
            return aio_raise(AIO_EASSERTION, "that was no other process");
        printf("%" PRIu64 " is prime: %s\n", question->number,
               question->is_prime ? "True" : "False");
    }
    return err == AIO_ESTOP ? 0 : err;
}

static int run(aio_executor *pool, void *const *questions, size_t count)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_job_options job = AIO_JOB_OPTIONS_INIT;

    job.arg_size = sizeof(struct question);
    job.result_codec = &question_codec;
    options.job = &job;
    options.chunksize = 4;
    AIO_AUTO(aio_executor_results)
    results = aio_executor_map(pool, ask, questions, count, &options);
    return print_all(results);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: process_pool [-j N] [-c] NUMBER...    N: processes, 1 to %d; -c: crash\n",
            MAX_JOBS);
    return 2;
}

static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-';
}

static int ask_all(const aio_process_pool_options *options, char **texts, size_t count, bool crash)
{
    struct question *questions = aio_calloc(count, sizeof(*questions));
    void **args = aio_calloc(count, sizeof(*args));
    bool are_numbers = questions != NULL && args != NULL;
    int err = AIO_EVALUE;

    for (size_t i = 0; i < count && are_numbers; i++) {
        are_numbers = read_number(texts[i], &questions[i].number);
        args[i] = &questions[i];
    }
    if (are_numbers) {
        AIO_AUTO(aio_executor) pool = aio_process_pool_new(options);

        questions[count - 1].crash = crash;
        err = run(pool, args, count);
        (void)aio_executor_shutdown(pool, AIO_FOREVER, true);
    }
    aio_free(args);
    aio_free(questions);
    return are_numbers ? err : usage();
}

int main(int argc, char **argv)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    bool crash = false;
    uint64_t jobs;
    int option, err;

    if (aio_process_worker_main(argc, argv))
        return EXIT_SUCCESS;
    while ((option = getopt(argc, argv, "cj:")) != -1) {
        if (option == '?' ||
            (option == 'j' && (!read_number(optarg, &jobs) || jobs < 1 || jobs > MAX_JOBS)))
            return usage();
        if (option == 'j')
            options.max_workers = (size_t)jobs;
        else
            crash = true;
    }
    if (optind == argc)
        return usage();
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    err = ask_all(&options, argv + optind, (size_t)(argc - optind), crash);
    if (err < 0)
        fprintf(stderr, "process_pool: %s: %s\n", aio_error_name(err), aio_error_text(err));
    return err < 0 ? EXIT_FAILURE : err;
}
