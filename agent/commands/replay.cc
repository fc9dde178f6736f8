// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/replay.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <unordered_map>

#include "agent/capture/event_decoder.h"
#include "agent/commands/outputs.h"
#include "agent/commands/pipeline.h"
#include "agent/commands/propagators.h"
#include "agent/commands/stop_signals.h"
#include "agent/replay/pcap_reader.h"
#include "agent/replay/recording.h"
#include "agent/telemetry/summary.h"
#include "clew_version.h"

namespace clew::commands {
namespace {

constexpr auto kShutdownPatience = std::chrono::milliseconds(30000);
constexpr size_t kBatch = 512;  // spans that wait before they are handed on

std::shared_ptr<const exporter::Resource> resource_of_address(const exchange::Address& server) {
  auto resource = std::make_shared<exporter::Resource>();
  const bool is_v6 = server.text.find(':') != std::string::npos;
  resource->attributes.add(
      "service.name", server.port == 0 ? server.text : fmt::format(fmt::runtime(is_v6 ? "[{}]:{}" : "{}:{}"), server.text, server.port));
  resource->attributes.add("telemetry.distro.name", "clew");
  resource->attributes.add("telemetry.distro.version", CLEW_VERSION);
  return resource;
}

// Hands spans on while a source is read: memory does not grow with the file.
class FlushingSink final : public capture::Sink {
 public:
  FlushingSink(Pipeline& pipeline, Outputs& outputs) : pipeline_(pipeline), outputs_(outputs) {}
  void connection(const capture::Connection& connection) override { pipeline_.connections().connection(connection); }
  void bytes(const capture::Bytes& bytes) override {
    pipeline_.connections().bytes(bytes);
    if (bytes.time_ns > next_tick_ns_) {
      next_tick_ns_ = bytes.time_ns + 200'000'000;
      pipeline_.connections().tick(bytes.time_ns);
    }
    flush();
  }
  void end(const capture::End& end) override {
    pipeline_.connections().end(end);
    flush();
  }

 private:
  void flush() {
    if (pipeline_.connections().spans_waiting() >= kBatch) pipeline_.flush(outputs_);
  }
  Pipeline& pipeline_;
  Outputs& outputs_;
  uint64_t next_tick_ns_ = 0;
};

// A recording, played into a pipeline of its own: it brings its seed.
class RecordedRun final : public replay::RecordingSink, public capture::ProcessSink {
 public:
  RecordedRun(const cli::ReplayOptions& options, const cli::EnvironmentLookup& environment, const TraceSettings& traces, Outputs& outputs,
              base::Counters& counters)
      : options_(options), environment_(environment), traces_(traces), outputs_(outputs), counters_(counters) {}

  void seed(const correlation::Seed& seed) override {
    pipeline_.emplace(
        seed, options_.output.capture_query, environment_,
        [this](uint32_t process_id, const exchange::Place& place, uint64_t) { return resource(process_id, place); }, traces_, counters_);
    decoder_.emplace(pipeline_->connections(), *this, counters_);
  }
  void clock_offset(uint64_t offset_ns) override {
    if (decoder_) decoder_->set_clock_offset(offset_ns);
  }
  bool event(std::span<const std::byte> event) override {
    if (!decoder_) return false;
    const bool good = decoder_->decode(event);
    if (pipeline_->connections().spans_waiting() >= kBatch) pipeline_->flush(outputs_);
    return good;
  }
  void resource(uint32_t process_id, std::shared_ptr<const exporter::Resource> resource) override {
    resources_[process_id] = std::move(resource);
  }
  void tick(uint64_t now_ns) override {
    if (pipeline_) pipeline_->connections().tick(now_ns);
  }
  void finish(uint64_t now_ns) override {
    last_ns_ = now_ns;
    end();
  }
  void process(const capture::ProcessChange& change) override {  // what others led to is recorded
    using Kind = capture::ProcessChange::Kind;
    if (!pipeline_) return;
    if (change.kind == Kind::kRuntime) pipeline_->connections().runtime_changed(change.process_id, change.time_ns);
    if (change.kind == Kind::kExec || change.kind == Kind::kExit) pipeline_->connections().new_program(change.process_id);
  }
  /// Also after damage: what was under way is over.
  void end() {
    if (!pipeline_) return;
    pipeline_->connections().finish(last_ns_);
    pipeline_->flush(outputs_);
  }

 private:
  std::shared_ptr<const exporter::Resource> resource(uint32_t process_id, const exchange::Place& place) {
    const auto it = resources_.find(process_id);
    return it != resources_.end() ? it->second : resource_of_address(place.server);
  }

  const cli::ReplayOptions& options_;
  const cli::EnvironmentLookup& environment_;
  const TraceSettings& traces_;
  Outputs& outputs_;
  base::Counters& counters_;
  std::unordered_map<uint32_t, std::shared_ptr<const exporter::Resource>> resources_;
  std::optional<Pipeline> pipeline_;
  std::optional<capture::EventDecoder> decoder_;
  uint64_t last_ns_ = 0;
};

// A pcap has no seed: its ids follow from the file's name, so that two replays agree.
correlation::Seed seed_of(const std::string& path) {
  correlation::Seed seed;
  const std::hash<std::string> hash;
  seed.key = {hash(path), hash(path + "\x01")};
  return seed;
}

base::Result<void> replay_file(const std::string& path, const cli::ReplayOptions& options, const cli::EnvironmentLookup& environment,
                               const TraceSettings& traces, Outputs& outputs, base::Counters& counters) {
  std::string first(16, '\0');
  if (path != "-") {
    if (std::filesystem::is_directory(path)) return base::fail(fmt::format("cannot read {}: {}", path, std::strerror(EISDIR)));
    std::ifstream file(path, std::ios::binary);
    if (!file) return base::fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
    file.read(first.data(), static_cast<std::streamsize>(first.size()));
    first.resize(static_cast<size_t>(file.gcount()));
  }
  if (path == "-" || replay::looks_like_recording(first)) {
    RecordedRun run(options, environment, traces, outputs, counters);
    auto result = replay::replay_recording(path, run);
    if (!result) run.end();
    return result;
  }
  if (!replay::looks_like_pcap(first))
    return base::fail(fmt::format("{}: at byte 0: neither a recording of clew nor a packet capture (.pcap, .pcapng)", path));
  std::unordered_map<std::string, std::shared_ptr<const exporter::Resource>> resources;
  Pipeline pipeline(
      seed_of(path), options.output.capture_query, environment,
      [&resources](uint32_t, const exchange::Place& place, uint64_t) {
        auto& slot = resources[fmt::format("{}|{}", place.server.text, place.server.port)];
        if (slot == nullptr) slot = resource_of_address(place.server);
        return slot;
      },
      traces, counters);
  FlushingSink sink(pipeline, outputs);
  auto summary = replay::replay_pcap(path, sink, counters);
  pipeline.connections().finish(summary ? summary->last_packet_ns : 0);
  pipeline.flush(outputs);
  if (!summary) return std::unexpected(summary.error());
  if (!summary->complete()) return base::fail(summary->error);
  return {};
}

}  // namespace

int replay(const cli::Options& options, const cli::EnvironmentLookup& environment, const Messages& messages) {
  stop_signals::take();
  signal(SIGPIPE, SIG_IGN);
  const auto started = std::chrono::steady_clock::now();
  base::Counters counters;
  TraceSettings traces{read_propagators(environment, messages), options.environment.sampler};
  auto outputs = Outputs::open(options.replay.output, environment, {counters, messages.for_exporters(), exporter::WhenFull::kWait, {}});
  if (!outputs) {
    messages.always(outputs.error().message);
    return static_cast<int>(cli::ExitCode::kFailed);
  }
  bool failed = false;
  for (const std::string& path : options.replay.files) {
    if (stop_signals::last() != 0 || outputs->abandoned()) break;
    if (options.replay.count) traces.spans_max = *options.replay.count - outputs->spans();
    if (const auto result = replay_file(path, options.replay, environment, traces, *outputs, counters); !result) {
      messages.always(result.error().message);
      failed = true;
    }
  }
  stop_signals::ending();
  outputs->shutdown(kShutdownPatience, stop_signals::hurried);
  std::fputs(telemetry::summary(counters.snapshot(), std::chrono::steady_clock::now() - started).c_str(), stderr);
  return static_cast<int>(failed ? cli::ExitCode::kFailed : cli::ExitCode::kDone);
}

}  // namespace clew::commands
