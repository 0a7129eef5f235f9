/* SPDX-License-Identifier: MIT */
/*
 * file.c - files as answers: read in threads, sent piece by piece; and folders of them
 *
 * A job works on a state that it holds itself, so that a cancelled handler leaves nothing behind. What
 * is asked for in a folder has to be in it once all links are followed.
 *
 * Thread: the loop's, but for the jobs.
 */
#include "http/common/boundary.h"
#include "http/web/conditional.h"
#include "http/web/web.h"

#include <aio/executor.h>
#include <aio/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

struct file {
    atomic_uint refs; /* the handler's, and that of a job */
    int fd;
    struct stat status;
    off_t at;
    size_t wanted; /* of what is next */
    size_t got;
    char *path;
    const char *root; /* borrowed from the application; NULL: it may be anywhere */
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

static struct file *file_new(const char *path, const char *root)
{
    struct file *file = aio_malloc(sizeof(*file));

    if (file == NULL)
        return NULL;
    atomic_init(&file->refs, 1);
    file->fd = -1;
    file->at = 0;
    file->root = root;
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

/* Whether a file is in its folder, links followed. */
static int check_place(const struct file *file)
{
    char *place = realpath(file->path, NULL);
    size_t size = strlen(file->root);
    bool inside;

    if (place == NULL)
        return -errno;
    inside = strncmp(place, file->root, size) == 0 && (place[size] == '/' || size == 1);
    free(place);
    return inside ? 0 : -ENOENT;
}

static int open_job(void *arg, void **ret_result)
{
    struct file *file = *(struct file **)arg;
    int err = file->root == NULL ? 0 : check_place(file);

    if (err < 0)
        return err;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0 || fstat(file->fd, &file->status) != 0)
        return -errno;
    return S_ISREG(file->status.st_mode) ? 0 : -ENOENT;
}

static int read_job(void *arg, void **ret_result)
{
    struct file *file = *(struct file **)arg;
    ssize_t got = pread(file->fd, file->piece, file->wanted, file->at);

    if (got < 0)
        return -errno;
    file->got = (size_t)got;
    file->at += got;
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

/* Send a part of it: up to where a file that grows ended; one that shrinks cuts the answer short. */
static int send_pieces(aio_http_request *request, struct file *file,
                       const struct aio__web_range *range)
{
    uint64_t left = range->count;
    int err = 0;

    file->at = (off_t)range->first;
    while (err == 0 && left > 0) {
        file->wanted = left < PIECE ? (size_t)left : PIECE;
        err = run_job(file, read_job);
        if (err < 0)
            return err;
        if (file->got == 0)
            return aio_raise(AIO_EEOF, "%s became shorter", file->path);
        left -= file->got;
        err = aio_http_write(request, file->piece, file->got);
    }
    return err;
}

static void make_version(const struct file *file, struct aio__web_version *version)
{
    const struct stat *status = &file->status;

    version->modified = status->st_mtime;
    version->size = (uint64_t)status->st_size;
    aio__http_date(status->st_mtime, version->date);
    (void)snprintf(version->tag, sizeof(version->tag), "\"%llx.%lx-%llx\"",
                   (unsigned long long)status->st_mtim.tv_sec,
                   (unsigned long)status->st_mtim.tv_nsec, (unsigned long long)version->size);
}

static int add_version(aio_http_request *request, const struct aio__web_version *version)
{
    int err = aio_http_add_header(request, "last-modified", version->date);

    if (err == 0)
        err = aio_http_add_header(request, "etag", version->tag);
    return err < 0 ? err : aio_http_add_header(request, "accept-ranges", "bytes");
}

enum { CONTENT_RANGE = 100 };

/* "bytes 0-499/1234" */
static void write_range(char text[CONTENT_RANGE], const struct aio__web_range *range, uint64_t size)
{
    (void)snprintf(text, CONTENT_RANGE, "bytes %llu-%llu/%llu", (unsigned long long)range->first,
                   (unsigned long long)(range->first + range->count - 1), (unsigned long long)size);
}

static int refuse_range(aio_http_request *request, uint64_t size)
{
    char text[40];
    int err;

    (void)snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
    err = aio_http_add_header(request, "content-range", text);
    return err < 0 ? err : aio_web_abort(request, 416, NULL);
}

static int send_one(aio_http_request *request, struct file *file, int status,
                    const char *content_type, const struct aio__web_range *range)
{
    int err = aio_http_stream(request, status, content_type, range->count);

    return err == 0 && strcmp(request->method, "HEAD") != 0 ? send_pieces(request, file, range)
                                                            : err;
}

static int send_part(aio_http_request *request, struct file *file, const char *content_type,
                     const struct aio__web_range *range)
{
    char text[CONTENT_RANGE];
    int err;

    write_range(text, range, (uint64_t)file->status.st_size);
    err = aio_http_add_header(request, "content-range", text);
    return err < 0 ? err : send_one(request, file, 206, content_type, range);
}

/* --- several parts ---------------------------------------------------------------------- */

/* A body of several parts (RFC 9110, 14.6): a head before each, and a line behind the last. */
struct parts {
    const struct aio__web_ranges *ranges;
    const char *content_type;
    uint64_t size; /* of the file */
    struct aio__bytes head;
    char boundary[AIO__HTTP_BOUNDARY];
};

/* Make the head before a part, or what is behind the last. */
static int make_head(struct parts *parts, size_t index)
{
    const char *between = index == 0 ? "" : "\r\n";
    char text[CONTENT_RANGE];

    aio__bytes_clear(&parts->head, SIZE_MAX);
    if (index == parts->ranges->count)
        return aio__bytes_format(&parts->head, "%s--%s--\r\n", between, parts->boundary);
    write_range(text, &parts->ranges->all[index], parts->size);
    return aio__bytes_format(&parts->head,
                             "%s--%s\r\ncontent-type: %s\r\ncontent-range: %s\r\n\r\n", between,
                             parts->boundary, parts->content_type, text);
}

/* How long the body is. */
static int measure_parts(struct parts *parts, uint64_t *ret_length)
{
    uint64_t length = 0;

    for (size_t i = 0; i <= parts->ranges->count; i++) {
        int err = make_head(parts, i);

        if (err < 0)
            return err;
        length += parts->head.size;
        if (i < parts->ranges->count)
            length += parts->ranges->all[i].count;
    }
    *ret_length = length;
    return 0;
}

static int write_parts(aio_http_request *request, struct file *file, struct parts *parts)
{
    int err = 0;

    for (size_t i = 0; i <= parts->ranges->count && err == 0; i++) {
        err = make_head(parts, i);
        if (err == 0)
            err = aio_http_write(request, parts->head.data, parts->head.size);
        if (err == 0 && i < parts->ranges->count)
            err = send_pieces(request, file, &parts->ranges->all[i]);
    }
    return err;
}

static int send_parts(aio_http_request *request, struct file *file, const char *content_type,
                      const struct aio__web_ranges *ranges)
{
    struct parts parts = {ranges, content_type, (uint64_t)file->status.st_size, {0}, ""};
    char type[100];
    uint64_t length = 0;
    int err = aio__http_begin_typed_answer(request, 206, content_type); /* is it a type at all? */

    if (err == 0)
        err = aio__http_make_boundary(parts.boundary);
    if (err == 0)
        err = measure_parts(&parts, &length);
    (void)snprintf(type, sizeof(type), "multipart/byteranges; boundary=%s", parts.boundary);
    if (err == 0)
        err = aio_http_stream(request, 206, type, length);
    if (err == 0)
        err = write_parts(request, file, &parts);
    aio__bytes_free(&parts.head);
    return err;
}

/* --- the answer ------------------------------------------------------------------------- */

/* The file is open: answer with it, with parts of it, or that the client has it. */
static int answer(aio_http_request *request, struct file *file, const char *content_type)
{
    struct aio__web_version version;
    struct aio__web_ranges ranges;
    enum aio__web_part part;
    int err;

    make_version(file, &version);
    part = aio__web_read_ranges(request, &version, &ranges);
    err = add_version(request, &version);
    if (err < 0)
        return err;
    if (aio__web_is_fresh(request, &version))
        return aio_http_respond(request, 304, NULL, NULL, 0);
    if (part == AIO__WEB_NO_PART)
        return refuse_range(request, version.size);
    if (part == AIO__WEB_WHOLE)
        return send_one(request, file, 200, content_type,
                        &(struct aio__web_range){0, version.size});
    return ranges.count == 1 ? send_part(request, file, content_type, &ranges.all[0])
                             : send_parts(request, file, content_type, &ranges);
}

static int send_file(aio_http_request *request, const char *path, const char *root,
                     const char *content_type)
{
    struct file *file = file_new(path, root);
    int err;

    if (file == NULL)
        return AIO_ENOMEM;
    err = run_job(file, open_job);
    if (err == 0)
        err = answer(request, file, content_type == NULL ? type_of(path) : content_type);
    else if (err == -ENOENT || err == -ENOTDIR || err == -EACCES || err == -EISDIR ||
             err == -ENAMETOOLONG || err == -ELOOP)
        err = aio_web_abort(request, 404, NULL);
    file_unref(file);
    return err;
}

int aio_web_file(aio_http_request *request, const char *path, const char *content_type)
{
    if (request == NULL || path == NULL)
        return aio_raise(AIO_EVALUE, "no request, or no path");
    return send_file(request, path, NULL, content_type);
}

/* --- folders ---------------------------------------------------------------------------- */

/* Whether a path goes nowhere but down. */
static bool goes_down(const char *path)
{
    while (*path != '\0') {
        size_t size = strcspn(path, "/");

        if ((size == 1 && path[0] == '.') || (size == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        path += size + (path[size] == '/');
    }
    return true;
}

static int serve_folder(aio_http_request *request, void *arg)
{
    const struct aio__web_folder *folder = arg;
    const char *path = aio_web_path_text(request, "path");
    size_t size = strlen(path);
    struct aio__bytes place = {0};
    int err;

    if (!goes_down(path))
        return aio_web_abort(request, 404, NULL);
    err = aio__bytes_format(&place, "%s/%s%s", folder->root, path,
                            size == 0 || path[size - 1] == '/' ? "index.html" : "");
    if (err == 0)
        err = send_file(request, place.data, folder->root, NULL);
    aio__bytes_free(&place);
    return err;
}

static struct aio__web_folder *folder_new(const char *folder)
{
    struct aio__web_folder *made = aio_calloc(1, sizeof(*made));

    if (made == NULL)
        return NULL;
    made->root = realpath(folder, NULL);
    if (made->root != NULL)
        return made;
    aio_free(made);
    return NULL;
}

int aio_web_static(aio_web *app, const char *prefix, const char *folder)
{
    struct aio__web_folder *made;
    struct aio__bytes path = {0};
    struct stat status;
    int err;

    if (app == NULL || prefix == NULL || folder == NULL)
        return aio_raise(AIO_EVALUE, "no application, no prefix or no folder");
    if (stat(folder, &status) != 0)
        return aio_raise(-errno, "no such folder: %s", folder);
    if (!S_ISDIR(status.st_mode))
        return aio_raise(-ENOTDIR, "not a folder: %s", folder);
    made = folder_new(folder);
    if (made == NULL)
        return AIO_ENOMEM;
    made->next = app->folders;
    app->folders = made; /* routes that were added point to it, whatever follows */
    err = aio__bytes_format(&path, "%s/{path:path}", prefix);
    if (err == 0)
        err = aio_web_route(app, "GET", path.data, AIO_WEB_COROUTINE, serve_folder, made);
    if (err == 0)
        err = aio_web_route(app, "HEAD", path.data, AIO_WEB_COROUTINE, serve_folder, made);
    aio__bytes_free(&path);
    return err;
}

void aio__web_folders_free(struct aio__web_folder *folder)
{
    while (folder != NULL) {
        struct aio__web_folder *next = folder->next;

        free(folder->root); /* realpath() made it */
        aio_free(folder);
        folder = next;
    }
}
