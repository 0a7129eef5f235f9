/* SPDX-License-Identifier: MIT */
/*
 * mandelbrot.c - the Mandelbrot set as a PNG picture, rendered by tiles in an executor of choice
 *
 *     mandelbrot [-e default|threads|processes] [-j N] [-s WIDTHxHEIGHT] [-n ITERATIONS]
 *                [-c X,Y] [-w WIDTH] FILE
 *
 * Tiles are rendered wherever it is asked for, and go into the picture as they are done: the
 * order does not matter, and the same picture comes out of all executors. Progress shows on a
 * terminal. A run that is interrupted or fails leaves no file.
 *
 * The job is the same for all executors. What it is given is copied for it, and what it gives is
 * a plain struct, which a process pool is told how to send.
 */
#include "picture.h"

#include <aio/aio.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TILE = 64, MAX_JOBS = 256, MAX_ITERATIONS = 1000000 };

struct view {
    double x, y; /* the middle of the picture */
    double step; /* from one pixel to the next */
    int width, height;
    int iterations;
};

struct tile {
    struct view view;
    int left, top;
};

struct pixels {
    unsigned char rgb[TILE][TILE][3];
};

static const aio_codec pixels_codec = AIO_CODEC_STRUCT(struct pixels);

/* --- the job: in a thread, or another process -------------------------------------------- */

static double count_iterations(double x, double y, int limit)
{
    double a = 0, b = 0;

    for (int i = 0; i < limit; i++) {
        double square = a * a - b * b + x;

        b = 2 * a * b + y;
        a = square;
        if (a * a + b * b > 256) /* far out, for smooth colours */
            return i + 1 - log2(log2(a * a + b * b) / 2);
    }
    return -1;
}

static void paint(unsigned char rgb[3], double iterations)
{
    for (int i = 0; i < 3 && iterations >= 0; i++)
        rgb[i] = (unsigned char)(127.5 - 127.5 * cos(0.15 * iterations + 0.6 * (i + 1)));
}

static int render(void *arg, void **ret_result)
{
    const struct tile *tile = arg;
    const struct view *view = &tile->view;
    struct pixels *pixels = aio_calloc(1, sizeof(*pixels)); /* black, as the set is */

    if (pixels == NULL)
        return AIO_ENOMEM;
    for (int row = 0; row < TILE; row++) {
        double y = view->y - (tile->top + row - view->height / 2.0) * view->step;

        for (int column = 0; column < TILE; column++) {
            double x = view->x + (tile->left + column - view->width / 2.0) * view->step;

            paint(pixels->rgb[row][column], count_iterations(x, y, view->iterations));
        }
    }
    *ret_result = pixels;
    return 0;
}

/* --- the loop's side --------------------------------------------------------------------- */

struct program {
    struct view view;
    const char *executor; /* its name */
    size_t jobs;          /* workers; 0: as many as usual */
    const char *file;
    struct picture *picture;
    size_t tiles;
    aio_future **futures; /* of the tiles; NULL once they are in the picture */
};

static void show_progress(size_t done, size_t count)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%zu of %zu tiles%s", done, count, done == count ? "\r\033[K" : "");
}

static int tiles_across(const struct view *view)
{
    return (view->width + TILE - 1) / TILE;
}

static struct tile tile_at(const struct view *view, size_t index)
{
    int across = tiles_across(view);

    return (struct tile){*view, (int)index % across * TILE, (int)index / across * TILE};
}

static int submit_all(struct program *program, aio_executor *executor)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.arg_size = sizeof(struct tile);
    options.result_type = &aio_type_owned;
    options.result_codec = &pixels_codec;
    for (size_t i = 0; i < program->tiles; i++) {
        struct tile tile = tile_at(&program->view, i);

        program->futures[i] =
            aio_loop_run_in_executor_with(NULL, executor, render, &tile, &options);
        if (program->futures[i] == NULL)
            return aio_last_failure();
    }
    return 0;
}

/* Take all that are done over into the picture; gives how many. Below 0: one has failed. */
static int take_done(struct program *program)
{
    int taken = 0;

    for (size_t i = 0; i < program->tiles; i++) {
        aio_future *fut = program->futures[i];
        struct tile tile = tile_at(&program->view, i);
        const struct pixels *pixels;
        void *value;
        int err;

        if (fut == NULL || !aio_future_done(fut))
            continue;
        err = aio_future_result(fut, &value);
        if (err < 0)
            return err;
        pixels = value;
        picture_put(program->picture, tile.left, tile.top, TILE, &pixels->rgb[0][0][0]);
        aio_future_unref(fut);
        program->futures[i] = NULL;
        taken++;
    }
    return taken;
}

static size_t collect_left(const struct program *program, aio_future **left)
{
    size_t count = 0;

    for (size_t i = 0; i < program->tiles; i++)
        if (program->futures[i] != NULL)
            left[count++] = program->futures[i];
    return count;
}

static int render_all(struct program *program, aio_executor *executor)
{
    aio_future **left = aio_calloc(program->tiles, sizeof(*left));
    int err = left == NULL ? AIO_ENOMEM : submit_all(program, executor);
    size_t count = program->tiles;

    while (err == 0 && count > 0) {
        show_progress(program->tiles - count, program->tiles);
        count = collect_left(program, left);
        err = aio_wait(left, count, AIO_FOREVER, AIO_FIRST_COMPLETED, NULL);
        if (err == 0)
            err = take_done(program);
        if (err > 0) {
            count -= (size_t)err;
            err = 0;
        }
    }
    show_progress(program->tiles, program->tiles);
    aio_free(left);
    return err;
}

/* What was not taken over is not wanted any more. */
static void drop_futures(struct program *program)
{
    for (size_t i = 0; i < program->tiles; i++) {
        if (program->futures[i] != NULL)
            (void)aio_future_cancel(program->futures[i], NULL);
        aio_future_unref(program->futures[i]);
        program->futures[i] = NULL;
    }
}

/* NULL, too, for the loop's default executor. */
static int make_executor(const struct program *program, aio_executor **ret_executor)
{
    aio_thread_pool_options threads = AIO_THREAD_POOL_OPTIONS_INIT;
    aio_process_pool_options processes = AIO_PROCESS_POOL_OPTIONS_INIT;

    threads.max_workers = program->jobs;
    processes.max_workers = program->jobs;
    if (strcmp(program->executor, "default") == 0)
        *ret_executor = NULL;
    else if (strcmp(program->executor, "threads") == 0)
        *ret_executor = aio_thread_pool_new(&threads);
    else
        *ret_executor = aio_process_pool_new(&processes);
    return *ret_executor == NULL && strcmp(program->executor, "default") != 0 ? aio_last_failure()
                                                                              : 0;
}

static int async_main(void *arg, void **ret_result)
{
    struct program *program = arg;
    aio_executor *executor = NULL;
    int err = make_executor(program, &executor);

    if (err < 0)
        return err;
    err = render_all(program, executor);
    drop_futures(program);
    if (executor != NULL)
        (void)aio_executor_shutdown(executor, AIO_FOREVER, true);
    aio_executor_unref(executor);
    return err < 0 ? err : picture_write(program->picture, program->file);
}

/* --- the program around it --------------------------------------------------------------- */

static int run(struct program *program)
{
    const struct view *view = &program->view;
    int err = AIO_ENOMEM;

    program->tiles = (size_t)tiles_across(view) * (size_t)((view->height + TILE - 1) / TILE);
    program->picture = picture_new(view->width, view->height);
    program->futures = aio_calloc(program->tiles, sizeof(*program->futures));
    if (program->picture != NULL && program->futures != NULL)
        err = aio_run(async_main, program, NULL);
    aio_free(program->futures);
    picture_free(program->picture);
    return err;
}

static int usage(void)
{
    fprintf(stderr, "usage: mandelbrot [-e default|threads|processes] [-j N] [-s WIDTHxHEIGHT]\n"
                    "                  [-n ITERATIONS] [-c X,Y] [-w WIDTH] FILE\n");
    return 2;
}

static bool is_between(double value, double least, double most)
{
    return value >= least && value <= most; /* NaN is not */
}

static bool set_option(struct program *program, int option, const char *text)
{
    struct view *view = &program->view;
    char end;

    switch (option) {
    case 'e':
        program->executor = text;
        return strcmp(text, "default") == 0 || strcmp(text, "threads") == 0 ||
               strcmp(text, "processes") == 0;
    case 'j':
        return sscanf(text, "%zu%c", &program->jobs, &end) == 1 &&
               is_between((double)program->jobs, 1, MAX_JOBS);
    case 's':
        return sscanf(text, "%dx%d%c", &view->width, &view->height, &end) == 2 &&
               is_between(view->width, 1, PICTURE_MAX) && is_between(view->height, 1, PICTURE_MAX);
    case 'n':
        return sscanf(text, "%d%c", &view->iterations, &end) == 1 &&
               is_between(view->iterations, 1, MAX_ITERATIONS);
    case 'c':
        return sscanf(text, "%lf,%lf%c", &view->x, &view->y, &end) == 2 &&
               is_between(view->x, -4, 4) && is_between(view->y, -4, 4);
    case 'w': return sscanf(text, "%lf%c", &view->step, &end) == 1 && is_between(view->step, 0, 16);
    default: return false;
    }
}

int main(int argc, char **argv)
{
    struct program program = {
        .view = {.x = -0.75, .step = 3.5, .width = 960, .height = 640, .iterations = 500},
        .executor = "default",
    };
    int option, err;

    if (aio_process_worker_main(argc, argv))
        return EXIT_SUCCESS;
    while ((option = getopt(argc, argv, "e:j:s:n:c:w:")) != -1)
        if (!set_option(&program, option, optarg))
            return usage();
    if (optind + 1 != argc)
        return usage();
    program.view.step /= program.view.width; /* -w is that of the picture */
    program.file = argv[optind];
    err = run(&program);
    if (err == AIO_EKEYBOARDINTERRUPT) { /* die of it, as whoever started us expects */
        (void)signal(SIGINT, SIG_DFL);
        (void)raise(SIGINT);
    }
    if (err < 0) {
        fprintf(stderr, "mandelbrot: %s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
