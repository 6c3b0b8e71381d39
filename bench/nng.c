// SPDX-License-Identifier: Apache-2.0
//
// NNG: inproc pub0 to sub0, one sub0 socket and thread for each consumer; a
// pair for the mailboxes. Set up for speed: messages are handed over by
// nng_sendmsg and nng_recvmsg, queues hold 8192.

#include "common.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <pthread.h>

enum { QUEUE = 8192 };

static nng_socket publisher, subscribers[CONSUMERS_MAX], pair[2];
static bool mailboxes;
static pthread_t threads[CONSUMERS_MAX];
static int started;

static void check(int result) {
    if (result) fail("nng: %s", nng_strerror(result));
}

static inline void send(nng_socket s, const void *data, size_t size) {
    nng_msg *message;
    check(nng_msg_alloc(&message, size));
    memcpy(nng_msg_body(message), data, size);
    check(nng_sendmsg(s, message, 0));
}

static void *consume(void *consumer) {
    int result;
    nng_msg *message;
    while ((result = nng_recvmsg(subscribers[(intptr_t)consumer], &message, 0)) == 0) {
        received((int)(intptr_t)consumer, nng_msg_body(message), nng_msg_len(message));
        nng_msg_free(message);
    }
    if (result != NNG_ECLOSED) check(result);
    return NULL;
}

static void *echo(void *unused) {
    int result;
    nng_msg *message;
    while ((result = nng_recvmsg(pair[1], &message, 0)) == 0)
        if ((result = nng_sendmsg(pair[1], message, 0))) break;
    if (result != NNG_ECLOSED) check(result);
    return unused;
}

static void start(void *(*run)(void *)) {
    if (pthread_create(&threads[started], NULL, run, (void *)(intptr_t)started)) fail("no thread");
    started++;
}

static void subscribe(nng_socket *s) {
    check(nng_sub0_open(s));
    check(nng_socket_set_int(*s, NNG_OPT_RECVBUF, QUEUE));
    check(nng_socket_set(*s, NNG_OPT_SUB_SUBSCRIBE, "", 0));
    check(nng_dial(*s, "inproc://values", NULL, 0));
}

bool system_open(const setup_t *setup) {
    if (setup->shape == LATEST) return false;
    mailboxes = setup->shape == MAILBOXES;
    if (mailboxes) {
        check(nng_pair0_open(&pair[0])), check(nng_pair0_open(&pair[1]));
        check(nng_listen(pair[0], "inproc://mailbox", NULL, 0));
        check(nng_dial(pair[1], "inproc://mailbox", NULL, 0));
        start(echo);
        return true;
    }
    check(nng_pub0_open(&publisher));
    check(nng_socket_set_int(publisher, NNG_OPT_SENDBUF, QUEUE));
    check(nng_listen(publisher, "inproc://values", NULL, 0));
    for (int i = 0; i < setup->consumers; i++) subscribe(&subscribers[i]), start(consume);
    return true;
}

void system_push(const void *data, size_t size) {
    send(publisher, data, size);
}

void system_read(void *data, size_t size) {
    (void)data, fail("no %zu", size);
}

void system_roundtrips(uint64_t count) {
    unsigned char data[64];
    for (uint64_t i = 0; i < count; i++) {
        nng_msg *back;
        stamp(data, sizeof data, i);
        send(pair[0], data, sizeof data);
        check(nng_recvmsg(pair[0], &back, 0));
        if (word(nng_msg_body(back), 0) != i || word(nng_msg_body(back), 56) != i)
            fail("another answer than to request %lu", (unsigned long)i);
        nng_msg_free(back);
    }
}

void system_close(void) {
    if (mailboxes)
        nng_close(pair[1]), nng_close(pair[0]);
    else
        nng_close(publisher);
    for (int i = 0; i < started; i++) {
        if (!mailboxes) nng_close(subscribers[i]);
        pthread_join(threads[i], NULL);
    }
}

const char *system_version(void) {
    return nng_version();
}

#include "scenarios.h"
