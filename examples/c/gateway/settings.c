// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool settings_changed(const char *path) {
    static struct stat last;
    static bool known;
    struct stat now;
    if (stat(path, &now) != 0) memset(&now, 0, sizeof now); /* missing is a change, too */
    bool changed = !known || now.st_ino != last.st_ino || now.st_size != last.st_size ||
                   now.st_mtim.tv_sec != last.st_mtim.tv_sec ||
                   now.st_mtim.tv_nsec != last.st_mtim.tv_nsec;
    last = now;
    known = true;
    return changed;
}

static bool percent(const char *value, double *to) {
    char *end;
    double p = strtod(value, &end);
    if (end == value || *end || !(p >= 0 && p <= 100)) return false;
    *to = p;
    return true;
}

static bool whole(const char *value, uint64_t most, uint64_t *to) {
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    if (end == value || *end || n < 1 || n > most) return false;
    *to = n;
    return true;
}

static bool take(struct settings *s, const char *name, const char *value) {
    if (!strcmp(name, "cpu_alert_percent")) return percent(value, &s->cpu_alert_percent);
    if (!strcmp(name, "memory_alert_percent")) return percent(value, &s->memory_alert_percent);
    if (!strcmp(name, "rate")) return whole(value, 10000, &s->rate);
    return false;
}

bool settings_read(const char *path, struct settings *s, char *why, size_t why_size) {
    struct stat kind;
    FILE *file = NULL;
    if (stat(path, &kind) == 0 && !S_ISREG(kind.st_mode))
        errno = EINVAL; /* opening a pipe would wait */
    else
        file = fopen(path, "re");
    if (!file) {
        snprintf(why, why_size, "%.60s: %s", path, strerror(errno));
        return false;
    }
    struct settings read = *s;
    char line[256], name[64], value[64], excess[2];
    bool good = true;
    for (int n = 1; good && fgets(line, sizeof line, file); n++) {
        line[strcspn(line, "#\n")] = '\0';
        char *at = line;
        while (isspace((unsigned char)*at)) at++;
        if (!*at) continue;
        good = sscanf(at, " %63[a-z_] = %63s %1s", name, value, excess) == 2 && take(&read, name, value);
        if (!good) snprintf(why, why_size, "%.60s line %d is not understood", path, n);
    }
    fclose(file);
    if (good) *s = read;
    return good;
}
