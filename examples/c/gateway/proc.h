/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's own figures, from /proc. */
#ifndef GATEWAY_PROC_H
#define GATEWAY_PROC_H

#include <stdbool.h>

#include "values.h"

bool proc_open(void);
/* Fills everything but the number. */
void proc_sample(struct telemetry *t);

#endif
