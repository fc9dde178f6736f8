// SPDX-License-Identifier: Apache-2.0
// Asynchronous service: a completion queue that two threads of our own serve; calls onward wait on the same queue.
#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include "credentials.h"
#include "path.h"
#include "served.h"
#include "servers.h"

namespace {

using bed::Ask;
using bed::Told;
using grpc::ByteBuffer;
using grpc::Status;

// What the queue hands back: called once with whether it went well.
using Done = std::function<void(bool)>;

struct Bed {
  const ServerOptions& options;
  grpc::AsyncGenericService service;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  grpc::TemplatedGenericStub<Ask, Told> next;
};

class Call {
 public:
  static void wait_for_one(Bed& bed) {
    auto* call = new Call(bed);
    bed.service.RequestCall(&call->context_, &call->stream_, bed.queue.get(), bed.queue.get(), new Done([call, &bed](bool ok) {
      if (!ok) return;
      wait_for_one(bed);
      call->begin();
    }));
  }

 private:
  explicit Call(Bed& bed) : bed_(bed), stream_(&context_) {}

  void begin() {
    call_.emplace(context_.method(), context_);
    kind_ = kind_of(call_->path);
    onward_ = onward_paths(call_->path);
    read();
  }

  void read() {
    stream_.Read(&in_, new Done([this](bool ok) { ok ? take() : ended(); }));
  }

  void take() {
    Ask ask;
    (void)grpc::SerializationTraits<Ask>::Deserialize(&in_, &ask);
    if (call_->asked++ > 0) return answer();
    call_->first = ask;
    if (ask.delay_ms() == 0) return call_onward();
    alarm_.Set(bed_.queue.get(), std::chrono::system_clock::now() + std::chrono::milliseconds(ask.delay_ms()),
               new Done([this](bool) { call_onward(); }));
  }

  void call_onward() {
    if (onward_.empty()) return answer();
    under_way_ = bed_.options.parallel ? onward_.size() : 1;
    for (size_t i = 0, n = under_way_; i < n; ++i) one(i);
  }

  struct Onward {
    grpc::ClientContext context;
    Told told;
    Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Told>> reader;
  };

  void one(size_t i) {
    auto* onward = new Onward;
    Ask ask;
    ask.set_id(onward_[i]);
    ask.set_parent(call_->path);
    onward->reader = bed_.next.PrepareUnaryCall(&onward->context, onward_[i], ask, bed_.queue.get());
    onward->reader->StartCall();
    onward->reader->Finish(&onward->told, &onward->status, new Done([this, onward, i](bool) {
      if (!onward->status.ok()) {
        const std::lock_guard hold(lock_);
        failure_ = onward->status;
      }
      delete onward;
      if (!bed_.options.parallel && i + 1 < onward_.size()) return one(i + 1);
      if (--under_way_ > 0) return;  // from here on the call may be no more
      failure_.ok() ? answer() : finish(failure_);
    }));
  }

  void answer() {
    if (kind_ == Kind::kCollect) return read();
    left_ = kind_ == Kind::kSpread ? call_->first.answers() : 1;
    if ((kind_ == Kind::kUnary && !call_->end().ok()) || left_ == 0) return finish(call_->end());
    write();
  }

  // The client has said everything.
  void ended() {
    if (!call_ || call_->asked == 0) return finish(Status::CANCELLED);
    if (kind_ != Kind::kCollect || !call_->end().ok()) return finish(call_->end());
    left_ = 1;
    write();
  }

  void write() {
    --left_;
    bool own = false;
    ByteBuffer out;
    (void)grpc::SerializationTraits<Told>::Serialize(call_->told(), &out, &own);
    stream_.Write(out, new Done([this](bool ok) {
                    if (!ok) return finish(Status::CANCELLED);
                    if (left_ > 0) return write();
                    kind_ == Kind::kTalk ? read() : finish(call_->end());
                  }));
  }

  void finish(const Status& status) {
    stream_.Finish(status, new Done([this](bool) { delete this; }));
  }

  Bed& bed_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  std::optional<Served> call_;
  Kind kind_ = Kind::kUnary;
  std::vector<std::string> onward_;
  ByteBuffer in_;
  unsigned left_ = 0;
  std::atomic<size_t> under_way_{0};
  std::mutex lock_;
  Status failure_;
  grpc::Alarm alarm_;
};

void work(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    const std::unique_ptr<Done> done(static_cast<Done*>(tag));
    (*done)(ok);
  }
}

}  // namespace

void serve_queue(const ServerOptions& options) {
  Bed bed{options, {}, nullptr, grpc::TemplatedGenericStub<Ask, Told>(options.next)};
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options.address, server_credentials());
  builder.RegisterAsyncGenericService(&bed.service);
  bed.queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (!server) throw std::runtime_error("cannot listen on " + options.address);
  Call::wait_for_one(bed);
  std::jthread other([&] { work(*bed.queue); });
  work(*bed.queue);
  std::exit(0);
}
