// SPDX-License-Identifier: Apache-2.0
// The client of the torture test: connections in every way that the plans know, from threads and processes, until there were enough
// requests.
//
// usage: torture_client --table FILE --port4 N --port6 N --unix NAME --seed S [--requests N | --seconds S] [--threads N] [--processes N]
//                       [--variant LIST] [--only ORDINAL] [--evil] [--ktls] [--commands] [--progress SECONDS]
// Says `pid N`. With --commands each line on stdin is a run: more options, as above. --only repeats one connection of a run with this seed
// and these variants. A line of progress on stderr every few seconds; at the end of a run its report, an object of JSON, on stdout; SIGTERM
// ends a run when its connections are done. --variant help lists the names.
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <sstream>
#include <thread>
#include <vector>

#include "conversation.h"
#include "probes.h"

using namespace torture;

namespace {

struct Options {
  Target target;
  std::string table, variant;
  uint64_t requests = 0;
  double seconds = 0, progress = 5;
  unsigned threads = 16, processes = 1;
  int64_t only = -1;
  bool ktls = false, commands = false;
};

std::atomic<bool> asked_to_stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // as a signal handler sets it

bool parse(const std::vector<std::string>& words, Options& o) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& option = words[i];
    if (option == "--evil") {
      o.target.evil = true;
      continue;
    }
    if (option == "--ktls") {
      o.ktls = true;
      continue;
    }
    if (option == "--commands") {
      o.commands = true;
      continue;
    }
    if (i + 1 >= words.size()) return false;
    const char* value = words[++i].c_str();
    if (option == "--table")
      o.table = value;
    else if (option == "--port4")
      o.target.port4 = static_cast<uint16_t>(std::atoi(value));
    else if (option == "--port6")
      o.target.port6 = static_cast<uint16_t>(std::atoi(value));
    else if (option == "--unix")
      o.target.unix_socket = value;
    else if (option == "--seed")
      o.target.seed = std::strtoull(value, nullptr, 0);
    else if (option == "--requests")
      o.requests = std::strtoull(value, nullptr, 0);
    else if (option == "--seconds")
      o.seconds = std::atof(value);
    else if (option == "--progress")
      o.progress = std::atof(value);
    else if (option == "--threads")
      o.threads = static_cast<unsigned>(std::atoi(value));
    else if (option == "--processes")
      o.processes = static_cast<unsigned>(std::atoi(value));
    else if (option == "--variant")
      o.variant = value;
    else if (option == "--only")
      o.only = std::atoll(value);
    else
      return false;
  }
  return !o.table.empty();
}

void list_variants() {
  for (size_t a = 0; a < kAxes; ++a) {
    for (const std::string_view name : names(static_cast<Axis>(a))) std::printf("%.*s ", static_cast<int>(name.size()), name.data());
    std::printf("\n");
  }
}

void work(const Options& o, Table& table, Report& report) {
  if (o.only >= 0) {
    converse(o.target, static_cast<uint64_t>(o.only), table, report);
    return;
  }
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < o.threads; ++i)
    threads.emplace_back([&] {
      while (!report.stop && (o.requests == 0 || report.answered < o.requests)) converse(o.target, report.next_ordinal++, table, report);
    });
  for (std::thread& t : threads) t.join();
}

// Until the processes have ended, or (without any) the work of this one is `done`.
void watch(const Options& o, Report& report, std::vector<pid_t> children, const std::atomic<bool>& done) {
  const auto began = std::chrono::steady_clock::now();
  double said = 0;
  while (!children.empty() || !done) {
    std::erase_if(children, [&](pid_t pid) {
      int status = 0;
      if (waitpid(pid, &status, WNOHANG) != pid) return false;
      if (status != 0) report.complain(report.broken, Plan{}, "a process of the client ended with " + std::to_string(status));
      return true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const double at = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if ((o.seconds > 0 && at >= o.seconds) || asked_to_stop) report.stop = true;
    if (at - said < o.progress) continue;
    said = at;
    std::fprintf(stderr, "%.0f s: %llu requests on %llu connections, %llu broken, longest wait %.1f ms\n", at,
                 static_cast<unsigned long long>(report.answered), static_cast<unsigned long long>(report.connections),
                 static_cast<unsigned long long>(report.broken), static_cast<double>(report.longest_us) / 1000);
  }
}

// 0, or the exit status of a run that cannot be.
int one_run(Options o) {
  const auto pins = pins_named(o.variant);
  Table table(o.table.c_str());
  if (!pins || !table.valid()) {
    std::fprintf(stderr, "torture_client: no such variant or table: %s %s; --variant help lists the variants\n", o.variant.c_str(),
                 o.table.c_str());
    return 2;
  }
  o.target.pins = *pins;
  if (o.ktls) {
    std::printf("\"%s\"\n", kernel_tls(o.target.port4).c_str());
    std::fflush(stdout);
    return 0;
  }
  Report* report = shared_report();
  std::vector<pid_t> children;
  for (unsigned i = 0; i < o.processes && o.processes > 1; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      work(o, table, *report);
      _exit(0);
    }
    if (child > 0) children.push_back(child);
  }
  // One process works itself, so that whoever attaches to it by its id while it runs sees all of it.
  std::atomic<bool> done = o.processes > 1;
  std::thread alone;
  if (!done) alone = std::thread([&] { work(o, table, *report), done = true; });
  watch(o, *report, children, done);
  if (alone.joinable()) alone.join();
  std::printf("%s\n", report->json().c_str());
  std::fflush(stdout);
  release(report);
  return 0;
}

int by_commands(const Options& defaults) {
  char line[1024];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    std::istringstream in(line);
    const std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
    Options o = defaults;
    if (!parse(words, o)) return 2;
    if (const int status = one_run(o); status != 0) return status;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words == std::vector<std::string>{"--variant", "help"}) {
    list_variants();
    return 0;
  }
  Options o;
  if (!parse(words, o)) {
    std::fprintf(stderr, "usage: torture_client --table FILE --port4 N --port6 N --unix NAME --seed S …; see the head of client.cc\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { asked_to_stop = true; });
  std::printf("pid %d\n", static_cast<int>(getpid()));
  std::fflush(stdout);
  return o.commands ? by_commands(o) : one_run(o);
}
