// SPDX-License-Identifier: Apache-2.0
// One reactor for calls of every kind; each that ends begins the next.
#include <grpcpp/alarm.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <latch>
#include <memory>
#include <mutex>

#include "clients.h"
#include "plan.h"

namespace {

using bed::Ask;
using bed::Told;

struct Work {
  grpc::TemplatedGenericStub<Ask, Told> stub;
  std::vector<Wish> wishes;
  std::vector<std::string> lines;
  size_t concurrency;
  std::latch workers;
};

class Reactor final : public grpc::ClientBidiReactor<Ask, Told> {
 public:
  static void next(Work& work, size_t index) {
    if (index >= work.wishes.size()) return work.workers.count_down();
    auto* reactor = new Reactor(work, index);
    work.stub.PrepareBidiStreamingCall(&reactor->context_, reactor->wish_.path, {}, reactor);
    if (reactor->wish_.cancel) reactor->cancel_later();
    reactor->StartRead(&reactor->told_);
    reactor->write();
    reactor->StartCall();  // last: once it has begun, it may end, and with it the reactor
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return;
    if (kind_ == Kind::kTalk) return go_on();
    if (outcome_.sent < wish_.send) write();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    outcome_.take(told_, wish_);
    StartRead(&told_);
    if (kind_ == Kind::kTalk) go_on();
  }

  void OnDone(const grpc::Status& status) override {
    {
      const std::lock_guard hold(giving_up_->lock);
      giving_up_->context = nullptr;
    }
    alarm_.Cancel();
    work_.lines[index_] = outcome_.line(index_, status);
    Work& work = work_;
    const size_t following = index_ + work.concurrency;
    delete this;  // before `work` may end
    next(work, following);
  }

 private:
  Reactor(Work& work, size_t index) : work_(work), index_(index), wish_(work.wishes[index]), kind_(kind_of(wish_.path)), ask_(wish_.ask()) {
    wish_.prepare(context_);
    giving_up_->context = &context_;
  }

  // The alarm may ring while the call ends: what it cancels is then no more.
  struct GivingUp {
    std::mutex lock;
    grpc::ClientContext* context;
  };

  void cancel_later() {
    alarm_.Set(std::chrono::system_clock::now() + std::chrono::milliseconds(wish_.cancel), [it = giving_up_](bool ok) {
      const std::lock_guard hold(it->lock);
      if (ok && it->context) it->context->TryCancel();
    });
  }

  // Of a talk: the next message when the one before it has left and is answered, in whatever order we hear of it.
  void go_on() {
    if (halves_.fetch_add(1) % 2 == 0) return;
    outcome_.sent < wish_.send ? write() : StartWritesDone();
  }

  // The last message of a stream that is not a talk says that it is the last.
  void write() {
    ++outcome_.sent;
    if (kind_ != Kind::kTalk && outcome_.sent == wish_.send) {
      StartWriteLast(&ask_, grpc::WriteOptions());
    } else {
      StartWrite(&ask_);
    }
  }

  Work& work_;
  size_t index_;
  const Wish& wish_;
  Kind kind_;
  Ask ask_;
  Told told_;
  Outcome outcome_;
  std::atomic<unsigned> halves_{0};
  grpc::ClientContext context_;
  grpc::Alarm alarm_;
  std::shared_ptr<GivingUp> giving_up_ = std::make_shared<GivingUp>();
};

}  // namespace

void call_callback(const std::shared_ptr<grpc::Channel>& channel, size_t concurrency) {
  std::vector<Wish> wishes = read_plan();
  std::vector<std::string> lines(wishes.size());
  Work work{grpc::TemplatedGenericStub<Ask, Told>(channel), std::move(wishes), std::move(lines), concurrency,
            std::latch(static_cast<long>(concurrency))};
  for (size_t first = 0; first < concurrency; ++first) Reactor::next(work, first);
  work.workers.wait();
  for (const std::string& line : work.lines) std::cout << line;
}
