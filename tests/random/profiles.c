// SPDX-License-Identifier: Apache-2.0
//
// How often which call is made, in which world.

#include "random.h"

static const struct weight everything[] = {
    {do_produce, 30},     {do_batch, 8},     {do_emit, 8},        {do_emit_wrongly, 2},
    {do_dive, 2},         {do_subscribe, 6}, {do_unsubscribe, 4}, {do_open_reader, 5},
    {do_close_reader, 4}, {do_try_recv, 10}, {do_recv, 8},        {do_recv_batch, 6},
    {do_wait, 1},         {do_poll, 4},      {do_epoll, 2},       {do_peek, 4},
    {do_look, 8},         {do_open, 2},      {do_register, 2},    {do_set_producer, 1},
    {do_fixed_texts, 1},  {do_hostile, 6},   {do_start, 5},       {do_brief_database, 1},
    {do_rest, 1},         {NULL, 0},
};
static const struct weight lifecycle[] = {
    {do_produce, 12},     {do_batch, 3},      {do_emit, 4},         {do_emit_wrongly, 1},
    {do_dive, 1},         {do_subscribe, 14}, {do_unsubscribe, 12}, {do_open_reader, 10},
    {do_close_reader, 9}, {do_try_recv, 5},   {do_recv, 5},         {do_recv_batch, 3},
    {do_wait, 2},         {do_poll, 3},       {do_epoll, 1},        {do_peek, 2},
    {do_look, 6},         {do_register, 3},   {do_set_producer, 2}, {do_hostile, 4},
    {do_start, 6},        {do_close, 1},      {do_destroy, 1},      {do_brief_database, 4},
    {do_rest, 1},         {NULL, 0},
};
static const struct weight descriptors[] = {
    {do_produce, 20},    {do_batch, 4},        {do_subscribe, 1}, {do_unsubscribe, 1},
    {do_open_reader, 8}, {do_close_reader, 7}, {do_try_recv, 4},  {do_recv, 3},
    {do_recv_batch, 2},  {do_wait, 1},         {do_poll, 20},     {do_epoll, 10},
    {do_look, 2},        {do_hostile, 1},      {do_start, 5},     {do_rest, 2},
    {NULL, 0},
};
static const struct weight mailbox[] = {
    {do_produce, 25},    {do_batch, 3},        {do_subscribe, 4}, {do_unsubscribe, 3},
    {do_open_reader, 5}, {do_close_reader, 4}, {do_try_recv, 8},  {do_recv, 20},
    {do_recv_batch, 6},  {do_wait, 5},         {do_poll, 4},      {do_peek, 6},
    {do_look, 4},        {do_hostile, 1},      {do_start, 5},     {do_rest, 3},
    {NULL, 0},
};
static const struct weight pipeline[] = {
    {do_produce, 30},     {do_dive, 10},       {do_emit, 20},       {do_emit_wrongly, 4},
    {do_subscribe, 6},    {do_unsubscribe, 3}, {do_open_reader, 2}, {do_close_reader, 2},
    {do_try_recv, 4},     {do_recv, 3},        {do_look, 4},        {do_start, 4},
    {do_set_producer, 1}, {do_rest, 1},        {NULL, 0},
};

/* What the numbers are, struct profile says. */
// clang-format off
static const struct profile profiles[] = {
    {"default", "everything",
     .databases = 4, .records = 8, .life = 2500, .buffers = {5, 2, 2}, .shared = 50,
     .naps = 8, .inner = 25, .large = 6, .producers = 40, .patient = 10, .calls = everything},
    {"lifecycle", "subscriptions and databases come and go",
     .databases = 6, .records = 5, .life = 300, .buffers = {4, 2, 2}, .shared = 50,
     .naps = 5, .inner = 30, .large = 4, .producers = 30, .patient = 10, .calls = lifecycle},
    {"descriptors", "poll and epoll",
     .databases = 4, .records = 5, .life = 1200, .buffers = {4, 2, 3}, .shared = 40,
     .naps = 3, .inner = 5, .large = 4, .producers = 10, .patient = 20, .calls = descriptors},
    {"shared", "shared consumers that sleep",
     .databases = 3, .records = 8, .life = 2000, .buffers = {5, 2, 2}, .shared = 100,
     .naps = 25, .inner = 25, .large = 4, .producers = 30, .patient = 10, .calls = everything},
    {"mailbox", "waiters at mailboxes",
     .databases = 3, .records = 5, .life = 1500, .buffers = {1, 1, 8}, .shared = 40,
     .naps = 4, .inner = 10, .large = 4, .producers = 20, .patient = 10, .calls = mailbox},
    {"pipeline", "chains and cycles of emission",
     .databases = 3, .records = 9, .life = 2500, .buffers = {6, 2, 2}, .shared = 50,
     .naps = 4, .inner = 15, .large = 4, .producers = 80, .patient = 30, .calls = pipeline},
};
// clang-format on

const struct profile *profile_named(const char *name) {
    for (size_t i = 0; i < COUNT(profiles); i++)
        if (strcmp(profiles[i].name, name) == 0) return &profiles[i];
    return NULL;
}

void profile_list(void) {
    for (size_t i = 0; i < COUNT(profiles); i++)
        printf("    %-12s %s\n", profiles[i].name, profiles[i].what);
}

void act(struct database *db) {
    const struct weight *calls = options.profile->calls;
    uint64_t sum = 0;
    for (size_t i = 0; calls[i].call; i++) sum += calls[i].weight;
    uint64_t roll = below(sum);
    size_t i = 0;
    for (; roll >= calls[i].weight; i++) roll -= calls[i].weight;
    calls[i].call(db);
}
