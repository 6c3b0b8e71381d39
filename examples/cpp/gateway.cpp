// SPDX-License-Identifier: Apache-2.0
//
// A gateway in C++, fed by the machine it runs on:
//
//   load      ring      CPU load from /proc/stat; what is no percentage is rejected
//   alerts    ring      the limit crossed, emitted by the consumer that watches
//   settings  latest    the limit and the rate
//   commands  mailbox   lines on stdin: limit N, rate N, stop
//
// and an uplink that is slow on purpose: it lags, is told how much it lost, and
// disturbs nobody. At the end the accounts of the library are compared with
// what the consumers counted.

#include <aimdb.hpp>

#include <algorithm>
#include <cinttypes>
#include <fstream>
#include <iostream>
#include <poll.h>
#include <sstream>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

struct Load {
    static constexpr const char *aimdb_type = "gateway.Load";
    std::uint64_t number; // from 1, so that a consumer knows what it missed
    double percent;
};

struct Alert {
    static constexpr const char *aimdb_type = "gateway.Alert";
    std::uint64_t load; // number of the value that crossed the limit
    double percent;
    double limit;
};

struct Settings {
    static constexpr const char *aimdb_type = "gateway.Settings";
    double limit;       // percent
    std::uint64_t rate; // Hz
};

struct Command {
    static constexpr const char *aimdb_type = "gateway.Command";
    enum Kind : std::uint64_t { set_limit, set_rate, stop } kind;
    double argument;
};

// What a consumer itself counted.
struct Tally {
    std::uint64_t received = 0;
    std::uint64_t missed = 0; // gaps in the numbers
    std::uint64_t told = 0;   // lost, by its lag function
    std::uint64_t last = 0;

    void see(const Load &load) {
        received++;
        missed += load.number - last - 1;
        last = load.number;
    }
};

// CPU time used, in percent of the time that passed; smoothed over some calls,
// since the kernel counts in steps of 10 ms.
double cpu_percent() {
    static std::uint64_t last_idle, last_total;
    static double smooth;
    std::ifstream stat("/proc/stat");
    std::string cpu;
    std::uint64_t total = 0, idle = 0, ticks;
    stat >> cpu;
    for (int column = 0; column < 8 && stat >> ticks; column++) {
        total += ticks;
        if (column == 3 || column == 4) idle += ticks; // idle, iowait
    }
    const auto passed = total - last_total, slept = idle - last_idle;
    last_total = total, last_idle = idle;
    if (passed != 0) {
        const double now = 100.0 * (1.0 - static_cast<double>(slept) / static_cast<double>(passed));
        smooth += 0.05 * (now - smooth);
    }
    return smooth;
}

// Unsubscribes, which waits for a callback that runs, and compares the accounts.
bool balances(const char *name, const Tally &tally, aimdb::Subscription &subscription) {
    aimdb::ConsumerStats s;
    if (!subscription.unsubscribe(&s)) return false;
    std::printf("%-8s offered %" PRIu64 " = delivered %" PRIu64 " + lagged %" PRIu64
                " + pending %" PRIu64 " + abandoned %" PRIu64 "\n",
                name, s.offered, s.delivered, s.lagged, s.pending, s.abandoned);
    return s.offered == s.delivered + s.lagged + s.pending + s.abandoned &&
           tally.received == s.delivered && tally.missed == tally.told && tally.told <= s.lagged;
}

// One line of stdin as a command; false at its end.
bool read_command(const aimdb::Record<Command> &commands) {
    std::string line, word;
    if (!std::getline(std::cin, line)) return false;
    std::istringstream words(line);
    double argument = 0;
    words >> word >> argument;
    aimdb::Status given;
    if (word == "limit")
        given = commands.produce({Command::set_limit, argument});
    else if (word == "rate")
        given = commands.produce({Command::set_rate, argument});
    else if (word == "stop")
        given = commands.produce({Command::stop, 0});
    else
        std::cerr << "limit N, rate N or stop\n";
    if (!given) std::cerr << line << ": " << given.text() << '\n';
    return true;
}

int run(double seconds, Settings settings) {
    auto db = aimdb::Database::create().value();
    auto load = db.add<Load>("gateway.load", aimdb::ring(256)).value();
    auto alerts = db.add<Alert>("gateway.alerts").value();
    auto current = db.add<Settings>("gateway.settings", aimdb::latest()).value();
    auto commands = db.add<Command>("gateway.commands", aimdb::mailbox()).value();

    auto valid = [](const Load &l) {
        return l.percent >= 0 && l.percent <= 100 ? aimdb::Verdict::accept : aimdb::Verdict::reject;
    };
    if (!load.set_producer(valid)) return 1;

    // Consumers run on threads of their own. What they refer to outlives them:
    // it stands before the subscriptions, whose destructors wait.
    Tally watched, sent;
    bool above = false;
    auto watch =
        load.subscribe(
                [&](const aimdb::Message<Load> &m) {
                    watched.see(*m);
                    const double limit = current.peek()->limit;
                    const bool crossed = m->percent > limit && !above;
                    above = m->percent > limit;
                    // A database that closes takes no more, which is no error.
                    return !crossed || !m.emit(alerts, {m->number, m->percent, limit}).is_error();
                },
                [&](aimdb::Lag lag) { watched.told += lag.values; })
            .value();
    auto uplink = load.subscribe(
                          [&](const Load &l) {
                              sent.see(l);
                              std::this_thread::sleep_for(20ms); // a slow network
                          },
                          [&](aimdb::Lag lag) { sent.told += lag.values; })
                      .value();
    auto alarm = alerts
                     .subscribe([](const Alert &a) {
                         std::printf("load %" PRIu64 ": %.1f %% is over %.1f %%\n", a.load,
                                     a.percent, a.limit);
                     })
                     .value();

    auto received = commands.reader().value();
    if (!db.start() || !current.produce(settings)) return 1;

    const auto begin = Clock::now();
    const auto end =
        begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    pollfd fds[] = {{received.fd().value(), POLLIN, 0}, {0, POLLIN, 0}};
    std::uint64_t number = 0, rejected = 0;
    bool running = true;
    for (auto next = begin; running && next < end;) {
        const auto wait = std::max(next - Clock::now(), Clock::duration::zero());
        const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
        if (poll(fds, 2, static_cast<int>(wait_ms)) < 0) break;
        if (fds[1].revents && !read_command(commands)) fds[1].fd = -1; // no more of them
        while (auto command = received.try_recv()) {
            switch (command->kind) {
            case Command::set_limit:
                settings.limit = command->argument;
                break;
            case Command::set_rate:
                settings.rate = static_cast<std::uint64_t>(std::clamp(command->argument, 1.0, 1e4));
                break;
            case Command::stop:
                running = false;
                break;
            }
            if (!current.produce(settings)) return 1;
        }
        for (; next <= Clock::now(); next += 1000000us / settings.rate) {
            const auto status = load.produce({number + 1, cpu_percent()});
            if (status == AIMDB_OK)
                number++;
            else if (status == AIMDB_REJECTED)
                rejected++;
            else
                return 1;
        }
    }

    const auto closed = db.close(2s);
    std::printf("closed: %s; %" PRIu64 " produced, %" PRIu64 " rejected\n", closed.text(), number,
                rejected);
    const auto record = load.stats().value();
    bool well = record.produced == number && record.rejected == rejected;
    well &= balances("watch", watched, watch);
    well &= balances("uplink", sent, uplink);
    std::puts(well ? "all accounts balance" : "an account is off");
    return well ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
    double seconds = 5;
    Settings settings = {90, 200};
    for (int i = 1; i < argc; i += 2) {
        const std::string option = argv[i];
        const double value = i + 1 < argc ? std::atof(argv[i + 1]) : 0;
        if (option == "--seconds" && value > 0) {
            seconds = value;
        } else if (option == "--rate" && value >= 1 && value <= 1e4) {
            settings.rate = static_cast<std::uint64_t>(value);
        } else {
            std::cerr << "usage: gateway [--seconds N] [--rate HZ]\n"
                         "commands on stdin: limit N, rate N, stop\n";
            return 2;
        }
    }
    return run(seconds, settings);
}
