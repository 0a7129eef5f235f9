/* SPDX-License-Identifier: MIT */
/*
 * picture.h - pixels in memory, and as a PNG file
 */
#ifndef PICTURE_H
#define PICTURE_H

/* Pixels across and down, at most. */
#define PICTURE_MAX 16384

struct picture;

/* A black one; NULL if memory is short. */
struct picture *picture_new(int width, int height);
/* NULL is allowed. */
void picture_free(struct picture *picture);

/* Put a square of `size` rows of as many pixels of three bytes; what lies outside is left out. */
void picture_put(struct picture *picture, int left, int top, int size, const unsigned char *rgb);

/* Write a file that is there when it is complete, or not at all. 0, or a code that was raised. */
int picture_write(const struct picture *picture, const char *path);

#endif
