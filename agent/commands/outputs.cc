// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/outputs.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace clew::commands {
namespace {

constexpr std::chrono::milliseconds kLook(50);  // how late impatience may be noticed

std::string protocol_name(std::optional<cli::OtlpProtocol> protocol) {
  if (!protocol) return {};
  switch (*protocol) {
    case cli::OtlpProtocol::kGrpc: return "grpc";
    case cli::OtlpProtocol::kHttpProtobuf: return "http/protobuf";
    case cli::OtlpProtocol::kHttpJson: return "http/json";
  }
  return {};
}

}  // namespace

base::Result<Outputs> Outputs::open(const cli::OutputOptions& options, const cli::EnvironmentLookup& lookup, exporter::Wiring wiring) {
  Outputs outputs;
  wiring.on_reader_gone = [gone = outputs.readers_gone_] { ++*gone; };
  std::vector<exporter::Options> wanted;
  if (options.console != cli::ConsoleMode::kNone) {
    exporter::console::Options console;
    console.format =
        options.console == cli::ConsoleMode::kTree ? exporter::console::Options::Format::kTree : exporter::console::Options::Format::kLine;
    console.style = exporter::console::detect_style(console.fd, lookup);
    wanted.emplace_back(console);
  }
  for (const std::string& file : options.files) wanted.emplace_back(exporter::FileOptions{file});
  const exporter::Environment environment = [&lookup](const std::string& name) -> std::optional<std::string> {
    const char* value = lookup ? lookup(name.c_str()) : nullptr;
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  };
  for (const cli::OtlpDestination& destination : options.otlp) {
    std::vector<std::string> warnings;
    CLEW_TRY(exporter::OtlpOptions otlp,
             exporter::parse_otlp_options({destination.url, protocol_name(destination.protocol)}, environment, warnings));
    for (const std::string& warning : warnings) wiring.log(exporter::Severity::kWarning, warning);
    wanted.emplace_back(std::move(otlp));
  }
  for (const exporter::Options& one : wanted) {
    CLEW_TRY(std::unique_ptr<exporter::Exporter> made, exporter::make_exporter(one, wiring));
    outputs.exporters_.push_back(std::move(made));
  }
  return outputs;
}

void Outputs::submit(std::vector<exporter::Span> spans) {
  if (spans.empty()) return;
  spans_ += spans.size();
  const auto batch = std::make_shared<const exporter::SpanBatch>(std::move(spans));
  for (const auto& exporter : exporters_) exporter->submit(batch);
}

void Outputs::shutdown(std::chrono::milliseconds patience, const std::function<bool()>& hurried) {
  std::mutex mutex;
  std::condition_variable_any ended;
  const std::jthread watcher([&](const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    while (!stop.stop_requested() && !hurried()) ended.wait_for(lock, stop, kLook, [] { return false; });
    if (stop.stop_requested()) return;
    for (const auto& exporter : exporters_) exporter->hurry();
  });
  for (const auto& exporter : exporters_) exporter->shutdown(patience);
}

}  // namespace clew::commands
