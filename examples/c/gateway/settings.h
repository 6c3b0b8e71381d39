/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration file: lines of  name = value  and comments (#). */
#ifndef GATEWAY_SETTINGS_H
#define GATEWAY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "values.h"

/* Whether the file is another than at the last call. */
bool settings_changed(const char *path);
/* Reads the file over what is in `s`; false leaves `s` and says why. */
bool settings_read(const char *path, struct settings *s, char *why, size_t why_size);

#endif
