/* SPDX-License-Identifier: MIT */
/*
 * file.c - files as answers: read in threads, sent piece by piece
 *
 * A job works on a state that it holds itself, so that a cancelled handler leaves nothing behind.
 *
 * Thread: the loop's, but for the jobs.
 */
#include "http/common/date.h"
#include "http/web/web.h"

#include <aio/executor.h>
#include <aio/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

struct file {
    atomic_uint refs; /* the handler's, and that of a job */
    int fd;
    struct stat status;
    size_t got;
    char *path;
    char piece[PIECE];
};

static void file_unref(struct file *file)
{
    if (atomic_fetch_sub(&file->refs, 1) != 1)
        return;
    if (file->fd >= 0)
        close(file->fd);
    aio_free(file->path);
    aio_free(file);
}

static struct file *file_new(const char *path)
{
    struct file *file = aio_malloc(sizeof(*file));

    if (file == NULL)
        return NULL;
    atomic_init(&file->refs, 1);
    file->fd = -1;
    file->path = aio_strdup(path);
    if (file->path == NULL) {
        aio_free(file);
        return NULL;
    }
    return file;
}

static void destroy_job(void *arg)
{
    file_unref(*(struct file **)arg);
}

/* Run a job on the file, which it holds. */
static int run_job(struct file *file, aio_job_fn job)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.arg_size = sizeof(struct file *);
    options.arg_destroy = destroy_job;
    (void)atomic_fetch_add(&file->refs, 1);
    return aio_to_thread_with(job, &file, &options, NULL);
}

static int open_job(void *arg, void **ret_result)
{
    struct file *file = *(struct file **)arg;

    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0 || fstat(file->fd, &file->status) != 0)
        return -errno;
    return S_ISREG(file->status.st_mode) ? 0 : -ENOENT;
}

static int read_job(void *arg, void **ret_result)
{
    struct file *file = *(struct file **)arg;
    ssize_t got = read(file->fd, file->piece, sizeof(file->piece));

    if (got < 0)
        return -errno;
    file->got = (size_t)got;
    return 0;
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".json", "application/json"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".svg", "image/svg+xml"},
        {".ico", "image/x-icon"},
        {".pdf", "application/pdf"},
        {".webp", "image/webp"},
        {".wasm", "application/wasm"},
        {".xml", "application/xml"},
    };
    const char *end = strrchr(path, '.');

    for (size_t i = 0; end != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(end, types[i][0]) == 0)
            return types[i][1];
    }
    return "application/octet-stream";
}

/* A file that grows is sent up to where it ended; one that shrinks cuts the answer short. */
static int send_pieces(aio_http_request *request, struct file *file)
{
    uint64_t left = (uint64_t)file->status.st_size;
    int err = 0;

    while (err == 0 && left > 0) {
        err = run_job(file, read_job);
        if (err < 0)
            return err;
        if (file->got == 0)
            return aio_raise(AIO_EEOF, "%s became shorter", file->path);
        if (file->got > left)
            file->got = (size_t)left;
        left -= file->got;
        err = aio_http_write(request, file->piece, file->got);
    }
    return err;
}

static int add_date(aio_http_request *request, const struct file *file)
{
    char date[AIO__HTTP_DATE];

    aio__http_date(file->status.st_mtime, date);
    return aio_http_add_header(request, "last-modified", date);
}

int aio_web_file(aio_http_request *request, const char *path, const char *content_type)
{
    struct file *file;
    int err;

    if (request == NULL || path == NULL)
        return aio_raise(AIO_EVALUE, "no request, or no path");
    file = file_new(path);
    if (file == NULL)
        return AIO_ENOMEM;
    err = run_job(file, open_job);
    if (err == -ENOENT || err == -ENOTDIR || err == -EACCES || err == -EISDIR)
        err = aio_web_abort(request, 404, NULL);
    if (err == 0)
        err = add_date(request, file);
    if (err == 0)
        err = aio_http_stream(request, 200, content_type == NULL ? type_of(path) : content_type,
                              (uint64_t)file->status.st_size);
    if (err == 0 && strcmp(request->method, "HEAD") != 0)
        err = send_pieces(request, file);
    file_unref(file);
    return err;
}
