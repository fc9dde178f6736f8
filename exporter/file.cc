// SPDX-License-Identifier: Apache-2.0
#include "exporter/file.h"

#include <fmt/core.h>

#include <cerrno>
#include <system_error>

#include "exporter/json/writer.h"
#include "exporter/output.h"
#include "exporter/queued.h"
#include "exporter/trouble.h"

namespace clew::exporter {
namespace {

// A line is about half a megabyte at the most; 200 ms keeps the promise of one second with room for a busy machine.
constexpr Pace kPace{.queue_spans = 16384, .max_spans = 512, .delay = std::chrono::milliseconds(200)};

class FileDestination final : public Destination {
 public:
  FileDestination(Output output, const Wiring& wiring)
      : output_(std::move(output)), trouble_("--file " + output_.name(), wiring.log), on_reader_gone_(wiring.on_reader_gone) {}

  void deliver(const SpanGroup& group, const Patience& patience, Tally& tally) override {
    const size_t count = span_count(group);
    if (reader_gone_) return tally.failed(count, "reader_gone");
    line_.clear();
    writer_.append(group, line_);
    line_.append("\n");
    const int error = output_.write(line_.view(), patience);
    tally.request(error == 0 ? "ok" : "failed");
    if (error == 0) {
      tally.exported(count);
      trouble_.end();
    } else {
      fail(error, count, tally);
    }
  }

  void finish(const Patience& /*patience*/, Tally& /*tally*/) override { trouble_.close(); }

 private:
  void fail(int error, size_t count, Tally& tally) {
    if (error == ETIMEDOUT) return tally.dropped(count, "shutdown");
    trouble_.lost(count);
    if (error != EPIPE) {
      trouble_.begin(fmt::format("cannot write: {} (spans are dropped until it works again)", std::generic_category().message(error)));
      return tally.failed(count, error == ENOSPC || error == EDQUOT ? "no_space" : "write_error");
    }
    reader_gone_ = true;
    trouble_.begin("its reader has gone; no more spans are written");
    tally.failed(count, "reader_gone");
    if (on_reader_gone_) on_reader_gone_();
  }

  Output output_;
  json::Writer writer_;
  Buffer line_;
  Trouble trouble_;
  std::function<void()> on_reader_gone_;
  bool reader_gone_ = false;
};

}  // namespace

base::Result<std::unique_ptr<Exporter>> make_file_exporter(const FileOptions& options, const Wiring& wiring) {
  const auto waits = [&] {
    if (wiring.log) wiring.log(Severity::kWarning, fmt::format("--file {}: waits until somebody reads it", options.path));
  };
  CLEW_TRY(Output output, Output::open(options.path, waits));
  return std::make_unique<QueuedExporter>("file", std::make_unique<FileDestination>(std::move(output), wiring), kPace, wiring);
}

}  // namespace clew::exporter
