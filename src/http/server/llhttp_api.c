/* SPDX-License-Identifier: MIT */
/*
 * llhttp_api.c - the parser's interface, compiled from the system's sources under names of ours
 */
#include "llhttp_names.h"

#include <api.c>  // NOLINT(bugprone-suspicious-include)
#include <http.c> // NOLINT(bugprone-suspicious-include)
