/* SPDX-License-Identifier: Apache-2.0
 *
 * No wake-up is lost. Each value is produced a short, varying time after the one
 * before was received, so that it falls into the moment in which the receiver
 * finds nothing, announces itself and goes to sleep. A lost wake-up hangs.
 */
#include "test.h"

#include <sched.h>

enum { ROUNDS = 200000, RECEIVERS_MAX = 2 };

struct hammer {
    aimdb_record_t *record;
    atomic_ullong received[RECEIVERS_MAX]; /* newest number each has */
};

struct receiver {
    aimdb_reader_t *reader;
    atomic_ullong *received;
    struct thread thread;
};

static void receive(void *arg)
{
    struct receiver *receiver = arg;
    for (struct taken taken;;) {
        taken = take(receiver->reader, AIMDB_FOREVER);
        if (taken.status != AIMDB_OK) {
            CHECK_STATUS(taken.status, AIMDB_CLOSED);
            return;
        }
        atomic_store(receiver->received, taken.number);
    }
}

static int receive_by_callback(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user)
{
    (void)emitter;
    atomic_store((atomic_ullong *)user, number_of(message));
    return 0;
}

/* Waits awake, for the receiver's way to sleep is short; gives the processor away
 * when it takes long. The watchdog ends it. */
static void look_again(unsigned *looks)
{
    if (++*looks > 100000) nap();
    else if (*looks % 256 == 0) sched_yield();
}

static void await_number(struct hammer *hammer, int receivers, bool each, uint64_t number)
{
    for (unsigned looks = 0;; look_again(&looks)) {
        int have = 0;
        for (int i = 0; i < receivers; i++)
            have += atomic_load(&hammer->received[i]) == number;
        if (have == (each ? receivers : 1)) return;
    }
}

static void pause_shortly(uint32_t *random)
{
    for (uint32_t steps = random_next(random) % 1500; steps; steps--)
        atomic_signal_fence(memory_order_seq_cst);
}

/* All receivers get each value (ring, latest), or one of them does (mailbox). */
static void hammer_values(struct hammer *hammer, int receivers, bool each)
{
    uint32_t random = 11;
    for (uint64_t n = 1, last = rounds(ROUNDS); n <= last; n++) {
        REQUIRE_OK(put(hammer->record, n));
        await_number(hammer, receivers, each, n);
        pause_shortly(&random);
    }
}

static void check_hammer(aimdb_buffer_t buffer, int receivers)
{
    aimdb_t *db = database();
    struct hammer hammer = { numbers(db, buffer, 4), { 0 } };
    struct receiver receiving[RECEIVERS_MAX];
    started(db);
    for (int i = 0; i < receivers; i++) {
        receiving[i].reader = reader(hammer.record);
        receiving[i].received = &hammer.received[i];
        thread_start(&receiving[i].thread, receive, &receiving[i]);
    }
    hammer_values(&hammer, receivers, buffer != AIMDB_MAILBOX);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    for (int i = 0; i < receivers; i++) thread_join(&receiving[i].thread);
    end(db);
}

TEST(parking_ring_loses_no_wake_up_with_1_reader) { check_hammer(AIMDB_RING, 1); }

TEST(parking_ring_loses_no_wake_up_with_2_readers) { check_hammer(AIMDB_RING, 2); }

TEST(parking_latest_loses_no_wake_up) { check_hammer(AIMDB_LATEST, 1); }

TEST(parking_mailbox_loses_no_wake_up_with_1_reader) { check_hammer(AIMDB_MAILBOX, 1); }

TEST(parking_mailbox_loses_no_wake_up_with_2_readers) { check_hammer(AIMDB_MAILBOX, 2); }

TEST(parking_callback_loses_no_wake_up)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        struct hammer hammer = { numbers(db, buffers[b], 4), { 0 } };
        aimdb_consumer_config_t config = consumer_config();
        config.fn = receive_by_callback;
        config.user = &hammer.received[0];
        REQUIRE_OK(aimdb_subscribe(hammer.record, &config, NULL));
        started(db);
        hammer_values(&hammer, 1, true);
        end(db);
    }
}

/* Ping-pong: both sides sleep. */
struct sides {
    aimdb_reader_t *pings;
    aimdb_record_t *pong;
};

static void return_pings(void *arg)
{
    struct sides *sides = arg;
    for (struct taken taken; (taken = take(sides->pings, AIMDB_FOREVER)).status == AIMDB_OK;)
        REQUIRE_OK(put(sides->pong, taken.number));
}

TEST(parking_ping_pong_loses_no_wake_up)
{
    aimdb_t *db = database();
    aimdb_record_t *ping = record(db, "ping", AIMDB_RING, 1, 8);
    aimdb_record_t *pong = record(db, "pong", AIMDB_MAILBOX, 0, 8);
    struct sides sides = { reader(ping), pong };
    aimdb_reader_t *pongs = reader(pong);
    struct thread other;
    started(db);
    thread_start(&other, return_pings, &sides);
    for (uint64_t n = 1, last = rounds(ROUNDS / 2); n <= last; n++) {
        REQUIRE_OK(put(ping, n));
        struct taken taken = take(pongs, AIMDB_FOREVER);
        if (!CHECK_STATUS(taken.status, AIMDB_OK) || !CHECK_EQ(taken.number, n)) break;
    }
    CHECK_OK(aimdb_close(db, LONG_TIME));
    thread_join(&other);
    end(db);
}
