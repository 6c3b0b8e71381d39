/* SPDX-License-Identifier: Apache-2.0
 *
 * The value both languages know; plant.py has the same. */
#ifndef PLANT_H
#define PLANT_H

#include <stdint.h>

#define PLANT_SAMPLE "plant.sample"   /* its type name */
#define PLANT_COMMAND "plant.command" /* of int32_t: what the valve shall be */

struct plant_sample {
    uint32_t number;
    float pressure;
    double time; /* seconds */
};

#endif
