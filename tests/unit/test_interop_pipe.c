/* SPDX-License-Identifier: MIT */
/*
 * test_interop_pipe.c - pipes and processes with Python's asyncio, and other programs, at the other end
 *
 * Skipped where there is no Python with asyncio.
 */
#include "support/allocation.h"
#include "support/python.h"
#include "support/room.h"

#include <aio/pipe.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MUCH = 1024 * 1024, MORE = 16 };

static char much[MUCH];

/* --- named pipes ----------------------------------------------------------------------- */

static const char *make_fifo(void)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-fifo-%ld", (long)getpid());
    (void)unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    return path;
}

/* Writes what does not fit, says so, and then waits until all is through. */
static const char fifo_writer[] =
    PYTHON "class Writer(asyncio.Protocol):\n"
           "    def pause_writing(self):\n"
           "        print(1, flush=True)\n"
           "    def resume_writing(self):\n"
           "        if not resumed.done(): resumed.set_result(None)\n"
           "    def connection_lost(self, exc):\n"
           "        lost.set_result(exc)\n"
           "async def main():\n"
           "    global resumed, lost\n"
           "    loop = asyncio.get_running_loop()\n"
           "    resumed, lost = loop.create_future(), loop.create_future()\n"
           "    pipe = open(sys.argv[1], 'wb', 0)\n"
           "    transport, _ = await loop.connect_write_pipe(Writer, pipe)\n"
           "    transport.write(much)\n"
           "    await resumed\n"
           "    transport.write(much)\n"
           "    transport.write_eof()\n"
           "    sys.exit(0 if await lost is None else 1)\n"
           "asyncio.run(main())\n";

static int open_reading(struct room *room, const char *path, aio_transport **ret_transport)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    CHECK(fd >= 0);
    return aio_loop_connect_read_pipe(NULL, room_factory, room, fd, ret_transport);
}

static uint32_t sum_of_two(void)
{
    return room_sum(room_sum(0, 0, much, MUCH), MUCH, much, MUCH);
}

static int read_fifo(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct talk *talk = &room->talks[0];
    AIO_AUTO(aio_transport) transport = NULL;
    const char *path = make_fifo();
    aio_process *process;
    int one;

    room->quiet = true;
    TRY(open_reading(room, path, &transport));
    TRY(aio_transport_pause_reading(transport));
    TRY(python_run(fifo_writer, path, &process));
    TRY(python_read_number(process, &one)); /* it was stopped, for we do not read */
    CHECK(talk->received == 0);
    TRY(aio_transport_resume_reading(transport));
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made eof lost");
    CHECK(talk->received == 2 * MUCH && talk->sum == sum_of_two());
    CHECK(unlink(path) == 0);
    return python_expect_success(process);
}

static void fifo_is_read_that_python_writes_and_a_slow_reader_stops_it(void **state)
{
    room_run(read_fifo);
}

/* Reads when it is told to, up to the end. */
static const char fifo_reader[] =
    PYTHON "async def main():\n"
           "    loop = asyncio.get_running_loop()\n"
           "    pipe = os.fdopen(os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK), 'rb', 0)\n"
           "    reader = asyncio.StreamReader()\n"
           "    transport, _ = await loop.connect_read_pipe(\n"
           "        lambda: asyncio.StreamReaderProtocol(reader), pipe)\n"
           "    transport.pause_reading()\n"
           "    print(1, flush=True)\n"
           "    sys.stdin.buffer.readline()\n"
           "    transport.resume_reading()\n"
           "    sys.exit(0 if await reader.read() == much * 2 else 1)\n"
           "asyncio.run(main())\n";

static int open_writing(struct room *room, const char *path, aio_transport **ret_transport)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    CHECK(fd >= 0);
    return aio_loop_connect_write_pipe(NULL, room_factory, room, fd, ret_transport);
}

static int write_fifo(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct talk *talk = &room->talks[0];
    AIO_AUTO(aio_transport) transport = NULL;
    const char *path = make_fifo();
    aio_process *process;
    int one;

    TRY(python_start(fifo_reader, path, AIO_SUBPROCESS_PIPE, &process));
    TRY(python_read_number(process, &one));
    TRY(open_writing(room, path, &transport));
    TRY(aio_transport_write(transport, much, MUCH));
    CHECK_TEXT(talk->trace, "made pause");
    TRY(aio_stream_writer_write(aio_process_stdin(process), "go\n", 3));
    TRY(talk_wait_for(talk, "resume"));
    TRY(aio_transport_write(transport, much, MUCH));
    TRY(aio_transport_write_eof(transport));
    TRY(talk_wait_lost(talk));
    CHECK(strstr(talk->trace, "lost!") == NULL);
    CHECK(unlink(path) == 0);
    return python_expect_success(process);
}

static void fifo_is_written_that_python_reads_and_a_slow_reader_stops_us(void **state)
{
    room_run(write_fifo);
}

/* Reads a little, and goes away. */
static const char fifo_leaver[] =
    PYTHON "async def main():\n"
           "    loop = asyncio.get_running_loop()\n"
           "    pipe = os.fdopen(os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK), 'rb', 0)\n"
           "    print(1, flush=True)\n"
           "    reader = asyncio.StreamReader(limit=1024)\n"
           "    transport, _ = await loop.connect_read_pipe(\n"
           "        lambda: asyncio.StreamReaderProtocol(reader), pipe)\n"
           "    data = await reader.readexactly(1000)\n"
           "    transport.close()\n"
           "    sys.exit(0 if data == much[:1000] else 1)\n"
           "asyncio.run(main())\n";

static int write_to_a_leaver(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    const char *path = make_fifo();
    aio_process *process;
    int one;

    TRY(python_run(fifo_leaver, path, &process));
    TRY(python_read_number(process, &one));
    TRY(open_writing(room, path, &transport));
    TRY(aio_transport_write(transport, much, MUCH));
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made pause lost!BrokenPipeError");
    CHECK(unlink(path) == 0);
    return python_expect_success(process);
}

static void fifo_is_lost_when_its_python_reader_leaves(void **state)
{
    room_run(write_to_a_leaver);
}

/* --- a child in Python ----------------------------------------------------------------- */

/* A filter: each byte of its input, changed, to its output, by transports of both. */
#define FILTER                                                                                     \
    "async def open_streams():\n"                                                                  \
    "    loop = asyncio.get_running_loop()\n"                                                      \
    "    reader = asyncio.StreamReader()\n"                                                        \
    "    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)\n"  \
    "    transport, protocol = await loop.connect_write_pipe(\n"                                   \
    "        asyncio.streams.FlowControlMixin, sys.stdout)\n"                                      \
    "    transport.set_write_buffer_limits(0)\n" /* drain() waits until all is written */          \
    "    return reader, asyncio.StreamWriter(transport, protocol, None, loop)\n"

static const char filter[] = PYTHON FILTER "async def main():\n"
                                           "    table = bytes(255 - i for i in range(256))\n"
                                           "    reader, writer = await open_streams()\n"
                                           "    while data := await reader.read(65536):\n"
                                           "        writer.write(data.translate(table))\n"
                                           "        await writer.drain()\n"
                                           "    writer.close()\n"
                                           "asyncio.run(main())\n";

static const char line_filter[] = PYTHON FILTER "async def main():\n"
                                                "    reader, writer = await open_streams()\n"
                                                "    while line := await reader.readline():\n"
                                                "        writer.write(line[-2::-1] + b'\\n')\n"
                                                "    writer.close()\n"
                                                "    sys.exit(3)\n"
                                                "asyncio.run(main())\n";

static bool are_opposite(const char *data, const char *other, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)data[i] != 255 - (unsigned char)other[i])
            return false;
    return true;
}

static int communicate_with_python(void *arg, void **ret_result)
{
    aio_process_output output = {0};
    char *input = aio_malloc((size_t)MORE * MUCH);
    aio_process *process;
    bool same;

    CHECK(input != NULL);
    for (size_t i = 0; i < MORE; i++)
        memcpy(input + i * MUCH, much, MUCH);
    TRY(python_start(filter, "", AIO_SUBPROCESS_PIPE, &process));
    TRY(aio_process_communicate(process, input, (size_t)MORE * MUCH, &output));
    same =
        output.out_size == (size_t)MORE * MUCH && are_opposite(output.out, input, output.out_size);
    aio_process_output_clear(&output);
    aio_free(input);
    CHECK(same);
    return python_expect_success(process);
}

static void child_in_python_filters_many_megabytes_by_its_pipes(void **state)
{
    room_run(communicate_with_python);
}

static int talk_to_python(void *arg, void **ret_result)
{
    aio_process *process;
    aio_bytes line;
    int code;

    TRY(python_start(line_filter, "", AIO_SUBPROCESS_PIPE, &process));
    for (int i = 0; i < 100; i++) {
        TRY(aio_stream_writer_write(aio_process_stdin(process), "hello\n", 6));
        TRY(aio_stream_reader_readline(aio_process_stdout(process), &line));
        CHECK(line.size == 6 && memcmp(line.data, "olleh\n", 6) == 0);
        aio_bytes_free(&line);
    }
    aio_stream_writer_close(aio_process_stdin(process));
    TRY(aio_stream_reader_readline(aio_process_stdout(process), &line));
    CHECK(line.size == 0 && aio_stream_reader_at_eof(aio_process_stdout(process)));
    TRY(aio_process_wait(process, &code));
    CHECK(code == 3);
    aio_process_unref(process);
    return 0;
}

static void child_in_python_answers_line_by_line(void **state)
{
    room_run(talk_to_python);
}

/* --- filters --------------------------------------------------------------------------- */

/* What a program makes of an input: *ret_output is the caller's. Its exit status has to be 0. */
static int filter_by(const char *const *argv, const aio_bytes *input, aio_bytes *ret_output)
{
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;
    AIO_AUTO(aio_process) process = NULL;
    aio_process_output output = {0};
    int code;

    options.std_in = AIO_SUBPROCESS_PIPE;
    options.std_out = AIO_SUBPROCESS_PIPE;
    TRY(aio_create_subprocess_exec(argv, &options, &process));
    TRY(aio_process_communicate(process, input->data, input->size, &output));
    CHECK(aio_process_returncode(process, &code) && code == 0);
    *ret_output = (aio_bytes){output.out, output.out_size}; /* all that there is */
    return 0;
}

static bool are_the_same(const aio_bytes *one, const aio_bytes *other)
{
    return one->size == other->size && memcmp(one->data, other->data, one->size) == 0;
}

/* There by one program, and back by another. */
static int filter_and_back(const char *const *there, const char *const *back)
{
    aio_bytes input = {aio_malloc((size_t)MORE * MUCH), (size_t)MORE * MUCH};
    aio_bytes middle;
    aio_bytes output;
    bool is_same;
    bool has_changed;

    CHECK(input.data != NULL);
    for (size_t i = 0; i < MORE; i++)
        memcpy(input.data + i * MUCH, much, MUCH);
    TRY(filter_by(there, &input, &middle));
    TRY(filter_by(back, &middle, &output));
    is_same = are_the_same(&input, &output);
    has_changed = !are_the_same(&input, &middle);
    aio_bytes_free(&input);
    aio_bytes_free(&middle);
    aio_bytes_free(&output);
    CHECK(is_same);
    CHECK(has_changed == (strcmp(there[0], "cat") != 0));
    return 0;
}

static int filter_by_cat(void *arg, void **ret_result)
{
    static const char *const cat[] = {"cat", NULL};

    return filter_and_back(cat, cat);
}

static void cat_gives_many_megabytes_back(void **state)
{
    room_run(filter_by_cat);
}

static int filter_by_gzip(void *arg, void **ret_result)
{
    static const char *const there[] = {"gzip", "-1", NULL};
    static const char *const back[] = {"gzip", "-d", NULL};

    return filter_and_back(there, back);
}

static void gzip_packs_and_unpacks_many_megabytes(void **state)
{
    room_run(filter_by_gzip);
}

static int filter_by_openssl(void *arg, void **ret_result)
{
    static const char *const cipher[] = {"openssl",
                                         "enc",
                                         "-aes-128-ctr",
                                         "-K",
                                         "000102030405060708090a0b0c0d0e0f",
                                         "-iv",
                                         "00000000000000000000000000000000",
                                         NULL};

    return filter_and_back(cipher, cipher);
}

static void openssl_encrypts_and_decrypts_many_megabytes(void **state)
{
    if (system("openssl version >/dev/null 2>&1") != 0)
        skip();
    room_run(filter_by_openssl);
}

/* --------------------------------------------------------------------------------------- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fifo_is_read_that_python_writes_and_a_slow_reader_stops_it),
        TEST(fifo_is_written_that_python_reads_and_a_slow_reader_stops_us),
        TEST(fifo_is_lost_when_its_python_reader_leaves),
        TEST(child_in_python_filters_many_megabytes_by_its_pipes),
        TEST(child_in_python_answers_line_by_line),
        TEST(cat_gives_many_megabytes_back),
        TEST(gzip_packs_and_unpacks_many_megabytes),
        TEST(openssl_encrypts_and_decrypts_many_megabytes),
    };

    room_fill(much, MUCH);
    if (!python_is_here())
        return PYTHON_IS_MISSING;
    return RUN_TESTS(tests, NULL, NULL);
}
