// SPDX-License-Identifier: Apache-2.0
// The file of --record: the kernel's events as captured, and what else a replay needs to give the same spans (the run's seed, clock
// offsets, Resources, ticks). Layout: magic, then records of {u32 length, u8 kind, 3 bytes zero, payload}; little endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/base/counters.h"
#include "agent/base/result.h"
#include "agent/correlation/ids.h"
#include "exporter/span.h"

namespace clew::replay {

class RecordingWriter {
 public:
  /// `warn` shows a message to the user: why writing failed, once. A replay could not go on behind a gap, so nothing more is written
  /// then, and what should have been is counted.
  static base::Result<std::unique_ptr<RecordingWriter>> create(const std::string& path, const correlation::Seed& seed,
                                                               base::Counters& counters, std::function<void(std::string_view)> warn);
  void clock_offset(uint64_t offset_ns);
  void event(std::span<const std::byte> event);
  void resource(uint32_t process_id, const exporter::Resource& resource);
  void tick(uint64_t now_ns);
  void flush();
  /// A replay ends here as the run did; without it the recording was cut short.
  void finish(uint64_t now_ns);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  RecordingWriter(std::string path, std::FILE* file, base::Counter& lost, std::function<void(std::string_view)> warn)
      : path_(std::move(path)), file_(file), lost_(lost), warn_(std::move(warn)) {}
  void record(uint8_t kind, std::span<const std::byte> payload);
  void fail();

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  base::Counter& lost_;
  std::function<void(std::string_view)> warn_;
  bool failed_ = false;
};

/// What a recording tells, in its order.
class RecordingSink {
 public:
  virtual ~RecordingSink() = default;
  virtual void seed(const correlation::Seed& seed) = 0;
  virtual void clock_offset(uint64_t offset_ns) = 0;
  /// False: the event makes no sense.
  virtual bool event(std::span<const std::byte> event) = 0;
  virtual void resource(uint32_t process_id, std::shared_ptr<const exporter::Resource> resource) = 0;
  virtual void tick(uint64_t now_ns) = 0;
  virtual void finish(uint64_t now_ns) = 0;
};

inline constexpr size_t kRecordingMagicBytes = 8;
bool looks_like_recording(std::string_view first_bytes);

/// Delivers everything up to the end or to the first damage. An Error names the file, the position and the reason.
base::Result<void> replay_recording(const std::string& path, RecordingSink& sink);

}  // namespace clew::replay
