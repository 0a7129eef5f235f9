/* SPDX-License-Identifier: MIT */
/*
 * llhttp_machine.c - the parser's state machine, compiled from the system's sources
 */
#include "llhttp_names.h"

#include <llhttp.c> // NOLINT(bugprone-suspicious-include)
