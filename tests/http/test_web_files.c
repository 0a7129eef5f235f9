/* SPDX-License-Identifier: MIT */
/*
 * test_web_files.c - files and folders as answers: versions, parts, places
 */
#include "http/site.h"
#include "support/allocation.h"

#include <aio/web.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASK(method, path, headers) method " " path " HTTP/1.1\r\nHost: test\r\n" headers "\r\n"
#define CONTENT                    "0123456789abcdefghij"

static struct answer answer;

/* A folder with "a.txt", "deep/index.html", and links in and out of it. */
struct folder {
    char path[64];
    char out[64];
};

static int put_file(const char *folder, const char *name, const char *content)
{
    char path[200];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    CHECK(close(fd) == 0);
    return 0;
}

static int make_folder(struct folder *folder)
{
    char path[200];

    (void)strcpy(folder->path, "/tmp/aioc-files-XXXXXX");
    (void)strcpy(folder->out, "/tmp/aioc-files-XXXXXX");
    CHECK(mkdtemp(folder->path) != NULL && mkdtemp(folder->out) != NULL);
    TRY(put_file(folder->path, "a.txt", CONTENT));
    TRY(put_file(folder->out, "secret", "secret"));
    (void)snprintf(path, sizeof(path), "%s/deep", folder->path);
    CHECK(mkdir(path, 0700) == 0);
    TRY(put_file(path, "index.html", "<p>deep"));
    (void)snprintf(path, sizeof(path), "%s/out", folder->path);
    CHECK(symlink(folder->out, path) == 0);
    (void)snprintf(path, sizeof(path), "%s/in", folder->path);
    CHECK(symlink("a.txt", path) == 0);
    return 0;
}

static void remove_folder(const struct folder *folder)
{
    static const char *const names[] = {"a.txt", "deep/index.html", "out", "in"};
    char path[200];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder->path, names[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s/deep", folder->path);
    (void)rmdir(path);
    (void)rmdir(folder->path);
    (void)snprintf(path, sizeof(path), "%s/secret", folder->out);
    (void)unlink(path);
    (void)rmdir(folder->out);
}

/* Serve the folder at /f, and run a test's requests. A thread may still have a file in the end. */
static int with_folder(int (*ask)(const aio_http_server *server))
{
    struct folder folder;
    AIO_AUTO(aio_web) app = aio_web_new();
    aio_http_server *server = NULL;
    int err = make_folder(&folder);
    int ended = 0;

    if (err == 0)
        err = aio_web_static(app, "/f", folder.path);
    if (err == 0)
        err = site_start(aio_web_handle, app, NULL, &server);
    if (err == 0)
        err = ask(server);
    remove_folder(&folder);
    if (server != NULL)
        ended = site_stop(server);
    err = err < 0 ? err : ended;
    ended = aio_loop_shutdown_default_executor(aio_get_running_loop(), AIO_FOREVER);
    return err < 0 ? err : ended;
}

static int ask_for(const aio_http_server *server, const char *request, int status, const char *body)
{
    TRY(site_ask(server, request, &answer));
    if (answer.status != status || strcmp(answer.body, body) != 0)
        return aio_raise(AIO_EASSERTION, "%.80s: %d %s", request, answer.status, answer.body);
    return 0;
}

/* --- places ----------------------------------------------------------------------------- */

#define NOT_FOUND "{\"detail\":\"Not Found\"}"

static int ask_places(const aio_http_server *server)
{
    static const char *const nowhere[] = {
        ASK("GET", "/f/b.txt", ""),         ASK("GET", "/f/deep", ""),
        ASK("GET", "/f/a.txt/b", ""),       ASK("GET", "/f/../a.txt", ""),
        ASK("GET", "/f/deep/../a.txt", ""), ASK("GET", "/f/deep/%2e%2e/a.txt", ""),
        ASK("GET", "/f/%2fetc/passwd", ""), ASK("GET", "/f/./a.txt", ""),
        ASK("GET", "/f/out/secret", ""),    ASK("GET", "/f/", ""),
    };

    TRY(ask_for(server, ASK("GET", "/f/a.txt", ""), 200, CONTENT));
    CHECK_TEXT(answer_header(&answer, "content-type"), "text/plain; charset=utf-8");
    TRY(ask_for(server, ASK("GET", "/f/in", ""), 200, CONTENT));
    TRY(ask_for(server, ASK("GET", "/f/deep/index.html", ""), 200, "<p>deep"));
    TRY(ask_for(server, ASK("GET", "/f/deep/", ""), 200, "<p>deep"));
    for (size_t i = 0; i < COUNT_OF(nowhere); i++)
        TRY(ask_for(server, nowhere[i], 404, NOT_FOUND));
    TRY(ask_for(server, ASK("POST", "/f/a.txt", ""), 405, "{\"detail\":\"Method Not Allowed\"}"));
    return 0;
}

static int places(void *arg, void **ret_result)
{
    return with_folder(ask_places);
}

static void a_folder_serves_what_is_in_it_and_nothing_else(void **state)
{
    room_run(places);
}

static void a_folder_has_to_be_one(void **state)
{
    AIO_AUTO(aio_web) app = aio_web_new();

    assert_int_equal(aio_web_static(app, "/f", "/nonexistent"), -ENOENT);
    assert_int_equal(aio_web_static(app, "/f", "/dev/null"), -ENOTDIR);
    assert_int_equal(aio_web_static(app, "f", "/tmp"), AIO_EVALUE);
    assert_int_equal(aio_web_static(app, NULL, "/tmp"), AIO_EVALUE);
    assert_int_equal(aio_web_static(NULL, "/f", "/tmp"), AIO_EVALUE);
    assert_int_equal(aio_web_static(app, "/f", "/tmp"), 0);
    assert_int_equal(aio_web_static(app, "/f", "/tmp"), AIO_EKEY);
}

/* --- versions --------------------------------------------------------------------------- */

static int ask_versions(const aio_http_server *server)
{
    char tag[100];
    char date[100];
    char request[500];
    struct peer peer;

    TRY(ask_for(server, ASK("GET", "/f/a.txt", ""), 200, CONTENT));
    (void)snprintf(tag, sizeof(tag), "%s", answer_header(&answer, "etag"));
    (void)snprintf(date, sizeof(date), "%s", answer_header(&answer, "last-modified"));
    CHECK_TEXT(answer_header(&answer, "accept-ranges"), "bytes");
    (void)snprintf(request, sizeof(request),
                   ASK("GET", "/f/a.txt", "If-None-Match: \"x\", W/%s\r\n"), tag);
    TRY(ask_for(server, request, 304, ""));
    CHECK_TEXT(answer_header(&answer, "etag"), tag);
    (void)snprintf(request, sizeof(request), ASK("GET", "/f/a.txt", "If-Modified-Since: %s\r\n"),
                   date);
    TRY(ask_for(server, request, 304, ""));
    /* The tag counts, whatever the date says. */
    (void)snprintf(request, sizeof(request),
                   ASK("GET", "/f/a.txt", "If-Modified-Since: %s\r\nIf-None-Match: \"x\"\r\n"),
                   date);
    TRY(ask_for(server, request, 200, CONTENT));
    TRY(ask_for(server, ASK("GET", "/f/a.txt", "If-None-Match: *\r\n"), 304, ""));
    TRY(ask_for(server,
                ASK("GET", "/f/a.txt", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), 200,
                CONTENT));
    TRY(ask_for(server, ASK("GET", "/f/a.txt", "If-Modified-Since: yesterday\r\n"), 200, CONTENT));
    TRY(ask_for(server,
                ASK("GET", "/f/a.txt", "If-Modified-Since: Mon, 31 Jun 2094 08:49:37 GMT\r\n"), 200,
                CONTENT));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, ASK("HEAD", "/f/a.txt", "")));
    TRY(peer_hear_head(&peer, &answer));
    peer_close(&peer);
    CHECK(answer.status == 200);
    CHECK_TEXT(answer_header(&answer, "content-length"), "20");
    CHECK_TEXT(answer_header(&answer, "etag"), tag);
    return 0;
}

static int versions(void *arg, void **ret_result)
{
    return with_folder(ask_versions);
}

static void a_client_that_has_the_file_is_told_so(void **state)
{
    room_run(versions);
}

/* --- parts ------------------------------------------------------------------------------ */

#define REFUSED "{\"detail\":\"Requested Range Not Satisfiable\"}"

static int ask_part(const aio_http_server *server, const char *range, int status, const char *body,
                    const char *content_range)
{
    char request[200];

    (void)snprintf(request, sizeof(request), ASK("GET", "/f/a.txt", "Range: %s\r\n"), range);
    TRY(ask_for(server, request, status, body));
    if (content_range == NULL)
        CHECK(answer_header(&answer, "content-range") == NULL);
    else
        CHECK_TEXT(answer_header(&answer, "content-range"), content_range);
    return 0;
}

static int ask_parts(const aio_http_server *server)
{
    static const char *const whole[] = {
        "bytes=5-4",     "bytes=",     "bytes=-",
        "bytes=a-b",     "bytes=1-2x", "lines=1-2",
        "bytes=0-0,x",   "bytes=1",    "bytes=0-99999999999999999999",
        "bytes=0-0 5-6", "bytes=,"};
    char request[300];

    TRY(ask_part(server, "bytes=0-0", 206, "0", "bytes 0-0/20"));
    TRY(ask_part(server, "bytes=5-9", 206, "56789", "bytes 5-9/20"));
    TRY(ask_part(server, "bytes=15-", 206, "fghij", "bytes 15-19/20"));
    TRY(ask_part(server, "BYTES=-3", 206, "hij", "bytes 17-19/20"));
    TRY(ask_part(server, "bytes=-99", 206, CONTENT, "bytes 0-19/20"));
    TRY(ask_part(server, "bytes=18-99", 206, "ij", "bytes 18-19/20"));
    TRY(ask_part(server, "bytes=20-", 416, REFUSED, "bytes */20"));
    TRY(ask_part(server, "bytes=-0", 416, REFUSED, "bytes */20"));
    for (size_t i = 0; i < COUNT_OF(whole); i++)
        TRY(ask_part(server, whole[i], 200, CONTENT, NULL));
    TRY(ask_for(server, ASK("GET", "/f/a.txt", "Range: bytes=0-1\r\nIf-Range: \"old\"\r\n"), 200,
                CONTENT));
    (void)snprintf(request, sizeof(request),
                   ASK("GET", "/f/a.txt", "Range: bytes=0-1\r\nIf-Range: %s\r\n"),
                   answer_header(&answer, "etag"));
    return ask_for(server, request, 206, "01");
}

static int parts(void *arg, void **ret_result)
{
    return with_folder(ask_parts);
}

static void a_part_of_a_file_is_sent_if_that_is_asked_for(void **state)
{
    room_run(parts);
}

/* What a body of several parts is, "@" standing for the line between them. */
static int check_parts(const char *expected)
{
    static const char type[] = "multipart/byteranges; boundary=";
    const char *found = answer_header(&answer, "content-type");
    char boundary[100];
    char body[2000] = "";
    size_t used = 0;

    CHECK(answer.status == 206 && found != NULL && strncmp(found, type, strlen(type)) == 0);
    (void)snprintf(boundary, sizeof(boundary), "%s", found + strlen(type));
    CHECK(answer_header(&answer, "content-range") == NULL);
    for (; *expected != '\0'; expected++) {
        if (*expected == '@')
            used += (size_t)snprintf(body + used, sizeof(body) - used, "--%s", boundary);
        else
            body[used++] = *expected;
    }
    CHECK_TEXT(answer.body, body);
    return 0;
}

#define SEVERAL(range, more) ASK("GET", "/f/a.txt", "Range: bytes=" range "\r\n" more)
#define PART(range, content)                                                                       \
    "@\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-range: bytes " range                  \
    "/20\r\n\r\n" content "\r\n"

static int ask_several(const aio_http_server *server)
{
    TRY(site_ask(server, SEVERAL("0-0,5-6", ""), &answer));
    TRY(check_parts(PART("0-0", "0") PART("5-6", "56") "@--\r\n"));
    /* In the order asked for; without what is not there, and nothing twice. */
    TRY(site_ask(server, SEVERAL(" -2 ,, 20-,3-5,\t0-1,5-7,8-8", ""), &answer));
    TRY(check_parts(PART("18-19", "ij") PART("3-8", "345678") PART("0-1", "01") "@--\r\n"));
    /* What becomes one part is one. */
    TRY(ask_part(server, "bytes=0-2,3-5", 206, "012345", "bytes 0-5/20"));
    TRY(ask_part(server, "bytes=0-1,8-9,2-7", 206, "0123456789", "bytes 0-9/20"));
    TRY(ask_part(server, "bytes=0-1,99-", 206, "01", "bytes 0-1/20"));
    TRY(ask_part(server, "bytes=20-,-0", 416, REFUSED, "bytes */20"));
    return 0;
}

static int several(void *arg, void **ret_result)
{
    return with_folder(ask_several);
}

static void several_parts_of_a_file_are_sent_as_parts(void **state)
{
    room_run(several);
}

static int ask_several_if(const aio_http_server *server)
{
    char request[300];
    struct peer peer;

    TRY(ask_for(server, SEVERAL("0-0,5-6", "If-Range: \"old\"\r\n"), 200, CONTENT));
    (void)snprintf(request, sizeof(request), SEVERAL("0-0,5-6", "If-Range: %s\r\n"),
                   answer_header(&answer, "etag"));
    TRY(site_ask(server, request, &answer));
    TRY(check_parts(PART("0-0", "0") PART("5-6", "56") "@--\r\n"));
    TRY(ask_for(server, SEVERAL("0-0,5-6", "If-None-Match: *\r\n"), 304, ""));
    /* HEAD has no parts: that is for GET alone. */
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, ASK("HEAD", "/f/a.txt", "Range: bytes=0-0,5-6\r\n")));
    TRY(peer_hear_head(&peer, &answer));
    peer_close(&peer);
    CHECK(answer.status == 200);
    CHECK_TEXT(answer_header(&answer, "content-length"), "20");
    return 0;
}

static int several_if(void *arg, void **ret_result)
{
    return with_folder(ask_several_if);
}

static void several_parts_are_sent_of_the_version_asked_for(void **state)
{
    room_run(several_if);
}

static int ask_many(const aio_http_server *server)
{
    char request[600] = "GET /f/a.txt HTTP/1.1\r\nHost: test\r\nRange: bytes=0-0";
    size_t used = strlen(request);

    for (int i = 1; i < 32; i++)
        used += (size_t)snprintf(request + used, sizeof(request) - used, ",%d-%d", i % 9 * 2,
                                 i % 9 * 2);
    (void)snprintf(request + used, sizeof(request) - used, "\r\n\r\n");
    TRY(site_ask(server, request, &answer));
    TRY(check_parts(PART("0-0", "0") PART("2-2", "2") PART("4-4", "4") PART("6-6", "6")
                        PART("8-8", "8") PART("10-10", "a") PART("12-12", "c") PART("14-14", "e")
                            PART("16-16", "g") "@--\r\n"));
    (void)snprintf(request + used, sizeof(request) - used, ",0-0\r\n\r\n");
    return ask_for(server, request, 200, CONTENT);
}

static int many(void *arg, void **ret_result)
{
    return with_folder(ask_many);
}

static void more_parts_than_anybody_needs_are_the_whole(void **state)
{
    room_run(many);
}

static int ask_starved(const aio_http_server *server)
{
    TRY(site_ask(server, ASK("GET", "/f/a.txt", "Range: bytes=5-9\r\n"), &answer));
    return site_ask(server, SEVERAL("0-0,5-6", ""), &answer);
}

static int starve(void *arg, void **ret_result)
{
    return with_folder(ask_starved);
}

static void files_survive_every_shortage_of_memory(void **state)
{
    room_run_starved(starve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_serves_what_is_in_it_and_nothing_else),
        cmocka_unit_test(a_folder_has_to_be_one),
        cmocka_unit_test(a_client_that_has_the_file_is_told_so),
        cmocka_unit_test(a_part_of_a_file_is_sent_if_that_is_asked_for),
        cmocka_unit_test(several_parts_of_a_file_are_sent_as_parts),
        cmocka_unit_test(several_parts_are_sent_of_the_version_asked_for),
        cmocka_unit_test(more_parts_than_anybody_needs_are_the_whole),
        cmocka_unit_test(files_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
