// SPDX-License-Identifier: Apache-2.0

/* Memory of a caller whose pages take their time to come in (swap, a file, a
 * device) holds up nobody else: producers go on while a receive or a peek waits
 * for its own buffer. Pages are held back by userfaultfd. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "test.h"

enum { VALUE = 8192, CAPACITY = 16, ROOM = VALUE * CAPACITY };

static int faults;
static char *held_back;
static aimdb_record_t *record;
static aimdb_reader_t *reader;
static _Atomic bool done;

/* Memory whose pages come when `let_in` is called; false if the system has none. */
static bool hold_back(void) {
    struct uffdio_api api = {.api = UFFD_API};
    faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0) return false;
    held_back = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(held_back != MAP_FAILED);
    struct uffdio_register range = {.range = {(uintptr_t)held_back, ROOM}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    REQUIRE(ioctl(faults, UFFDIO_REGISTER, &range) == 0);
    return true;
}

static void await_fault(void) {
    struct uffd_msg message;
    REQUIRE(read(faults, &message, sizeof message) == sizeof message);
    REQUIRE(message.event == UFFD_EVENT_PAGEFAULT);
}

static void let_in(void) {
    struct uffdio_zeropage pages = {.range = {(uintptr_t)held_back, ROOM}};
    REQUIRE(ioctl(faults, UFFDIO_ZEROPAGE, &pages) == 0);
}

static void *receive(void *unused) {
    aimdb_message_t messages[CAPACITY] = {AIMDB_MESSAGE_INIT};
    size_t count;
    OK(aimdb_recv_batch(reader, held_back, ROOM, messages, CAPACITY, &count, 0));
    done = true;
    return unused;
}

static void *peek(void *unused) {
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    OK(aimdb_peek(record, held_back, ROOM, &message));
    done = true;
    return unused;
}

static void producers_go_on(aimdb_buffer_t buffer, void *(*look)(void *)) {
    static char value[VALUE];
    if (!hold_back()) {
        printf("  not tried: no userfaultfd here (%s)\n", strerror(errno));
        return;
    }
    aimdb_t *db = quiet_database();
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.buffer = buffer, config.capacity = CAPACITY, config.payload_max = VALUE;
    OK(aimdb_register(db, "values", &config, &record));
    OK(aimdb_reader_open(record, &reader));
    OK(aimdb_start(db));
    for (int i = 0; i < CAPACITY; i++) OK(aimdb_produce(record, value, VALUE));
    pthread_t thread;
    done = false;
    REQUIRE(pthread_create(&thread, NULL, look, NULL) == 0);
    await_fault();
    for (int i = 0; i < 1000; i++) OK(aimdb_produce(record, value, VALUE)); /* else the watchdog comes */
    REQUIRE(!done);
    let_in();
    REQUIRE(pthread_join(thread, NULL) == 0);
    end_database(db);
    munmap(held_back, ROOM);
    close(faults);
}

static void a_receive_from_a_ring(void) { producers_go_on(AIMDB_RING, receive); }
static void a_receive_of_a_latest(void) { producers_go_on(AIMDB_LATEST, receive); }
static void a_receive_from_a_mailbox(void) { producers_go_on(AIMDB_MAILBOX, receive); }
static void a_peek_at_a_latest(void) { producers_go_on(AIMDB_LATEST, peek); }
static void a_peek_at_a_mailbox(void) { producers_go_on(AIMDB_MAILBOX, peek); }

int main(void) {
    RUN(a_receive_from_a_ring);
    RUN(a_receive_of_a_latest);
    RUN(a_receive_from_a_mailbox);
    RUN(a_peek_at_a_latest);
    RUN(a_peek_at_a_mailbox);
    return 0;
}
