// SPDX-License-Identifier: Apache-2.0
// How one process gets from a request that it reads to the requests that it makes for it: one rule for each kind of program.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "agent/base/counters.h"
#include "agent/correlation/context.h"

namespace clew::correlation {

enum class ExecutionModel : uint8_t {
  kThreads,  // nothing is known of the program. A thread that waits in a blocking read serves that request until it is answered; where no
             // thread waits, the only request under way is inferred
  kPools,    // the same, of a kind in which thread pools are often shared (Java): threads must have shown that they answer what they read.
             // Its virtual threads by the number that bpf/execution/jvm.bpf.h reads
  kEventLoop,   // a proxy that acts in the same turn of its loop in which it has read something
  kGoroutines,  // Go: by the goroutine that reads, and those that it starts
  kTasks,       // CPython: the context that a task runs in tells which request it serves
  kNode,        // Node.js: its async ids
  kProxied,     // HAProxy: the client's connection that a stream serves
  kTokio,       // tokio: the task that reads a request, and the one that waits for an answer
};

/// Who made the call, and when.
struct Caller {
  uint32_t process_id = 0;
  uint32_t thread_id = 0;
  bool blocking = false;  // the call waited for its bytes
  ExecutionModel model = ExecutionModel::kThreads;
  std::array<uint64_t, 3> execution{};  // what the runtime shows of it; the model's
  uint64_t time_ns = 0;
};

/// A request that was made for another one of the same process.
struct Cause {
  RequestKey request;
  Evidence evidence = Evidence::kNone;
  double confidence = 0;  // kInferred only
};

inline constexpr size_t kCandidatesMax = 4;

/// Limits and counters that the processes have in common.
struct ExecutionSettings {
  size_t threads_max = 65'536;            // of a process, that have something under way
  size_t connects_max = 16'384;           // connections that a process has begun and sent nothing on yet
  double confidence_min = 0.9;            // below it an inferred parent is none
  uint64_t loop_turn_ns_max = 5'000'000;  // a loop that acts later than this may act for something else
  base::Counter* full = nullptr;
  base::Counter* ambiguous = nullptr;
  base::Counter* unread = nullptr;  // the runtime's data are not as they should be: a build that differs
};

/// One process. Told of its requests in the order of the kernel's events. Bounded by its settings; what is refused is counted.
class Execution {
 public:
  virtual ~Execution() = default;

  /// The head of a request was read by the process, as a server.
  virtual void received(const RequestKey& request, const Caller& caller) = 0;
  /// Its body is there as well.
  virtual void completed(const RequestKey& /*request*/, const Caller& /*caller*/) {}
  /// The head of its response was sent.
  virtual void responding(const RequestKey& /*request*/, const Caller& /*caller*/) {}
  /// Another process has sent it: the request was handed on with its socket, over a fork or a Unix socket.
  virtual void handed_out(const RequestKey& /*request*/) {}
  /// It is answered, or given up: what the process does from now on is not done for it. Told at least once of each.
  virtual void done(const RequestKey& request, uint64_t time_ns) = 0;

  /// The process has sent the head of a request, as a client: for which one, if that can be told.
  virtual std::optional<Cause> sent(const RequestKey& request, const Caller& caller) = 0;
  /// Where sent() knows no cause, but a few of which one may be it (2 to kCandidatesMax): those. Asked right after it.
  virtual std::vector<RequestKey> candidates(const Caller& /*caller*/) const { return {}; }
  /// The head of its response was read. `cause`: for which request it had been sent, if that one is still under way.
  virtual void answered(const RequestKey& /*request*/, const Caller& /*caller*/, const std::optional<RequestKey>& /*cause*/) {}
  /// It begins a connection, that has no requests yet.
  virtual void connecting(uint64_t /*connection*/, const Caller& /*caller*/) {}
  /// Something happened inside the runtime (a probe). `what` and the caller's words are its model's.
  virtual void noted(uint32_t /*what*/, const Caller& /*caller*/) {}

  /// The thread has read something that belongs to none of the requests that this rule is told of.
  virtual void interrupted(const Caller& /*caller*/) {}
  /// Connections with many streams are read and written by whoever comes, for all of them. What is a rule told of those requests?
  enum class Streams : uint8_t {
    kNothing,    // it goes by who it was
    kAnonymous,  // it holds where nobody knows that, too: a caller without thread
    kCallers,    // who it was, which it can tell from whose request it is
  };
  virtual Streams takes_streams() const { return Streams::kNothing; }

  /// Nothing is under way: what is kept can be forgotten where room is needed.
  virtual bool idle() const = 0;
};

std::unique_ptr<Execution> make_execution(ExecutionModel model, const ExecutionSettings& settings);

}  // namespace clew::correlation
