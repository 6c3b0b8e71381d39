// SPDX-License-Identifier: Apache-2.0
//
// The threads, which end and begin, and the options.

#include "random.h"

#include <getopt.h>
#include <time.h>

struct options options = {.seconds = 10, .threads = 8, .patience = 30};
atomic_bool stopping;

struct worker {
    pthread_t id;
    bool begun;
    atomic_bool over;
    uint64_t number, generation;
};

static void maybe_end(struct database *db) {
    if (db->left > 0 || atomic_exchange(&db->ending, true)) {
        database_leave(db);
        return;
    }
    end_database(db);
}

static void act_once(void) {
    struct database *db = database_take();
    if (!db) {
        nap(20000);
        return;
    }
    act(db);
    atomic_fetch_sub(&db->left, 1);
    maybe_end(db);
}

static void *work(void *arg) {
    struct worker *worker = arg;
    char name[24];
    snprintf(name, sizeof name, "worker %llu.%llu", (unsigned long long)worker->number,
             (unsigned long long)worker->generation);
    self_name(name, mix(options.seed ^ mix(worker->number << 32 | worker->generation)));
    uint64_t calls = chance(20) ? below(50) : below(5000);
    for (uint64_t i = 0; i < calls && !stopping; i++) act_once();
    worker->over = true;
    return NULL;
}

static void begin(struct worker *worker) {
    worker->over = false;
    worker->generation++;
    worker->begun = pthread_create(&worker->id, NULL, work, worker) == 0;
    CHECK(worker->begun, "no thread");
}

static void end(struct worker *worker) {
    if (!worker->begun) return;
    pthread_join(worker->id, NULL);
    worker->begun = false;
}

static void keep_going(struct worker *workers, uint64_t until) {
    while (now() < until) {
        for (int i = 0; i < options.threads; i++) {
            struct worker *worker = &workers[i];
            worker->number = (uint64_t)i + 1;
            if (worker->begun && worker->over) end(worker);
            if (!worker->begun) begin(worker);
        }
        nap(2000000);
    }
}

/* What is still there ends like the others. Waiters without limit hold on to a worker
 * until then, so this comes before the workers are joined. */
static void end_all(void) {
    while (database_any()) {
        struct database *db = database_take();
        if (db) {
            db->left = 0;
            maybe_end(db);
        } else
            nap(1000000);
    }
}

static void run(void) {
    pthread_t dog;
    pthread_create(&dog, NULL, watchdog, NULL);
    struct worker *workers = calloc((size_t)options.threads, sizeof *workers);
    keep_going(workers, now() + (uint64_t)(options.seconds * 1e9));
    stopping = true;
    end_all();
    for (int i = 0; i < options.threads; i++) end(&workers[i]);
    end_all();
    free(workers);
    world_clear();
}

static void usage(void) {
    printf("random [--seed N] [--seconds S] [--threads N] [--profile NAME] [--patience S]\n"
           "       [--keep-going] [--verbose]\n  profiles:\n");
    profile_list();
    exit(2);
}

static void set_option(int option, const char *value) {
    switch (option) {
    case 's': options.seed = strtoull(value, NULL, 0); break;
    case 't': options.seconds = atof(value); break;
    case 'n': options.threads = atoi(value); break;
    case 'w': options.patience = atof(value); break;
    case 'k': options.keep_going = true; break;
    case 'v': options.verbose = true; break;
    case 'p':
        options.profile = profile_named(value);
        if (!options.profile) usage();
        break;
    default: usage();
    }
}

static void read_options(int argc, char **argv) {
    static const struct option known[] = {
        {"seed", 1, NULL, 's'},    {"seconds", 1, NULL, 't'},  {"threads", 1, NULL, 'n'},
        {"profile", 1, NULL, 'p'}, {"patience", 1, NULL, 'w'}, {"keep-going", 0, NULL, 'k'},
        {"verbose", 0, NULL, 'v'}, {NULL, 0, NULL, 0},
    };
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    options.seed = mix((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec) % 1000000000;
    options.profile = profile_named("default");
    options.argc = argc, options.argv = argv;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;)
        set_option(option, optarg);
    if (optind != argc || options.threads < 1) usage();
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    report_start();
    const char *door = getenv("AIMDB_DOOR");
    printf("seed %llu profile %s door %s\n", (unsigned long long)options.seed,
           options.profile->name, door && door[0] ? door : "default");
    fflush(stdout);
    run();
    report_counts();
    return report_findings() ? 1 : 0;
}
