// SPDX-License-Identifier: Apache-2.0
//
// Checks and a watchdog for the C++ tests; a hang is ended by SIGALRM.
#ifndef TEST_HPP
#define TEST_HPP

#include <aimdb.hpp>

#include <cstdio>
#include <cstdlib>
#include <semaphore.h>
#include <unistd.h>

#define REQUIRE(what)                                                                              \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            std::fprintf(stderr, "%s:%d: not so: %s (last error: %s)\n", __FILE__, __LINE__,       \
                         #what, aimdb::last_error());                                              \
            std::abort();                                                                          \
        }                                                                                          \
    } while (0)

#define RUN(test)                                                                                  \
    do {                                                                                           \
        std::printf("%s\n", #test);                                                                \
        std::fflush(stdout);                                                                       \
        alarm(120);                                                                                \
        test();                                                                                    \
        alarm(0);                                                                                  \
    } while (0)

// What one thread waits for and another says.
class Event {
  public:
    Event() { sem_init(&semaphore_, 0, 0); }
    Event(const Event &) = delete;
    Event &operator=(const Event &) = delete;
    ~Event() { sem_destroy(&semaphore_); }
    void say() { sem_post(&semaphore_); }
    void wait() {
        while (sem_wait(&semaphore_) != 0) {
        }
    }

  private:
    sem_t semaphore_;
};

#endif
