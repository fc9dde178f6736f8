// SPDX-License-Identifier: Apache-2.0
// The client of the torture test: connections in every way that the plans know, from threads and processes, until there were enough requests.
//
// usage: torture_client --table FILE --port4 N --port6 N --unix NAME --seed S [--requests N | --seconds S] [--threads N] [--processes N]
//                       [--variant LIST] [--only ORDINAL] [--evil] [--ktls] [--wait] [--progress SECONDS]
// Says `pid N`; with --wait it begins when a line comes on stdin. --only repeats one connection of a run with this seed and these variants.
// A line of progress on stderr every few seconds; at the end the report, an object of JSON, on stdout. --variant help lists the names.
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
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
  bool ktls = false, wait = false;
};

bool parse(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--evil") { o.target.evil = true; continue; }
    if (option == "--ktls") { o.ktls = true; continue; }
    if (option == "--wait") { o.wait = true; continue; }
    if (i + 1 >= argc) return false;
    const char* value = argv[++i];
    if (option == "--table") o.table = value;
    else if (option == "--port4") o.target.port4 = static_cast<uint16_t>(std::atoi(value));
    else if (option == "--port6") o.target.port6 = static_cast<uint16_t>(std::atoi(value));
    else if (option == "--unix") o.target.unix_socket = value;
    else if (option == "--seed") o.target.seed = std::strtoull(value, nullptr, 0);
    else if (option == "--requests") o.requests = std::strtoull(value, nullptr, 0);
    else if (option == "--seconds") o.seconds = std::atof(value);
    else if (option == "--progress") o.progress = std::atof(value);
    else if (option == "--threads") o.threads = static_cast<unsigned>(std::atoi(value));
    else if (option == "--processes") o.processes = static_cast<unsigned>(std::atoi(value));
    else if (option == "--variant") o.variant = value;
    else if (option == "--only") o.only = std::atoll(value);
    else return false;
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
    if (o.seconds > 0 && at >= o.seconds) report.stop = true;
    if (at - said < o.progress) continue;
    said = at;
    std::fprintf(stderr, "%.0f s: %llu requests on %llu connections, %llu broken, longest wait %.1f ms\n", at,
                 static_cast<unsigned long long>(report.answered), static_cast<unsigned long long>(report.connections),
                 static_cast<unsigned long long>(report.broken), static_cast<double>(report.longest_us) / 1000);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (argc > 2 && std::string_view(argv[1]) == "--variant" && std::string_view(argv[2]) == "help") return list_variants(), 0;
  if (!parse(argc, argv, o)) {
    std::fprintf(stderr, "usage: torture_client --table FILE --port4 N --port6 N --unix NAME --seed S …; see the head of client.cc\n");
    return 2;
  }
  const auto pins = pins_named(o.variant);
  if (!pins) {
    std::fprintf(stderr, "torture_client: no such variant: %s; --variant help lists them\n", o.variant.c_str());
    return 2;
  }
  o.target.pins = *pins;
  std::signal(SIGPIPE, SIG_IGN);
  Table table(o.table.c_str());
  if (!table.valid()) return 1;
  std::printf("pid %d\n", static_cast<int>(getpid()));
  std::fflush(stdout);
  if (o.wait)
    for (int c = std::getchar(); c != '\n' && c != EOF;) c = std::getchar();
  if (o.ktls) {
    std::printf("%s\n", kernel_tls(o.target.port4).c_str());
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
  return 0;
}
