/* SPDX-License-Identifier: MIT */
/*
 * service.c - a job service: lines over TCP go through a queue to workers
 *
 * It serves three clients of its own, is told to stop by a signal, and says what it did. It is
 * service.py in C, function by function, and writes the same.
 */
#include <aio/aio.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 2, CLIENTS = 3, LINE = 256 };

struct service {
    aio_queue *jobs; /* of struct job, each of them the worker's once it is got */
    aio_event *stop;
    int done;
    int late;
};

struct job {
    aio_future *reply; /* ends with a string of its own */
    char line[LINE];
};

static void job_free(void *value)
{
    struct job *job = value;

    aio_future_unref(job->reply);
    free(job);
}

static int sort_words(char *words, char *ret_answer)
{
    const char *const argv[] = {"sort", NULL};
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;
    AIO_AUTO(aio_process) process = NULL;
    aio_process_output output;
    int code, err;

    options.std_in = options.std_out = AIO_SUBPROCESS_PIPE;
    err = aio_create_subprocess_exec(argv, &options, &process);
    if (err < 0)
        return err;
    for (char *blank = words; (blank = strchr(blank, ' ')) != NULL;)
        *blank = '\n';
    err = aio_process_communicate(process, words, strlen(words), &output);
    if (err < 0)
        return err;
    if (!aio_process_returncode(process, &code) || code != 0) {
        err = aio_raise(AIO_ERUNTIME, "sort ended with %d", code);
    } else {
        *ret_answer = '\0';
        for (char *rest = output.out, *word; (word = strtok_r(rest, "\n", &rest)) != NULL;)
            (void)strcat(strcat(ret_answer, *ret_answer ? " " : ""), word);
    }
    aio_process_output_clear(&output);
    return err;
}

static int carry_out(char *line, char *ret_answer)
{
    char *words = line;
    const char *command = strtok_r(line, " ", &words);
    int err;

    if (command != NULL && strcmp(command, "add") == 0) {
        int sum = 0;

        for (char *word; (word = strtok_r(words, " ", &words)) != NULL;)
            sum += atoi(word);
        (void)snprintf(ret_answer, LINE, "%d", sum);
        return 0;
    }
    if (command != NULL && strcmp(command, "sort") == 0)
        return sort_words(words, ret_answer);
    if (command != NULL && strcmp(command, "sleep") == 0) {
        err = aio_sleep(atof(words));
        if (err == 0)
            (void)strcpy(ret_answer, "slept");
        return err;
    }
    return aio_raise(AIO_EVALUE, "no such command: %s", command ? command : "");
}

static int carry_out_in_time(char *line, char *ret_answer)
{
    AIO_AUTO(aio_timeout) timeout = NULL;
    double limit = AIO_FOREVER;
    int size = 0;
    int err;

    (void)sscanf(line, "within %lf %n", &limit, &size);
    timeout = aio_timeout_new(limit);
    err = aio_timeout_enter(timeout);
    return err < 0 ? err : aio_timeout_exit(timeout, carry_out(line + size, ret_answer));
}

static int answer_job(struct service *service, struct job *job)
{
    char answer[LINE];
    char *copy;
    int err = carry_out_in_time(job->line, answer);

    if (err == AIO_ETIMEDOUT) {
        service->late++;
        (void)strcpy(answer, "error: too late");
    } else if (aio_error_is(err, AIO_EVALUE) || aio_error_is(err, AIO_ERUNTIME)) {
        (void)snprintf(answer, sizeof(answer), "error: %s", aio_error_text(err));
    } else if (err < 0) {
        return err;
    }
    copy = aio_strdup(answer);
    if (copy == NULL)
        return AIO_ENOMEM;
    err = aio_future_set_result_typed(job->reply, copy, &aio_type_owned_string);
    if (err < 0)
        aio_free(copy); /* the client did not wait for it */
    service->done++;
    return aio_queue_task_done(service->jobs);
}

static int worker(void *arg, void **ret_result)
{
    struct service *service = arg;

    for (;;) {
        void *job;
        int err = aio_queue_get(service->jobs, &job);

        if (err < 0)
            return err;
        err = answer_job(service, job);
        job_free(job);
        if (err < 0)
            return err;
    }
}

/* Hand a line to the workers, and wait for what becomes of it. */
static int ask(struct service *service, const aio_bytes *line, aio_future *reply)
{
    struct job *job = malloc(sizeof(*job));
    int err;

    if (job == NULL)
        return AIO_ENOMEM;
    (void)snprintf(job->line, sizeof(job->line), "%.*s", (int)strcspn(line->data, "\n"),
                   line->data);
    job->reply = aio_future_ref(reply);
    err = aio_queue_put(service->jobs, job);
    if (err < 0) {
        job_free(job);
        return err;
    }
    return aio_await(reply, NULL);
}

static int serve_line(struct service *service, const aio_bytes *line, aio_stream_writer *writer)
{
    AIO_AUTO(aio_future) reply = aio_future_new(NULL);
    aio_buffer parts[2] = {{NULL, 0}, {"\n", 1}};
    void *text;
    int err = ask(service, line, reply);

    if (err == 0)
        err = aio_future_result(reply, &text);
    if (err < 0)
        return err;
    parts[0] = (aio_buffer){text, strlen(text)};
    err = aio_stream_writer_writelines(writer, parts, 2);
    return err < 0 ? err : aio_stream_writer_drain(writer);
}

static int serve(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_bytes line = {NULL, 0};
    int err;

    while ((err = aio_stream_reader_readline(reader, &line)) == 0 && line.size > 0) {
        err = serve_line(arg, &line, writer);
        aio_bytes_free(&line);
        if (err < 0)
            break;
    }
    aio_stream_writer_close(writer);
    return err;
}

struct client {
    int port;
    const char *lines[3]; /* NULL ends them */
};

/* Ask for each line, and collect what is answered. */
static int talk(const struct client *self, aio_stream_reader *reader, aio_stream_writer *writer,
                char *ret_replies)
{
    size_t size = 0;

    for (const char *const *line = self->lines; *line != NULL; line++) {
        const aio_buffer parts[2] = {{*line, strlen(*line)}, {"\n", 1}};
        aio_bytes reply = {NULL, 0};
        int err = aio_stream_writer_writelines(writer, parts, 2);

        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err == 0)
            err = aio_stream_reader_readline(reader, &reply);
        if (err < 0)
            return err;
        if (reply.size > 0 && size + reply.size < LINE) {
            memcpy(ret_replies + size, reply.data, reply.size + 1);
            size += reply.size;
        }
        aio_bytes_free(&reply);
    }
    return 0;
}

static int client(void *arg, void **ret_result)
{
    const struct client *self = arg;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    char replies[LINE] = "";
    int err = aio_open_connection("127.0.0.1", self->port, &reader, &writer);

    if (err < 0)
        return err;
    err = talk(self, reader, writer, replies);
    aio_stream_writer_close(writer);
    if (err == 0)
        err = aio_stream_writer_wait_closed(writer);
    if (err < 0)
        return err;
    *ret_result = aio_strdup(replies);
    return *ret_result == NULL ? AIO_ENOMEM : 0;
}

static int run_clients(int port)
{
    struct client clients[CLIENTS] = {
        {port, {"add 1 2 3", "sort pear apple fig"}},
        {port, {"within 0.05 sleep 60", "add 40 2"}},
        {port, {"dance", "sleep 0.01"}},
    };
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_future *tasks[CLIENTS];
    AIO_AUTO(aio_future) all = NULL;
    void *results;
    int err;

    /* Each task gets a copy: this function may leave before the last of them. */
    options.arg_size = sizeof(clients[0]);
    options.result_type = &aio_type_owned_string;
    for (int i = 0; i < CLIENTS; i++)
        tasks[i] = aio_create_task_with(client, &clients[i], &options);
    all = aio_gather(tasks, CLIENTS, 0);
    for (int i = 0; i < CLIENTS; i++)
        aio_future_unref(tasks[i]);
    err = aio_await(all, &results);
    for (int i = 0; err == 0 && i < CLIENTS; i++) {
        const aio_outcome *outcome = &((const aio_outcomes *)results)->items[i];

        printf("client %d:\n%s", i, (const char *)outcome->value);
    }
    return err;
}

static int stop_workers(aio_task **workers)
{
    AIO_AUTO(aio_future) all = aio_gather(workers, WORKERS, AIO_RETURN_EXCEPTIONS);

    for (int i = 0; i < WORKERS; i++) {
        (void)aio_task_cancel(workers[i], NULL);
        aio_future_unref(workers[i]);
    }
    return aio_await(all, NULL);
}

static int on_sigterm(void *arg)
{
    aio_event_set(arg);
    return 0;
}

static int serve_until_stopped(struct service *service)
{
    AIO_AUTO(aio_server) server = NULL;
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    int fd;
    int err = aio_start_server(serve, service, "127.0.0.1", 0, &server);

    if (err < 0)
        return err;
    (void)aio_server_sockets(server, &fd, 1);
    (void)getsockname(fd, (struct sockaddr *)&address, &size);
    err = run_clients(ntohs(address.sin_port));
    if (err < 0)
        return err;

    (void)kill(getpid(), SIGTERM);
    err = aio_event_wait(service->stop);
    if (err < 0)
        return err;
    printf("stopping\n");
    aio_server_close(server);
    err = aio_server_wait_closed(server);
    return err < 0 ? err : aio_queue_join(service->jobs);
}

static int async_main(void *arg, void **ret_result)
{
    static const aio_type job_type = {.destroy = job_free};
    struct service *service = arg;
    aio_loop *loop = aio_get_running_loop();
    aio_task *workers[WORKERS];
    int err = aio_loop_add_signal_handler(loop, SIGTERM, on_sigterm, service->stop);
    int last;

    if (err < 0)
        return err;
    aio_queue_set_type(service->jobs, &job_type); /* those that nobody gets */
    for (int i = 0; i < WORKERS; i++)
        workers[i] = aio_create_task(worker, service);
    err = serve_until_stopped(service);
    last = stop_workers(workers);
    (void)aio_loop_remove_signal_handler(loop, SIGTERM);
    if (err == 0)
        printf("%d jobs, %d late\n", service->done, service->late);
    return err < 0 ? err : last;
}

/* What all tasks share lives here, as aio_main() returns after the last of them. */
int main(void)
{
    AIO_AUTO(aio_queue) jobs = aio_queue_new(2);
    AIO_AUTO(aio_event) stop = aio_event_new();
    struct service service = {.jobs = jobs, .stop = stop};

    return aio_main(async_main, &service);
}
