// SPDX-License-Identifier: Apache-2.0
#include "agent/replay/recording.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "exporter/output.h"

namespace clew::replay {
namespace {

constexpr std::array<char, kRecordingMagicBytes> kMagic = {'c', 'l', 'e', 'w', 'r', 'e', 'c', '1'};
constexpr size_t kPayloadMax = size_t{1} << 20;
constexpr size_t kFileBuffer = size_t{1} << 18;

enum Kind : uint8_t { kSeed = 1, kClockOffset = 2, kEvent = 3, kResource = 4, kTick = 5, kFinish = 6 };

struct RecordHeader {
  uint32_t length;
  uint8_t kind;
  uint8_t zero[3];
};
static_assert(sizeof(RecordHeader) == 8);

void put_text(std::string& out, std::string_view text) {
  const auto length = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
}

// A reader of one payload; any overrun makes it bad for good.
struct PayloadReader {
  std::string_view rest;
  bool good = true;

  template <class T>
  T number() {
    T value{};
    if (rest.size() < sizeof value) {
      good = false;
      return value;
    }
    std::memcpy(&value, rest.data(), sizeof value);
    rest.remove_prefix(sizeof value);
    return value;
  }
  std::string_view text() {
    const auto length = number<uint32_t>();
    if (!good || length > rest.size()) {
      good = false;
      return {};
    }
    const std::string_view value = rest.substr(0, length);
    rest.remove_prefix(length);
    return value;
  }
};

std::string write_resource(uint32_t process_id, const exporter::Resource& resource) {
  std::string out;
  out.append(reinterpret_cast<const char*>(&process_id), sizeof process_id);
  for (size_t i = 0; i < resource.attributes.size(); ++i) {
    const base::Attributes::View view = resource.attributes[i];
    out.push_back(static_cast<char>(view.type));
    put_text(out, view.key);
    switch (view.type) {
      case base::Attributes::Type::kString: put_text(out, view.text); break;
      case base::Attributes::Type::kInt:
      case base::Attributes::Type::kBool: put_text(out, {reinterpret_cast<const char*>(&view.integer), sizeof view.integer}); break;
      case base::Attributes::Type::kDouble: put_text(out, {reinterpret_cast<const char*>(&view.number), sizeof view.number}); break;
      case base::Attributes::Type::kStringArray: {
        std::string joined;
        for (std::string_view value : resource.attributes.array(i)) put_text(joined, value);
        put_text(out, joined);
        break;
      }
    }
  }
  return out;
}

template <class T>
T number_in(std::string_view text) {
  T value{};
  std::memcpy(&value, text.data(), std::min(sizeof value, text.size()));
  return value;
}

bool read_resource(std::string_view payload, RecordingSink& sink) {
  PayloadReader reader{payload};
  const auto process_id = reader.number<uint32_t>();
  auto resource = std::make_shared<exporter::Resource>();
  while (reader.good && !reader.rest.empty()) {
    const auto type = static_cast<base::Attributes::Type>(reader.number<uint8_t>());
    const std::string_view key = reader.text();
    const std::string_view value = reader.text();
    if (!reader.good) return false;
    switch (type) {
      case base::Attributes::Type::kString: resource->attributes.add_named(key, value); break;
      case base::Attributes::Type::kInt: resource->attributes.add_named(key, number_in<int64_t>(value)); break;
      case base::Attributes::Type::kBool: resource->attributes.add_named(key, number_in<int64_t>(value) != 0); break;
      case base::Attributes::Type::kDouble: resource->attributes.add_named(key, number_in<double>(value)); break;
      case base::Attributes::Type::kStringArray: {
        std::vector<std::string_view> values;
        PayloadReader array{value};
        while (array.good && !array.rest.empty()) values.push_back(array.text());
        if (!array.good) return false;
        resource->attributes.add_named(key, values);
        break;
      }
      default: return false;
    }
  }
  if (!reader.good) return false;
  sink.resource(process_id, std::move(resource));
  return true;
}

bool deliver(const RecordHeader& header, std::string_view payload, RecordingSink& sink) {
  PayloadReader reader{payload};
  switch (header.kind) {
    case kSeed: {
      correlation::Seed seed;
      seed.key[0] = reader.number<uint64_t>();
      seed.key[1] = reader.number<uint64_t>();
      if (reader.good) sink.seed(seed);
      return reader.good;
    }
    case kClockOffset: {
      const auto offset = reader.number<uint64_t>();
      if (reader.good) sink.clock_offset(offset);
      return reader.good;
    }
    case kEvent: return sink.event(std::as_bytes(std::span(payload)));
    case kResource: return read_resource(payload, sink);
    case kTick:
    case kFinish: {
      const auto now = reader.number<uint64_t>();
      if (!reader.good) return false;
      if (header.kind == kTick)
        sink.tick(now);
      else
        sink.finish(now);
      return true;
    }
    default: return false;
  }
}

// A file, or stdin as "-", read in large pieces and shown without copies.
class Input {
 public:
  explicit Input(const std::string& path) : fd_(path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() {
    if (fd_ > STDIN_FILENO) close(fd_);
  }

  bool is_open() const { return fd_ >= 0; }
  // The next `bytes` bytes, at most kPayloadMax, or what there is before the end or an error. Valid until the next call.
  std::string_view peek(size_t bytes) {
    if (end_ - begin_ < bytes) fill(bytes);
    return {buffer_.get() + begin_, std::min(bytes, end_ - begin_)};
  }
  // Of those that were shown.
  void pass(size_t bytes) { begin_ += bytes; }

 private:
  static constexpr size_t kBufferBytes = kPayloadMax + kFileBuffer;

  void fill(size_t bytes) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    while (end_ < bytes) {
      const ssize_t got = read(fd_, buffer_.get() + end_, std::min(kFileBuffer, kBufferBytes - end_));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      end_ += static_cast<size_t>(got);
    }
  }

  int fd_;
  std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace

base::Result<std::unique_ptr<RecordingWriter>> RecordingWriter::create(const std::string& path, const correlation::Seed& seed,
                                                                       base::Counters& counters,
                                                                       std::function<void(std::string_view)> warn) {
  // For its owner only: heads hold cookies and credentials.
  const auto waits = [&] { warn(fmt::format("--record {}: waits until somebody reads it", path)); };
  const int fd = exporter::open_to_write(path, O_CREAT | O_TRUNC | O_CLOEXEC, 0600, waits);
  std::FILE* file = fd < 0 ? nullptr : fdopen(fd, "wb");
  if (file == nullptr) return base::fail(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  std::setvbuf(file, nullptr, _IOFBF, kFileBuffer);
  std::unique_ptr<RecordingWriter> writer(new RecordingWriter(path, file, counters.lost("recording", "write_failed"), std::move(warn)));
  if (std::fwrite(kMagic.data(), kMagic.size(), 1, file) != 1)
    return base::fail(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  writer->record(kSeed, std::as_bytes(std::span(seed.key)));
  return writer;
}

void RecordingWriter::record(uint8_t kind, std::span<const std::byte> payload) {
  if (failed_) return lost_.add();
  const RecordHeader header{static_cast<uint32_t>(payload.size()), kind, {}};
  if (std::fwrite(&header, sizeof header, 1, file_.get()) != 1 ||
      (!payload.empty() && std::fwrite(payload.data(), payload.size(), 1, file_.get()) != 1))
    fail();
}

void RecordingWriter::fail() {
  const int error = errno;
  failed_ = true;
  lost_.add();
  warn_(fmt::format("--record {}: cannot write: {} (its replay will end there)", path_, std::strerror(error)));
}

void RecordingWriter::clock_offset(uint64_t offset_ns) { record(kClockOffset, std::as_bytes(std::span(&offset_ns, 1))); }
void RecordingWriter::event(std::span<const std::byte> event) { record(kEvent, event); }
void RecordingWriter::tick(uint64_t now_ns) { record(kTick, std::as_bytes(std::span(&now_ns, 1))); }
void RecordingWriter::flush() {
  if (!failed_ && std::fflush(file_.get()) != 0) fail();
}
void RecordingWriter::resource(uint32_t process_id, const exporter::Resource& resource) {
  const std::string payload = write_resource(process_id, resource);
  record(kResource, std::as_bytes(std::span(payload)));
}
void RecordingWriter::finish(uint64_t now_ns) {
  record(kFinish, std::as_bytes(std::span(&now_ns, 1)));
  flush();
}

bool looks_like_recording(std::string_view first_bytes) {
  return first_bytes.substr(0, kMagic.size()) == std::string_view(kMagic.data(), kMagic.size());
}

base::Result<void> replay_recording(const std::string& path, RecordingSink& sink) {
  Input input(path);
  if (!input.is_open()) return base::fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  if (input.peek(kMagic.size()) != std::string_view(kMagic.data(), kMagic.size()))
    return base::fail(fmt::format("{}: not a recording of clew", path));
  input.pass(kMagic.size());
  uint64_t position = kRecordingMagicBytes;
  bool finished = false;
  for (;;) {
    RecordHeader header{};
    const std::string_view head = input.peek(sizeof header);
    if (head.empty()) break;
    if (head.size() != sizeof header)
      return base::fail(
          fmt::format("{}: cut short at byte {}: {} of {} bytes of a record's header", path, position, head.size(), sizeof header));
    std::memcpy(&header, head.data(), sizeof header);
    if (header.length > kPayloadMax)
      return base::fail(fmt::format("{}: damaged at byte {}: a record of {} bytes", path, position, header.length));
    input.pass(sizeof header);
    const std::string_view payload = input.peek(header.length);
    if (payload.size() != header.length)
      return base::fail(fmt::format("{}: cut short at byte {}: {} of {} bytes of a record", path, position, payload.size(), header.length));
    if (!deliver(header, payload, sink))
      return base::fail(fmt::format("{}: damaged at byte {}: a record of kind {} that makes no sense", path, position, header.kind));
    input.pass(header.length);
    finished = header.kind == kFinish;
    position += sizeof header + header.length;
  }
  if (!finished) return base::fail(fmt::format("{}: cut short at byte {}: the end of the recording is missing", path, position));
  return {};
}

}  // namespace clew::replay
