// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "proc.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STAT, MEMINFO, NET, DISKS, FILES };
static const char *const paths[FILES] = {"/proc/stat", "/proc/meminfo", "/proc/net/dev",
                                         "/proc/diskstats"};
static int files[FILES];

bool proc_open(void) {
    for (int i = 0; i < FILES; i++) files[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
    return files[STAT] >= 0 && files[MEMINFO] >= 0; /* the others a container may hide */
}

/* The beginning of a file, NUL-terminated. */
static const char *text_of(int file) {
    static char text[16384];
    ssize_t n = files[file] < 0 ? 0 : pread(files[file], text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* The kernel counts CPU time in ticks of 10 ms: a share is computed over at
 * least 20 of them, and stands until then. */
static double cpu_percent(void) {
    static unsigned long long last_all, last_idle;
    static double percent;
    unsigned long long t[8] = {0}, all = 0;
    sscanf(text_of(STAT), "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3],
           &t[4], &t[5], &t[6], &t[7]);
    for (int i = 0; i < 8; i++) all += t[i];
    unsigned long long idle = t[3] + t[4];
    if (all < last_all + 20) return percent;
    if (last_all && idle >= last_idle)
        percent = 100.0 * (1.0 - (double)(idle - last_idle) / (double)(all - last_all));
    last_all = all;
    last_idle = idle;
    return percent;
}

static double meminfo(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at ? strtod(at + strlen(name), NULL) : 0;
}

static double memory_percent(void) {
    const char *text = text_of(MEMINFO);
    double total = meminfo(text, "MemTotal:"), available = meminfo(text, "MemAvailable:");
    return total > 0 ? 100.0 * (1.0 - available / total) : 0;
}

static void network(struct telemetry *t) {
    for (const char *line = text_of(NET); line; line = strchr(line, '\n')) {
        line += *line == '\n';
        unsigned long long in, out;
        if (sscanf(line, " %*[^:]: %llu %*u %*u %*u %*u %*u %*u %*u %llu", &in, &out) == 2) {
            t->received_bytes += in;
            t->sent_bytes += out;
        }
    }
}

/* A partition follows its disk: sda, sda1; nvme0n1, nvme0n1p1. Both count the
 * same sectors, and so do the devices stacked upon disks. */
static bool is_disk(const char *name, const char *disk) {
    if (!strncmp(name, "loop", 4) || !strncmp(name, "ram", 3) || !strncmp(name, "dm-", 3) ||
        !strncmp(name, "md", 2))
        return false;
    size_t n = strlen(disk);
    if (!n || strncmp(name, disk, n)) return true;
    const char *part = name + n;
    if (isdigit((unsigned char)disk[n - 1]) && *part++ != 'p') return true;
    return !isdigit((unsigned char)*part);
}

static void disks(struct telemetry *t) {
    char name[32], disk[32] = "";
    for (const char *line = text_of(DISKS); line; line = strchr(line, '\n')) {
        line += *line == '\n';
        unsigned long long in, out;
        if (sscanf(line, " %*u %*u %31s %*u %*u %llu %*u %*u %*u %llu", name, &in, &out) == 3 &&
            is_disk(name, disk)) {
            strcpy(disk, name);
            t->read_sectors += in;
            t->written_sectors += out;
        }
    }
}

void proc_sample(struct telemetry *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct telemetry){.time_ns = now.tv_sec * 1000000000LL + now.tv_nsec};
    t->cpu_percent = cpu_percent();
    t->memory_percent = memory_percent();
    network(t);
    disks(t);
}
