// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/trace.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_set>

#include "agent/capture/kernel_source.h"
#include "agent/commands/child.h"
#include "agent/commands/live_processes.h"
#include "agent/commands/live_settings.h"
#include "agent/commands/outputs.h"
#include "agent/commands/pipeline.h"
#include "agent/commands/propagators.h"
#include "agent/commands/stop_signals.h"
#include "agent/discovery/cgroup_mounts.h"
#include "agent/discovery/process_table.h"
#include "agent/replay/recording.h"
#include "agent/telemetry/status.h"
#include "agent/telemetry/status_directory.h"
#include "agent/telemetry/status_server.h"
#include "agent/telemetry/summary.h"
#include "bpf/events.h"
#include "clew_version.h"

namespace clew::commands {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kIdleWait = milliseconds(200);
constexpr uint64_t kTickNs = 200'000'000;
constexpr size_t kBatch = 2048;  // spans that wait before they are handed on, while there are more events
constexpr auto kShutdownPatience = milliseconds(5000);
constexpr auto kChildPatience = milliseconds(5000);

void on_nothing(int) {}  // only wakes the loop

uint64_t now_ns(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

// CLOCK_REALTIME - CLOCK_MONOTONIC: the closest of a few readings.
uint64_t clock_offset() {
  uint64_t best = 0;
  uint64_t best_gap = UINT64_MAX;
  for (int i = 0; i < 5; ++i) {
    const uint64_t before = now_ns(CLOCK_MONOTONIC);
    const uint64_t real = now_ns(CLOCK_REALTIME);
    const uint64_t after = now_ns(CLOCK_MONOTONIC);
    if (after - before >= best_gap) continue;
    best_gap = after - before;
    best = real - (before + (after - before) / 2);
  }
  return best;
}

// One run of `clew trace`, from the rules to the summary.
class Trace {
 public:
  Trace(const cli::Options& options, const cli::EnvironmentLookup& environment, const Messages& messages)
      : options_(options), environment_(environment), messages_(messages) {}

  int run();

 private:
  int usage(const base::Error& error) const;
  int cannot(const base::Error& error) const;
  std::optional<int> prepare();
  std::optional<int> start_child();
  void loop();
  void on_event(std::span<const std::byte> event);
  void watch(std::span<const std::byte> event);
  void record(std::span<const std::byte> event);
  void flush() { pipeline_->flush(*outputs_); }
  void tick();
  bool should_stop(steady_clock::time_point ready);
  void start_status();
  int stop();
  int run_untraced();
  std::shared_ptr<const exporter::Resource> resource_of(uint32_t process_id, uint64_t time_ns);

  const cli::Options& options_;
  const cli::EnvironmentLookup& environment_;
  const Messages& messages_;

  base::Counters counters_;
  correlation::Seed seed_;
  std::optional<discovery::Selection> selection_;
  std::optional<discovery::ProcessTable> table_;
  std::optional<LiveProcesses> processes_;
  std::optional<Outputs> outputs_;
  std::optional<Pipeline> pipeline_;
  std::vector<std::unique_ptr<replay::RecordingWriter>> recordings_;
  std::unordered_set<uint32_t> recorded_processes_;
  std::optional<capture::EventDecoder> decoder_;
  std::unique_ptr<capture::KernelSource> source_;
  std::optional<Child> child_;
  std::optional<int> child_status_;
  bool we_ended_child_ = false;
  steady_clock::time_point started_;
  uint64_t next_tick_ns_ = 0;  // CLOCK_MONOTONIC
  std::mutex shared_mutex_;
  std::vector<uint32_t> shared_processes_;
  std::unique_ptr<telemetry::StatusServer> status_;  // last: its thread looks at all of the above
};

int Trace::usage(const base::Error& error) const {
  messages_.always(error.message);
  return static_cast<int>(cli::ExitCode::kUsage);
}

int Trace::cannot(const base::Error& error) const {
  messages_.always(error.message);
  messages_.always(cli::kRunDoctor);
  return static_cast<int>(cli::ExitCode::kKernel);
}

std::shared_ptr<const exporter::Resource> Trace::resource_of(uint32_t process_id, uint64_t time_ns) {
  return table_->resource_of(process_id, {}, time_ns);
}

// Everything up to the hooks. A value is the exit status of a failure.
std::optional<int> Trace::prepare() {
  const cli::TraceOptions& trace = options_.trace;
  const discovery::ProcFs proc = discovery::ProcFs::of_this_machine();
  const std::vector<discovery::CgroupMount> mounts = discovery::read_cgroup_mounts(proc);
  auto selection = discovery::Selection::compile(rules_of(trace.select), mounts);
  if (!selection) return usage(selection.error());
  selection_.emplace(std::move(*selection));
  discovery::Host host = discovery::read_host("/etc", proc, CLEW_VERSION);
  for (const auto& [key, value] : options_.environment.resource_attributes) host.defaults.emplace_back(key, value);
  table_.emplace(proc, std::move(host), discovery::ProcessTable::Options{}, counters_);
  processes_.emplace(*selection_, *table_, messages_);

  if (getrandom(seed_.key.data(), sizeof seed_.key, 0) != sizeof seed_.key) return usage({"cannot get random bytes"});
  const TraceSettings traces{read_propagators(environment_, messages_), options_.environment.sampler, trace.count.value_or(UINT64_MAX)};
  pipeline_.emplace(
      seed_, trace.output.capture_query, environment_,
      [this](uint32_t process_id, const exchange::Place&, uint64_t time_ns) { return resource_of(process_id, time_ns); }, traces,
      counters_);
  decoder_.emplace(pipeline_->connections(), *processes_, counters_);

  for (const uint32_t id : trace.select.process_ids) {
    if (discovery::read_start_ticks(proc, id) != 0) continue;
    messages_.always(fmt::format("there is no process {}", id));
    return static_cast<int>(cli::ExitCode::kFailed);
  }
  auto settings = kernel_settings(options_, environment_, *selection_, mounts, traces, seed_);
  if (!settings) return cannot(settings.error());
  auto source = capture::KernelSource::load(*settings, [this](std::span<const std::byte> event) { on_event(event); }, counters_);
  if (!source) return cannot(source.error());
  source_ = std::move(*source);

  auto outputs = Outputs::open(trace.output, environment_, {counters_, messages_.for_exporters(), exporter::WhenFull::kDrop, {}});
  if (!outputs) {
    messages_.always(outputs.error().message);
    return static_cast<int>(cli::ExitCode::kFailed);
  }
  outputs_.emplace(std::move(*outputs));
  for (const std::string& path : trace.output.records) {
    auto writer = replay::RecordingWriter::create(path, seed_, counters_, [this](std::string_view text) { messages_.error(text); });
    if (!writer) {
      messages_.always(writer.error().message);
      return static_cast<int>(cli::ExitCode::kFailed);
    }
    recordings_.push_back(std::move(*writer));
  }
  processes_->on_new_program([this](uint32_t process_id) {
    recorded_processes_.erase(process_id);
    pipeline_->connections().new_program(process_id);
  });
  processes_->on_runtime(
      [this](uint32_t process_id) {
        clew_event_process change{};
        change.type = CLEW_EVENT_PROCESS;
        change.change = CLEW_PROCESS_RUNTIME;
        change.tgid = process_id;
        change.time_ns = now_ns(CLOCK_MONOTONIC);
        on_event(std::as_bytes(std::span(&change, 1)));
      },
      [this](uint32_t process_id, uint64_t time_ns) { pipeline_->connections().runtime_changed(process_id, time_ns); });

  const uint64_t offset = clock_offset();
  decoder_->set_clock_offset(offset);
  for (const auto& recording : recordings_) recording->clock_offset(offset);
  processes_->set_source(source_.get());
  if (const auto attached = source_->attach(); !attached) return cannot(attached.error());
  if (const auto selected = processes_->select_running(proc); !selected) {
    messages_.always(selected.error().message);
    return static_cast<int>(cli::ExitCode::kFailed);
  }
  return std::nullopt;
}

std::optional<int> Trace::start_child() {
  if (options_.trace.select.command.empty()) return std::nullopt;
  auto child = Child::start(options_.trace.select.command);
  if (!child) {
    messages_.always(child.error().message);
    return static_cast<int>(cli::ExitCode::kFailed);
  }
  child_.emplace(std::move(*child));
  if (const auto selected = processes_->select_command(static_cast<uint32_t>(child_->process_id()), options_.trace.select.command[0]);
      !selected) {
    messages_.always(selected.error().message);
    return static_cast<int>(cli::ExitCode::kFailed);
  }
  return std::nullopt;
}

void Trace::record(std::span<const std::byte> event) {
  // The Resource goes ahead of the first bytes of a process: a replay needs it when those bytes become a span.
  clew_event_data data;
  if (event.size() >= sizeof data && static_cast<uint8_t>(event[0]) == CLEW_EVENT_DATA) {
    std::memcpy(&data, event.data(), sizeof data);
    if (recorded_processes_.insert(data.tgid).second) {
      const auto resource = resource_of(data.tgid, now_ns(CLOCK_REALTIME));
      for (const auto& recording : recordings_) recording->resource(data.tgid, *resource);
    }
  }
  for (const auto& recording : recordings_) recording->event(event);
}

// Who connects and sends requests, and of whose runtime something was read.
void Trace::watch(std::span<const std::byte> event) {
  clew_event_data data;
  clew_event_connection connection;
  clew_event_runtime note;
  clew_event_connect connect;
  const auto load = [&event](auto& into) {
    if (event.size() < sizeof into) return false;
    std::memcpy(&into, event.data(), sizeof into);
    return true;
  };
  switch (event.empty() ? 0 : static_cast<uint8_t>(event[0])) {
    case CLEW_EVENT_DATA:
      if ((static_cast<uint8_t>(event[1]) & CLEW_EXECUTION) != 0 && load(data)) processes_->noted(data.tgid);
      break;
    case CLEW_EVENT_RUNTIME:
      if (load(note)) processes_->noted(note.tgid);
      break;
    case CLEW_EVENT_CONNECT:
      if (load(connect)) processes_->connects(connect.tgid);
      break;
    case CLEW_EVENT_CONNECTION:
      if (load(connection) && (connection.role == CLEW_ROLE_CLIENT ||  // or may be one, by its first bytes
                               (connection.role == CLEW_ROLE_UNKNOWN && (connection.flags & CLEW_CONNECTION_ACCEPTED) == 0)))
        processes_->sends(connection.tgid);
      break;
    default: break;
  }
}

void Trace::on_event(std::span<const std::byte> event) {
  if (!event.empty() && static_cast<uint8_t>(event[0]) == CLEW_EVENT_RELEASE) {
    clew_event_release release;
    if (event.size() < sizeof release) return counters_.lost("capture", "bad_event").add();
    std::memcpy(&release, event.data(), sizeof release);
    return source_->release(release.connection);
  }
  watch(event);
  if (!recordings_.empty()) record(event);
  if (!decoder_->decode(event)) counters_.lost("capture", "bad_event").add();
  if (pipeline_->connections().spans_waiting() >= kBatch) flush();
}

void Trace::tick() {
  // By the clock that nobody sets: once that of the day was set back it would be long until the next one.
  const uint64_t running = now_ns(CLOCK_MONOTONIC);
  if (running < next_tick_ns_) return;
  next_tick_ns_ = running + kTickNs;
  const uint64_t now = now_ns(CLOCK_REALTIME);
  const uint64_t offset = clock_offset();
  decoder_->set_clock_offset(offset);
  for (const auto& recording : recordings_) {
    recording->clock_offset(offset);
    recording->tick(now);
    recording->flush();
  }
  pipeline_->connections().tick(now);
  table_->expire(now);
  processes_->tick();
  source_->update_counters();
  const std::lock_guard lock(shared_mutex_);
  shared_processes_ = processes_->selected();
}

bool Trace::should_stop(steady_clock::time_point ready) {
  if (stop_signals::last() != 0 || (outputs_->abandoned() && recordings_.empty())) return true;
  if (child_ && (child_status_ = child_->poll())) return true;
  if (options_.trace.count && outputs_->spans() >= *options_.trace.count) return true;
  return options_.trace.duration && steady_clock::now() - ready >= *options_.trace.duration;
}

void Trace::loop() {
  const auto ready = steady_clock::now();
  while (!should_stop(ready)) {
    auto patience = kIdleWait;
    if (options_.trace.duration) {
      const auto left = std::chrono::ceil<milliseconds>(*options_.trace.duration - (steady_clock::now() - ready));
      patience = std::clamp(left, milliseconds(1), patience);
    }
    if (processes_->tls().is_waiting()) patience = std::min(patience, LiveTls::kLookInterval);
    if (processes_->is_waiting()) patience = std::min(patience, LiveProcesses::kLookInterval);
    source_->drain(patience);
    flush();
    processes_->tls().tick();
    processes_->look_soon();
    tick();
  }
}

// Detach, finish, flush, say what was seen and what was lost.
int Trace::stop() {
  stop_signals::ending();
  if (child_ && !child_status_) {  // it was started for this run: it ends with it, and is still traced while it does
    we_ended_child_ = true;
    // SIGTERM for SIGHUP, too: a server would go on after that one.
    const int number = stop_signals::last() == SIGINT ? SIGINT : SIGTERM;
    child_->signal(number == SIGINT && isatty(STDIN_FILENO) != 0 ? 0 : number);
    const auto deadline = steady_clock::now() + kChildPatience;
    while (!(child_status_ = child_->poll()) && steady_clock::now() < deadline && !stop_signals::hurried()) {
      source_->drain(milliseconds(20));
      flush();
    }
    if (!child_status_) messages_.warn(fmt::format("process {} does not end; it goes on untraced", child_->process_id()));
  }
  source_->detach();
  while (source_->drain(milliseconds(0)) > 0) flush();
  const uint64_t now = now_ns(CLOCK_REALTIME);
  pipeline_->connections().tick(now);
  pipeline_->connections().finish(now);
  for (const auto& recording : recordings_) {
    recording->tick(now);
    recording->finish(now);
  }
  flush();
  source_->update_counters();
  outputs_->shutdown(kShutdownPatience, stop_signals::hurried);
  status_.reset();
  std::fputs(telemetry::summary(counters_.snapshot(), steady_clock::now() - started_).c_str(), stderr);
  if (!child_) return static_cast<int>(cli::ExitCode::kDone);
  if (!child_status_) return static_cast<int>(cli::ExitCode::kDone);
  if (we_ended_child_ && WIFSIGNALED(*child_status_)) return static_cast<int>(cli::ExitCode::kDone);
  return exit_status_of(*child_status_);
}

// For `clew status` and `clew explain`. The server's thread sees only what is shared under the lock.
void Trace::start_status() {
  const auto directory = telemetry::prepare_status_directory(telemetry::status_directory(geteuid(), environment_));
  if (!directory) {
    messages_.debug(directory.error().message);
    return;
  }
  telemetry::Status fixed;
  fixed.process_id = static_cast<uint32_t>(getpid());
  fixed.version = CLEW_VERSION;
  if (auto self = discovery::read_process(discovery::ProcFs::of_this_machine(), fixed.process_id, discovery::kArgv))
    fixed.command_line = std::move(self->argv);
  fixed.started_unix_ns = now_ns(CLOCK_REALTIME);
  fixed.selection = selection_text(options_.trace.select);
  fixed.backend = capture::name_of(source_->backend());
  auto server = telemetry::StatusServer::start(*directory, fixed.process_id, [this, fixed] {
    telemetry::Status status = fixed;
    status.uptime = steady_clock::now() - started_;
    {
      const std::lock_guard lock(shared_mutex_);
      status.processes = shared_processes_;
    }
    status.processes_traced = status.processes.size();
    status.counters = telemetry::labelled(counters_.snapshot());
    return telemetry::to_json(status);
  });
  if (server)
    status_ = std::move(*server);
  else
    messages_.debug(server.error().message);
}

// Only COMMAND, as its caller would have run it.
int Trace::run_untraced() {
  const std::vector<std::string>& command = options_.trace.select.command;
  if (command.empty()) return static_cast<int>(cli::ExitCode::kDone);
  auto child = Child::start(command);
  const auto released = child ? child->release() : base::Result<void>();
  if (!child || !released) {
    messages_.always(!child ? child.error().message : fmt::format("cannot run {}: {}", command[0], released.error().message));
    return static_cast<int>(cli::ExitCode::kFailed);
  }
  while (!(child_status_ = child->poll())) {
    const int number = stop_signals::last();
    stop_signals::forget();
    if (number != 0 && !(number == SIGINT && isatty(STDIN_FILENO))) child->signal(number);
    std::this_thread::sleep_for(milliseconds(5));
  }
  return exit_status_of(*child_status_);
}

int Trace::run() {
  started_ = steady_clock::now();
  stop_signals::take();
  struct sigaction action{};
  action.sa_handler = on_nothing;
  sigaction(SIGCHLD, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  if (options_.environment.sdk_disabled) {
    messages_.always("OTEL_SDK_DISABLED is true: nothing is traced");
    return run_untraced();
  }
  if (const auto failed = prepare()) return *failed;
  if (const auto failed = start_child()) return *failed;
  start_status();
  messages_.always("ready");
  if (child_) {
    if (const auto released = child_->release(); !released) {
      messages_.always(fmt::format("cannot run {}: {}", options_.trace.select.command[0], released.error().message));
      return static_cast<int>(cli::ExitCode::kFailed);
    }
  }
  loop();
  return stop();
}

}  // namespace

int trace(const cli::Options& options, const cli::EnvironmentLookup& environment, const Messages& messages) {
  return Trace(options, environment, messages).run();
}

}  // namespace clew::commands
