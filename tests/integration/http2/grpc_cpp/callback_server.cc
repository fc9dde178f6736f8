// SPDX-License-Identifier: Apache-2.0
// Callback service: one reactor for calls of every kind, on the library's own threads.
#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <stdexcept>

#include "credentials.h"
#include "path.h"
#include "served.h"
#include "servers.h"

namespace {

using bed::Ask;
using bed::Told;
using grpc::ByteBuffer;
using grpc::Status;

class Reactor final : public grpc::ServerGenericBidiReactor {
 public:
  Reactor(const ServerOptions& options, grpc::TemplatedGenericStub<Ask, Told>* next, grpc::GenericCallbackServerContext* context)
      : options_(options), next_(next), call_(context->method(), *context), kind_(kind_of(call_.path)), onward_(onward_paths(call_.path)) {
    StartRead(&in_);
  }

  void OnDone() override { delete this; }

  void OnReadDone(bool ok) override {
    if (!ok) {
      if (kind_ == Kind::kTalk) return Finish(call_.end());
      if (kind_ == Kind::kCollect && call_.end().ok()) {
        left_ = 1;
        return write();
      }
      return Finish(call_.end());
    }
    Ask ask;
    (void)grpc::SerializationTraits<Ask>::Deserialize(&in_, &ask);
    if (call_.asked++ > 0) return answer();
    call_.first = ask;
    if (ask.delay_ms() == 0) return call_onward();
    alarm_.Set(std::chrono::system_clock::now() + std::chrono::milliseconds(ask.delay_ms()), [this](bool) { call_onward(); });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(Status::CANCELLED);
    if (left_ > 0) return write();
    if (kind_ == Kind::kTalk) return StartRead(&in_);
    Finish(call_.end());
  }

 private:
  // One after the other, or all at once.
  void call_onward() {
    if (onward_.empty()) return answer();
    under_way_ = options_.parallel ? static_cast<int>(onward_.size()) : 1;
    for (int i = 0, n = under_way_; i < n; ++i) one(i);
  }

  void one(size_t i) {
    struct Onward {
      grpc::ClientContext context;
      Ask ask;
      Told told;
    };
    auto* onward = new Onward;
    onward->ask.set_id(onward_[i]);
    onward->ask.set_parent(call_.path);
    next_->UnaryCall(&onward->context, onward_[i], {}, &onward->ask, &onward->told, [this, onward, i](const Status& status) {
      delete onward;
      if (!status.ok()) {
        const std::lock_guard hold(lock_);
        failure_ = status;
      }
      if (!options_.parallel && i + 1 < onward_.size()) return one(i + 1);
      if (--under_way_ == 0) failure_.ok() ? answer() : Finish(failure_);
    });
  }

  void answer() {
    if (kind_ == Kind::kCollect) return StartRead(&in_);
    left_ = kind_ == Kind::kSpread ? call_.first.answers() : 1;
    if ((kind_ == Kind::kUnary && !call_.end().ok()) || left_ == 0) return Finish(call_.end());
    write();
  }

  void write() {
    --left_;
    out_.Clear();
    bool own = false;
    (void)grpc::SerializationTraits<Told>::Serialize(call_.told(), &out_, &own);
    StartWrite(&out_);
  }

  const ServerOptions& options_;
  grpc::TemplatedGenericStub<Ask, Told>* next_;
  Served call_;
  Kind kind_;
  std::vector<std::string> onward_;
  ByteBuffer in_, out_;
  unsigned left_ = 0;
  std::atomic<int> under_way_{0};
  std::mutex lock_;
  Status failure_;
  grpc::Alarm alarm_;
};

class Bed final : public grpc::CallbackGenericService {
 public:
  explicit Bed(const ServerOptions& options) : options_(options), next_(options.next) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    return new Reactor(options_, &next_, context);
  }

 private:
  const ServerOptions& options_;
  grpc::TemplatedGenericStub<Ask, Told> next_;
};

}  // namespace

void serve_callback(const ServerOptions& options) {
  Bed service(options);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options.address, server_credentials());
  builder.RegisterCallbackGenericService(&service);
  const auto server = builder.BuildAndStart();
  if (!server) throw std::runtime_error("cannot listen on " + options.address);
  server->Wait();
  std::exit(0);
}
