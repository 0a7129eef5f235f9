/* SPDX-License-Identifier: MIT */
/*
 * files.c - a form with files of the disk, sent as it is read
 *
 * All files are opened before the request begins, so that its length is known; then each is read a
 * piece at a time, in threads. A job holds its file, so that a cancelled request leaves nothing behind.
 *
 * Thread: the loop's, but for the jobs.
 */
#include "http/client/client.h"
#include "http/common/boundary.h"

#include <aio/error.h>
#include <aio/executor.h>
#include <aio/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

struct file {
    atomic_uint refs; /* the upload's, and that of a job */
    int fd;           /* -1: not open */
    uint64_t size;
    uint64_t at;
    size_t got;
    char *path;
    char piece[PIECE];
};

struct aio__httpc_upload {
    aio_iterator iterator;
    aio_buffer item;
    aio_http_form *form;                /* referenced */
    const struct aio__httpc_part *part; /* that is sent next, or is being sent */
    bool in_part;                       /* its head was given */
    bool ended;
    struct aio__bytes text; /* what stands between the data */
    struct file **files;    /* in the order of their parts */
    size_t file_count;
    size_t next_file;
    char boundary[AIO__HTTP_BOUNDARY];
    char type[AIO__HTTPC_MULTIPART_TYPE];
};

/* --- files ------------------------------------------------------------------------------ */

static void file_unref(struct file *file)
{
    if (file == NULL || atomic_fetch_sub(&file->refs, 1) != 1)
        return;
    if (file->fd >= 0)
        (void)close(file->fd);
    aio_free(file->path);
    aio_free(file);
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
    struct stat status;

    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0 || fstat(file->fd, &status) != 0)
        return aio_raise(-errno, "cannot read %s", file->path);
    if (!S_ISREG(status.st_mode))
        return aio_raise(S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL, "no regular file: %s",
                         file->path);
    file->size = (uint64_t)status.st_size;
    return 0;
}

static int read_job(void *arg, void **ret_result)
{
    struct file *file = *(struct file **)arg;
    uint64_t left = file->size - file->at;
    size_t most = left < PIECE ? (size_t)left : PIECE;
    ssize_t got = pread(file->fd, file->piece, most, (off_t)file->at);

    if (got < 0)
        return aio_raise(-errno, "cannot read %s", file->path);
    if (got == 0)
        return aio_raise(AIO_EEOF, "%s became shorter", file->path);
    file->got = (size_t)got;
    file->at += file->got;
    return 0;
}

static int open_file(const char *path, struct file **ret_file)
{
    struct file *file = aio_malloc(sizeof(*file));
    int err;

    if (file == NULL)
        return AIO_ENOMEM;
    atomic_init(&file->refs, 1);
    file->fd = -1;
    file->at = 0;
    file->path = aio_strdup(path);
    err = file->path == NULL ? AIO_ENOMEM : run_job(file, open_job);
    if (err < 0)
        file_unref(file);
    else
        *ret_file = file;
    return err;
}

/* --- pieces ----------------------------------------------------------------------------- */

static int give(struct aio__httpc_upload *upload, const void *data, size_t size, void **ret_item)
{
    upload->item = (aio_buffer){data, size};
    *ret_item = &upload->item;
    return 0;
}

/* The line before a part, and its head; or the line behind the last. */
static int give_head(struct aio__httpc_upload *upload, void **ret_item)
{
    const struct aio__httpc_part *part = upload->part;
    bool is_first = part == upload->form->first;
    int err;

    upload->text.size = 0;
    err = aio__bytes_format(&upload->text, "%s--%s%s\r\n", is_first ? "" : "\r\n", upload->boundary,
                            part == NULL ? "--" : "");
    if (err == 0 && part != NULL)
        err = aio__bytes_append(&upload->text, part->head.data, part->head.size);
    if (err < 0)
        return err;
    upload->in_part = part != NULL;
    upload->ended = part == NULL;
    return give(upload, upload->text.data, upload->text.size, ret_item);
}

static void leave_part(struct aio__httpc_upload *upload)
{
    upload->in_part = false;
    upload->part = upload->part->next;
}

static int give_piece(struct aio__httpc_upload *upload, struct file *file, void **ret_item)
{
    int err = run_job(file, read_job);

    if (err < 0)
        return err;
    if (file->at == file->size) {
        leave_part(upload);
        upload->next_file++;
    }
    return give(upload, file->piece, file->got, ret_item);
}

static int next_piece(aio_iterator *iterator, void **ret_item)
{
    struct aio__httpc_upload *upload = (struct aio__httpc_upload *)iterator;

    while (upload->in_part) {
        const struct aio__httpc_part *part = upload->part;
        struct file *file = part->path == NULL ? NULL : upload->files[upload->next_file];

        if (file != NULL && file->size > 0)
            return give_piece(upload, file, ret_item);
        upload->next_file += file != NULL;
        leave_part(upload);
        if (part->data.size > 0)
            return give(upload, part->data.data, part->data.size, ret_item);
    }
    return upload->ended ? AIO_ESTOP : give_head(upload, ret_item);
}

static const aio_iterator_ops pieces = {.size = sizeof(pieces), .next = next_piece};

/* --- uploads ---------------------------------------------------------------------------- */

bool aio__httpc_has_files(const aio_http_form *form)
{
    const struct aio__httpc_part *part = form->first;

    while (part != NULL && part->path == NULL)
        part = part->next;
    return part != NULL;
}

static int open_files(struct aio__httpc_upload *upload)
{
    size_t count = 0;
    int err = 0;

    for (const struct aio__httpc_part *part = upload->form->first; part != NULL; part = part->next)
        count += part->path != NULL;
    upload->files = aio_calloc(count, sizeof(struct file *));
    if (upload->files == NULL)
        return AIO_ENOMEM;
    for (const struct aio__httpc_part *part = upload->form->first; part != NULL && err == 0;
         part = part->next) {
        if (part->path == NULL)
            continue;
        err = open_file(part->path, &upload->files[upload->file_count]);
        upload->file_count += err == 0;
    }
    return err;
}

int aio__httpc_files_open(aio_http_form *form, struct aio__httpc_upload **ret_upload)
{
    struct aio__httpc_upload *upload = aio_calloc(1, sizeof(*upload));
    int err;

    if (upload == NULL)
        return AIO_ENOMEM;
    upload->iterator.ops = &pieces;
    upload->form = aio_http_form_ref(form);
    err = aio__http_make_boundary(upload->boundary);
    if (err == 0)
        err = open_files(upload);
    if (err < 0) {
        aio__httpc_files_close(upload);
        return err;
    }
    (void)snprintf(upload->type, sizeof(upload->type), "multipart/form-data; boundary=%s",
                   upload->boundary);
    *ret_upload = upload;
    return 0;
}

void aio__httpc_files_close(struct aio__httpc_upload *upload)
{
    if (upload == NULL)
        return;
    for (size_t i = 0; i < upload->file_count; i++)
        file_unref(upload->files[i]);
    aio_free(upload->files);
    aio__bytes_free(&upload->text);
    aio_http_form_unref(upload->form);
    aio_free(upload);
}

aio_iterator *aio__httpc_files_begin(struct aio__httpc_upload *upload, size_t *ret_size,
                                     const char **ret_type)
{
    size_t line = strlen("\r\n--\r\n") + AIO__HTTP_BOUNDARY - 1;
    size_t size = line; /* the last has two dashes more, the first no line end before it */

    for (const struct aio__httpc_part *part = upload->form->first; part != NULL; part = part->next)
        size += line + part->head.size + part->data.size;
    for (size_t i = 0; i < upload->file_count; i++) {
        size += (size_t)upload->files[i]->size;
        upload->files[i]->at = 0;
    }
    upload->part = upload->form->first;
    upload->in_part = false;
    upload->ended = false;
    upload->next_file = 0;
    *ret_size = size;
    *ret_type = upload->type;
    return &upload->iterator;
}
