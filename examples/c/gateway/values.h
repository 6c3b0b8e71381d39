/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of the gateway's records. Each carries its own number, from 1, so
 * that consumers can count by themselves what they missed. */
#ifndef GATEWAY_VALUES_H
#define GATEWAY_VALUES_H

#include <stdint.h>

struct telemetry {
    uint64_t number;
    int64_t time_ns; /* CLOCK_REALTIME */
    double cpu_percent;
    double memory_percent;
    uint64_t received_bytes, sent_bytes;
    uint64_t read_sectors, written_sectors;
};

struct alert {
    uint64_t number;
    uint64_t telemetry; /* number of the value that crossed the threshold */
    double percent, limit;
    uint64_t memory; /* 1: memory, 0: CPU */
};

struct settings {
    uint64_t number;
    double cpu_alert_percent, memory_alert_percent;
    uint64_t rate; /* Hz */
};

enum command_kind { COMMAND_RATE, COMMAND_PAUSE, COMMAND_RESUME, COMMAND_STOP };

struct command {
    uint64_t number;
    uint64_t kind;
    uint64_t rate;
};

struct event {
    uint64_t number;
    int64_t time_ns;
    char text[112];
};

#endif
