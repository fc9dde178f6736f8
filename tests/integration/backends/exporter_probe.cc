// SPDX-License-Identifier: Apache-2.0
// Sends the same sample spans through exporters: exporter_probe --spans N [--file F] [--console[=tree]] [--otlp URL PROTOCOL]…
#include <fmt/core.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "exporter/factory.h"
#include "exporter/testing/sample_spans.h"

namespace {

using namespace clew;

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody changes it
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

struct Plan {
  size_t spans = 1000;
  uint64_t seed = 1;
  double rate = 0;  // spans a second; 0: as fast as possible
  std::vector<exporter::Options> outputs;
};

bool parse(const std::vector<std::string>& words, Plan& plan) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool more = i + 1 < words.size();
    if (word == "--spans" && more) {
      plan.spans = std::strtoull(words[++i].c_str(), nullptr, 10);
    } else if (word == "--seed" && more) {
      plan.seed = std::strtoull(words[++i].c_str(), nullptr, 10);
    } else if (word == "--rate" && more) {
      plan.rate = std::strtod(words[++i].c_str(), nullptr);
    } else if (word == "--file" && more) {
      plan.outputs.emplace_back(exporter::FileOptions{words[++i]});
    } else if (word == "--console" || word == "--console=tree") {
      exporter::console::Options options;
      options.format = word == "--console" ? exporter::console::Options::Format::kLine : exporter::console::Options::Format::kTree;
      options.style = exporter::console::detect_style(1, [](const char* name) { return std::getenv(name); });  // NOLINT
      plan.outputs.emplace_back(options);
    } else if (word == "--otlp" && i + 2 < words.size()) {
      std::vector<std::string> warnings;
      auto options = exporter::parse_otlp_options({.url = words[i + 1], .protocol = words[i + 2]}, environment, warnings);
      for (const std::string& warning : warnings) fmt::print(stderr, "{}\n", warning);
      if (!options) {
        fmt::print(stderr, "{}\n", options.error().message);
        return false;
      }
      plan.outputs.emplace_back(*std::move(options));
      i += 2;
    } else {
      fmt::print(stderr, "exporter_probe: what is {}?\n", word);
      return false;
    }
  }
  return true;
}

void print_memory() {
  std::FILE* status = std::fopen("/proc/self/status", "re");
  if (status == nullptr) return;
  char line[256];
  while (std::fgets(line, sizeof(line), status) != nullptr)
    if (std::strncmp(line, "VmHWM", 5) == 0 || std::strncmp(line, "Threads", 7) == 0) fmt::print(stderr, "{}", line);
  std::fclose(status);
}

}  // namespace

int main(int argc, char** argv) {
  Plan plan;
  if (!parse({argv + 1, argv + argc}, plan)) return 2;
  base::Counters counters;
  const exporter::Wiring wiring{.counters = counters,
                                .log = [](exporter::Severity, std::string_view text) { fmt::print(stderr, "{}\n", text); },
                                .when_full = plan.rate > 0 ? exporter::WhenFull::kDrop : exporter::WhenFull::kWait,
                                .on_reader_gone = {}};
  std::vector<std::unique_ptr<exporter::Exporter>> exporters;
  for (const exporter::Options& output : plan.outputs) {
    auto made = exporter::make_exporter(output, wiring);
    if (!made) {
      fmt::print(stderr, "{}\n", made.error().message);
      return 1;
    }
    exporters.push_back(*std::move(made));
  }

  // Jaeger forgets what is too old, so the spans end now; all else depends on the seed alone.
  const auto now_ns = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  constexpr size_t kBatch = 250;
  auto next = std::chrono::steady_clock::now();
  for (size_t sent = 0; sent < plan.spans; sent += kBatch) {
    auto batch =
        std::make_shared<const exporter::SpanBatch>(exporter::sample_spans(std::min(kBatch, plan.spans - sent), plan.seed + sent, now_ns));
    for (const auto& exporter : exporters) exporter->submit(batch);
    if (plan.rate <= 0) continue;
    next += std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(static_cast<double>(kBatch) / plan.rate));
    std::this_thread::sleep_until(next);
  }
  print_memory();
  for (const auto& exporter : exporters) exporter->shutdown(std::chrono::seconds(10));
  for (const auto& sample : counters.snapshot()) fmt::print(stderr, "{}{{{}}} {}\n", sample.name, sample.labels, sample.value);
  return 0;
}
