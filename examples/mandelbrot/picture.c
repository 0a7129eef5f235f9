/* SPDX-License-Identifier: MIT */
/*
 * picture.c - pixels in memory, and as a PNG file
 */
#include "picture.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct picture {
    int width, height;
    unsigned char rgb[];
};

static size_t offset(const struct picture *picture, int left, int top)
{
    return ((size_t)top * (size_t)picture->width + (size_t)left) * 3;
}

struct picture *picture_new(int width, int height)
{
    struct picture *picture = aio_calloc(1, sizeof(*picture) + (size_t)width * (size_t)height * 3);

    if (picture == NULL)
        return NULL;
    picture->width = width;
    picture->height = height;
    return picture;
}

void picture_free(struct picture *picture)
{
    aio_free(picture);
}

void picture_put(struct picture *picture, int left, int top, int size, const unsigned char *rgb)
{
    int columns = size < picture->width - left ? size : picture->width - left;
    int rows = size < picture->height - top ? size : picture->height - top;

    for (int row = 0; row < rows; row++)
        memcpy(picture->rgb + offset(picture, left, top + row), rgb + (size_t)row * size * 3,
               (size_t)columns * 3);
}

static int write_png(const struct picture *picture, FILE *file)
{
    png_image image;

    memset(&image, 0, sizeof(image));
    image.version = PNG_IMAGE_VERSION;
    image.width = (png_uint_32)picture->width;
    image.height = (png_uint_32)picture->height;
    image.format = PNG_FORMAT_RGB;
    if (!png_image_write_to_stdio(&image, file, 0, picture->rgb, 0, NULL))
        return aio_raise(-EIO, "%s", image.message);
    return 0;
}

static int write_to(const struct picture *picture, const char *path)
{
    FILE *file = fopen(path, "wb");
    int err;

    if (file == NULL)
        return aio_raise(-errno, "%s: %s", path, strerror(errno));
    err = write_png(picture, file);
    if (fclose(file) != 0 && err == 0)
        err = aio_raise(-errno, "%s: %s", path, strerror(errno));
    return err;
}

int picture_write(const struct picture *picture, const char *path)
{
    size_t size = strlen(path) + sizeof(".part");
    char *part = aio_malloc(size);
    int err;

    if (part == NULL)
        return AIO_ENOMEM;
    (void)snprintf(part, size, "%s.part", path);
    err = write_to(picture, part);
    if (err == 0 && rename(part, path) < 0)
        err = aio_raise(-errno, "%s: %s", path, strerror(errno));
    if (err < 0)
        (void)unlink(part);
    aio_free(part);
    return err;
}
