/* SPDX-License-Identifier: MIT */
/*
 * starve.h - playing programs while memory is short
 */
#ifndef PARITY_STARVE_H
#define PARITY_STARVE_H

#include "text.h"

/* To be called before anything else of the library: its memory comes from here then. */
void starve_prepare(void);

/*
 * Play a program once with each allocation of the library failing, one at a time, and at
 * last with none failing; the trace is that of the last run. No run may crash, hang or leave
 * memory behind. False if one did leave something, or the program could not be played: the
 * error says which.
 */
bool starve(const char *program, struct text *trace, struct text *error);

#endif
