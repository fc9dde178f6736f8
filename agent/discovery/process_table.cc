// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/process_table.h"

#include <algorithm>

namespace clew::discovery {
namespace {

constexpr std::string_view kMetric = "clew_processes_total";
constexpr int kAncestorsMax = 16;

/// The start ticks of a process forked at `time_ns`, as /proc would have shown them.
uint64_t ticks_of(const ProcFs& proc, uint64_t time_ns) {
  if (time_ns <= proc.boot_time_unix_ns) return 0;
  const uint64_t since_boot = time_ns - proc.boot_time_unix_ns;
  return since_boot / 1'000'000'000 * proc.ticks_per_second + since_boot % 1'000'000'000 * proc.ticks_per_second / 1'000'000'000;
}

}  // namespace

ProcessTable::ProcessTable(ProcFs proc, Host host, Options options, base::Counters& counters)
    : proc_(std::move(proc)),
      host_(std::move(host)),
      options_(options),
      built_(counters.get(kMetric, "outcome=\"read\"")),
      gone_(counters.get(kMetric, "outcome=\"gone\"")),
      evicted_(counters.get(kMetric, "outcome=\"evicted\"")),
      ports_dropped_(counters.get(kMetric, "outcome=\"port_list_full\"")),
      bad_attributes_(counters.get(kMetric, "outcome=\"bad_resource_attributes\"")) {}

ProcessTable::Slot* ProcessTable::find(uint32_t process_id) {
  const auto found = by_id_.find(process_id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

ProcessTable::Slot& ProcessTable::slot(uint32_t process_id) {
  if (!slots_.empty() && slots_.front().process_id == process_id) return slots_.front();  // what is asked of a process comes in runs
  if (const auto found = by_id_.find(process_id); found != by_id_.end()) {
    slots_.splice(slots_.begin(), slots_, found->second);
    return slots_.front();
  }
  if (slots_.size() >= std::max<size_t>(options_.capacity, 1)) {
    by_id_.erase(slots_.back().process_id);
    slots_.pop_back();
    evicted_.add();
  }
  slots_.emplace_front().process_id = process_id;
  by_id_[process_id] = slots_.begin();
  return slots_.front();
}

void ProcessTable::begin_image(Slot& slot, uint64_t time_ns) {
  if (slot.current.resource) slot.previous = std::move(slot.current);
  slot.current = Image{};
  slot.current.from_ns = time_ns;
  slot.exited_ns = 0;
}

void ProcessTable::on_fork(uint32_t parent, uint32_t child, uint64_t time_ns) {
  expire(time_ns);
  Slot& forked = slot(child);
  begin_image(forked, time_ns);
  forked.parent = parent;
  forked.forked_only = true;
  forked.ports.clear();
}

void ProcessTable::on_exec(uint32_t process_id, uint64_t time_ns) {
  expire(time_ns);
  Slot* known = find(process_id);
  if (known == nullptr) return;  // read when it is asked for
  begin_image(*known, time_ns);
  known->forked_only = false;
}

void ProcessTable::on_exit(uint32_t process_id, uint64_t time_ns) {
  expire(time_ns);
  Slot* known = find(process_id);
  if (known == nullptr) return;
  known->exited_ns = std::max<uint64_t>(time_ns, 1);
  ended_.emplace_back(known->exited_ns, process_id);
  // Each process ends once, so this list outgrows the table only by processes that were evicted since.
  if (ended_.size() > 2 * options_.capacity) ended_.pop_front();
}

void ProcessTable::on_listen(uint32_t process_id, uint16_t port, uint64_t time_ns) {
  expire(time_ns);
  std::vector<uint16_t>& ports = slot(process_id).ports;
  if (std::ranges::find(ports, port) != ports.end()) return;
  if (ports.size() >= options_.max_ports_per_process) {
    ports_dropped_.add();
    return;
  }
  ports.push_back(port);
}

void ProcessTable::expire(uint64_t time_ns) {
  while (!ended_.empty() && ended_.front().first + options_.linger_ns < time_ns) {
    const auto [exited_ns, process_id] = ended_.front();
    ended_.pop_front();
    const auto found = by_id_.find(process_id);
    // Not if the number has been given to a new process since.
    if (found == by_id_.end() || found->second->exited_ns != exited_ns) continue;
    slots_.erase(found->second);
    by_id_.erase(found);
  }
}

bool ProcessTable::reused(const Slot& slot) const {
  const auto now = read_process(proc_, slot.process_id, kStatOnly);
  if (!now || now->zombie) return false;
  if (slot.current.start_ticks != 0) return now->start_ticks != slot.current.start_ticks;
  return now->start_unix_ns > slot.exited_ns;
}

// The program that a process without an exec runs is its parent's, in its parent's environment and container. A parent that has ended
// unread had it from its own.
std::optional<ProcessTable::Image> ProcessTable::inherited_by(const Slot& child) {
  const Slot* heir = &child;
  for (int n = 0; n < kAncestorsMax && heir->forked_only; ++n) {
    const uint64_t forked_ns = heir->current.from_ns;
    const Slot* parent = find(heir->parent);
    const Image* image = parent == nullptr ? nullptr : &parent->current;
    if (image != nullptr && forked_ns < image->from_ns) {  // it runs another one now
      if (!parent->previous) return std::nullopt;
      image = &*parent->previous;
    }
    if (image != nullptr && image->info) return *image;
    Image found;
    if (auto living = read_process(proc_, heir->parent); living && !living->exe.empty() && living->start_unix_ns <= forked_ns) {
      found.service = service_name(*living);
      found.info = std::move(*living);
      return found;
    }
    if (parent == nullptr) return std::nullopt;
    heir = parent;
  }
  return std::nullopt;
}

void ProcessTable::build(Slot& slot, std::string_view comm) {
  auto read = read_process(proc_, slot.process_id);
  const uint64_t tick_ns = 1'000'000'000 / std::max<uint64_t>(proc_.ticks_per_second, 1);
  const bool ours = read && !read->zombie && (slot.exited_ns == 0 || read->start_unix_ns <= slot.exited_ns + tick_ns);
  // A process that is about to end has lost its memory before it is a zombie.
  const bool whole = ours && !(slot.forked_only && (read->exe.empty() || read->argv.empty()));
  Image& image = slot.current;
  if (whole) {
    image.info = std::move(*read);
    image.start_ticks = image.info->start_ticks;
    image.service = service_name(*image.info);
    if (const std::string_view own = image.info->variable("OTEL_RESOURCE_ATTRIBUTES"); !own.empty() && !parse_resource_attributes(own))
      bad_attributes_.add();
    built_.add();
  } else {
    gone_.add();
    std::optional<Image> inherited = inherited_by(slot);
    ProcessInfo info = inherited ? std::move(*inherited->info) : ours ? *read : ProcessInfo();
    info.process_id = slot.process_id;
    info.parent_process_id = slot.parent;
    info.namespace_process_id = ours ? read->namespace_process_id : 0;
    info.start_unix_ns = ours ? read->start_unix_ns : slot.forked_only ? image.from_ns : 0;
    info.start_ticks = ours ? read->start_ticks : slot.forked_only ? ticks_of(proc_, image.from_ns) : 0;
    if (!comm.empty()) info.comm = comm;
    image.service = inherited ? std::move(inherited->service) : service_name(info);
    image.info = std::move(info);
  }
  image.resource = std::make_shared<const exporter::Resource>(build_resource(host_, *image.info, image.service));
  // The rest may be long and is needed no more.
  if (image.info->argv.size() > 1) image.info->argv.resize(1);
  image.info->argv.shrink_to_fit();
}

std::shared_ptr<const exporter::Resource> ProcessTable::resource_of(uint32_t process_id, std::string_view comm, uint64_t time_ns) {
  Slot& found = slot(process_id);
  // Its end was seen, its successor's fork was not: lost, or of a process that we did not follow.
  if (found.exited_ns != 0 && time_ns > found.exited_ns && reused(found)) {
    begin_image(found, found.exited_ns + 1);
    found.parent = 0;
    found.forked_only = false;
    found.ports.clear();
  }
  if (found.previous && time_ns < found.current.from_ns) return found.previous->resource;
  if (!found.current.resource) build(found, comm);
  return found.current.resource;
}

Verdict ProcessTable::decide(const Selection& selection, uint32_t process_id) {
  const auto process = read_process(proc_, process_id, selection.needed_fields());
  if (!process) return {Verdict::Outcome::kNoMatch, process.error().message};
  const Slot* known = find(process_id);
  return selection.decide(*process, known == nullptr ? std::span<const uint16_t>() : std::span<const uint16_t>(known->ports));
}

}  // namespace clew::discovery
