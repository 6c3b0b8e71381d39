// SPDX-License-Identifier: Apache-2.0
//
// ZeroMQ: inproc PUB to SUB sockets, one SUB thread for each consumer. Set up
// for speed: no I/O thread (inproc needs none), no topic filter, received as
// messages without a copy.

#include "common.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <zmq.h>

static void *context, *publisher, *newest, *requester;
static pthread_t threads[CONSUMERS_MAX];
static int started;
static int queue_limit; // of each subscriber's queue, in messages; 0: none
static _Atomic bool ended;

static void check(int result) {
    if (result < 0) fail("zeromq: %s", zmq_strerror(zmq_errno()));
}

static void set(void *socket, int option, int number) {
    check(zmq_setsockopt(socket, option, &number, sizeof number));
}

static void *new_socket(int type) {
    void *s = zmq_socket(context, type);
    if (!s) check(-1);
    set(s, type == ZMQ_SUB ? ZMQ_RCVHWM : ZMQ_SNDHWM, queue_limit);
    set(s, ZMQ_LINGER, 0);
    return s;
}

static void *new_subscriber(bool latest) {
    void *s = new_socket(ZMQ_SUB);
    if (latest) set(s, ZMQ_CONFLATE, 1);
    check(zmq_setsockopt(s, ZMQ_SUBSCRIBE, "", 0));
    check(zmq_connect(s, "inproc://values"));
    return s;
}

static void *consume(void *consumer) {
    void *s = new_subscriber(false);
    zmq_msg_t message;
    check(zmq_msg_init(&message));
    while (zmq_msg_recv(&message, s, 0) >= 0)
        received((int)(intptr_t)consumer, zmq_msg_data(&message), zmq_msg_size(&message));
    if (!ended) check(-1);
    check(zmq_msg_close(&message));
    check(zmq_close(s));
    return NULL;
}

static void *echo(void *unused) {
    unsigned char data[64];
    void *s = new_socket(ZMQ_PAIR);
    check(zmq_connect(s, "inproc://mailbox"));
    while (zmq_recv(s, data, sizeof data, 0) >= 0) check(zmq_send(s, data, sizeof data, 0));
    if (!ended) check(-1);
    check(zmq_close(s));
    return unused;
}

static void start(void *(*run)(void *)) {
    if (pthread_create(&threads[started], NULL, run, (void *)(intptr_t)started)) fail("no thread");
    started++;
}

bool system_open(const setup_t *setup) {
    context = zmq_ctx_new();
    check(zmq_ctx_set(context, ZMQ_IO_THREADS, 0));
    if (setup->shape == MAILBOXES) {
        requester = new_socket(ZMQ_PAIR);
        check(zmq_bind(requester, "inproc://mailbox"));
        start(echo);
        return true;
    }
    publisher = new_socket(ZMQ_PUB);
    if (setup->shape == LATEST) set(publisher, ZMQ_CONFLATE, 1);
    check(zmq_bind(publisher, "inproc://values"));
    if (setup->shape == LATEST) newest = new_subscriber(true);
    while (started < setup->consumers) start(consume);
    return true;
}

void system_push(const void *data, size_t size) {
    check(zmq_send(publisher, data, size, 0));
}

void system_read(void *data, size_t size) {
    check(zmq_recv(newest, data, size, ZMQ_DONTWAIT));
}

void system_roundtrips(uint64_t count) {
    unsigned char data[64], back[64];
    for (uint64_t i = 0; i < count; i++) {
        stamp(data, sizeof data, i);
        check(zmq_send(requester, data, sizeof data, 0));
        check(zmq_recv(requester, back, sizeof back, 0));
        if (word(back, 0) != i || word(back, 56) != i)
            fail("another answer than to request %lu", (unsigned long)i);
    }
}

void system_close(void) {
    ended = true;
    check(zmq_ctx_shutdown(context));
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    void *const sockets[] = {publisher, newest, requester};
    for (int i = 0; i < 3; i++)
        if (sockets[i]) check(zmq_close(sockets[i]));
    check(zmq_ctx_term(context));
}

const char *system_version(void) {
    static char text[32];
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}

#include "scenarios.h"
