/* SPDX-License-Identifier: MIT */
/*
 * llhttp_api.c - the parser's interface, compiled from the system's sources under names of ours
 */
#include "llhttp_names.h"

#include <api.c>
#include <http.c>
