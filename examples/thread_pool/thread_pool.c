/* SPDX-License-Identifier: MIT */
/*
 * thread_pool.c - lines, words and bytes of files, as wc counts them, several files at a time
 *
 *     thread_pool [-j N] FILE...
 *
 * No loop here: concurrent.futures works without one. The files are the arguments of a map,
 * whose results come in their order, whoever is ready first. A file that cannot be read would end
 * the map, so that is a result as well.
 */
#include <aio/aio.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_JOBS 256

struct counts {
    uint64_t lines, words, bytes;
    int error; /* an errno: the file cannot be read */
};

static void count_in(struct counts *counts, const unsigned char *bytes, size_t size, bool *in_word)
{
    counts->bytes += size;
    for (size_t i = 0; i < size; i++) {
        bool is_space = isspace(bytes[i]) != 0;

        counts->lines += bytes[i] == '\n';
        counts->words += !is_space && !*in_word;
        *in_word = !is_space;
    }
}

/* In a thread. */
static int count_file(void *arg, void **ret_result)
{
    struct counts *counts = aio_calloc(1, sizeof(*counts));
    unsigned char bytes[16384];
    bool in_word = false;
    FILE *file;
    size_t size;

    if (counts == NULL)
        return AIO_ENOMEM;
    *ret_result = counts;
    errno = 0;
    file = fopen(arg, "rb");
    while (file != NULL && (size = fread(bytes, 1, sizeof(bytes), file)) > 0)
        count_in(counts, bytes, size, &in_word);
    if (file == NULL || ferror(file))
        counts->error = errno;
    if (file != NULL)
        (void)fclose(file);
    return 0;
}

static void print(const struct counts *counts, const char *name)
{
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", counts->lines, counts->words, counts->bytes,
           name);
}

/* Gives main()'s result, or a code. */
static int print_all(aio_executor_results *results, char **names, size_t count)
{
    struct counts total = {0};
    int status = EXIT_SUCCESS;

    for (size_t i = 0; i < count; i++) {
        const struct counts *counts;
        void *value;
        int err = aio_executor_results_next(results, &value);

        if (err < 0)
            return err;
        counts = value;
        if (counts->error != 0) {
            fprintf(stderr, "thread_pool: %s: %s\n", names[i], strerror(counts->error));
            status = EXIT_FAILURE;
            continue;
        }
        print(counts, names[i]);
        total.lines += counts->lines;
        total.words += counts->words;
        total.bytes += counts->bytes;
    }
    if (count > 1)
        print(&total, "total");
    return status;
}

static int run(aio_executor *pool, char **names, size_t count)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_job_options job = AIO_JOB_OPTIONS_INIT;

    job.result_type = &aio_type_owned; /* frees what nobody has asked for, too */
    options.job = &job;
    AIO_AUTO(aio_executor_results)
    results = aio_executor_map(pool, count_file, (void *const *)names, count, &options);
    return print_all(results, names, count);
}

static int usage(void)
{
    fprintf(stderr, "usage: thread_pool [-j N] FILE...    N: threads, 1 to %d\n", MAX_JOBS);
    return 2;
}

int main(int argc, char **argv)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    int option, err;

    options.thread_name_prefix = "counter";
    options.max_workers = 4;
    while ((option = getopt(argc, argv, "j:")) != -1) {
        char *end = NULL;

        if (option != 'j')
            return usage();
        options.max_workers = strtoul(optarg, &end, 10);
        if (*end != '\0' || options.max_workers < 1 || options.max_workers > MAX_JOBS)
            return usage();
    }
    if (optind == argc)
        return usage();

    AIO_AUTO(aio_executor) pool = aio_thread_pool_new(&options);
    err = run(pool, argv + optind, (size_t)(argc - optind));
    (void)aio_executor_shutdown(pool, AIO_FOREVER, true);
    if (err < 0)
        fprintf(stderr, "thread_pool: %s: %s\n", aio_error_name(err), aio_error_text(err));
    return err < 0 ? EXIT_FAILURE : err;
}
