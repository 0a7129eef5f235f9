/* SPDX-License-Identifier: MIT */
/*
 * uploads.c - a service that takes files by a form, keeps them in a folder and serves them
 *
 *     uploads FOLDER [PORT]
 *
 *     curl -F note=mine -F file=@picture.png localhost:8000/api/files
 *     curl -r 0-99 localhost:8000/files/1
 */
#include <aio/aio.h>
#include <aio/web_model.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What comes with a file. */
struct note {
    const char *note;
    const char *kind;
};

static const char *const kinds[] = {"draft", "final", NULL};
static const aio_web_field note_fields[] = {
    {AIO_WEB_FIELD(struct note, note, AIO_WEB_STRING), .max_length = 100},
    {AIO_WEB_FIELD(struct note, kind, AIO_WEB_STRING), .optional = true, .choices = kinds},
};
static const aio_web_model note_model = AIO_WEB_MODEL(struct note, note_fields);

/* The name a client gives a file is never one of ours. */
static int save(const char *folder, const aio_web_upload *upload, char *name, size_t size)
{
    static _Atomic unsigned count;
    char path[500];
    FILE *file;
    size_t written;

    (void)snprintf(name, size, "%u", ++count);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "wb");
    if (file == NULL)
        return aio_raise(-errno, "cannot write %s", path);
    written = fwrite(upload->data, 1, upload->size, file);
    if (fclose(file) != 0 || written != upload->size)
        return aio_raise(-EIO, "cannot write %s", path);
    return 0;
}

/* Behind the answer: nobody waits for it. */
static int announce(void *name)
{
    printf("stored %s\n", (const char *)name);
    return 0;
}

/* In a thread, where it may block. */
static int take_file(aio_http_request *request, void *folder)
{
    enum { NAME = 12 };
    struct note note = {.kind = "draft"};
    const aio_web_upload *upload = NULL;
    char *name = aio_http_request_alloc(request, NAME);
    int err =
        name == NULL ? AIO_ENOMEM : aio_web_read(request, AIO_WEB_FROM_FORM, &note_model, &note);

    if (err == 0)
        err = aio_web_upload_of(request, "file", &upload);
    if (err < 0)
        return err;
    if (upload == NULL)
        return aio_web_abort(request, 400, "a file is needed");
    err = save(folder, upload, name, NAME);
    if (err == 0)
        err = aio_http_after(request, announce, name);
    if (err < 0)
        return err;
    return aio_web_json(request, 201, "{s:s, s:s, s:s, s:I}", "name", name, "note", note.note,
                        "kind", note.kind, "size", (int64_t)upload->size);
}

int main(int argc, char **argv)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    AIO_AUTO(aio_web) api = aio_web_new();
    aio_web_options options = AIO_WEB_OPTIONS_INIT;
    int err;

    if (argc < 2) {
        (void)fprintf(stderr, "usage: uploads FOLDER [PORT]\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 2)
        options.http.port = atoi(argv[2]);
    err = aio_web_route(api, "POST", "/files", AIO_WEB_BLOCKING, take_file, argv[1]);
    if (err == 0)
        err = aio_web_include(app, "/api", api);
    if (err == 0)
        err = aio_web_static(app, "/files", argv[1]);
    if (err < 0) {
        (void)fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return aio_web_run(app, &options);
}
