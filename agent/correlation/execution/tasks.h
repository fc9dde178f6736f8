// SPDX-License-Identifier: Apache-2.0
// CPython: a request belongs to the contextvars context in which it is read and answered, and to those that are copied from it meanwhile.
#pragma once

#include <unordered_map>
#include <vector>

#include "agent/correlation/execution/threads.h"

namespace clew::correlation {

/// Words of a caller: see bpf/execution/cpython.bpf.h. A thread that waits in blocking reads is served by the rule of Threads, and so is
/// what has no context. A context is known by its address from the note of its making to the next note with that address; a lost note
/// forgets all of them.
class Tasks final : public Execution {
 public:
  explicit Tasks(const ExecutionSettings& settings) : settings_(settings), threads_(settings) {}

  void received(const RequestKey& request, const Caller& caller) override;
  void responding(const RequestKey& request, const Caller& caller) override;
  void handed_out(const RequestKey& request) override { threads_.handed_out(request); }
  void done(const RequestKey& request, uint64_t time_ns) override;
  std::optional<Cause> sent(const RequestKey& request, const Caller& caller) override;
  void answered(const RequestKey& request, const Caller& caller, const std::optional<RequestKey>& cause) override;
  void noted(uint32_t what, const Caller& caller) override;
  /// Streams: the only request under way is inferred, or a few are candidates.
  Streams takes_streams() const override { return Streams::kAnonymous; }
  std::vector<RequestKey> candidates(const Caller& caller) const override {
    return caller.thread_id == 0 ? threads_.candidates(caller) : std::vector<RequestKey>();
  }
  bool idle() const override { return threads_.idle(); }

 private:
  enum class Owner : uint8_t {
    kUnknown,
    kRequest,     // works for one request, as long as that is under way
    kConnection,  // works for whatever request of a connection is under way
    kNobody,      // made while no request was under way, or for one that is done
    kShared,      // seen with several connections
  };
  struct Context {
    Owner owner = Owner::kUnknown;
    RequestKey request;       // kRequest
    uint64_t connection = 0;  // kConnection; kUnknown: it has answered a request of that one
    uint64_t id = 0;          // in this object, never used again
    uint64_t born = 0;        // number of the copy that made it; 0: before there were notes
    uint32_t children = 0;
    uint32_t early_children = 0;  // reads within TLS: it had so many before its first request
    bool reads = false;           // requests are read in it
    uint64_t served = 0;          // connection whose task has made it, or made what has …
    bool made_late = false;       // … when all of its requests were answered
    bool runs_callbacks = false;  // right after a request was read in no context, it was copied
    // how it was made: the pattern of asyncio's accept (tasks.cc)
    uint64_t parent = 0;  // address
    uint64_t parent_id = 0;
    uint64_t parent_born = 0;
    uint64_t grandparent_id = 0;
    uint32_t nth = kManyth;  // child of its parent, from 0
    uint32_t parent_nth = kManyth;
    uint32_t of_child = kManyth;  // kRequest, because this child (Served) is thought to serve the connection
  };
  struct Connection {
    std::vector<RequestKey> open;         // in their order
    std::optional<RequestKey> pipelined;  // the latest that came before the one before it was answered
    uint64_t copies = 0;                  // noted when the latest was read
    uint64_t candidate_id = 0;            // context that seems to serve it …
    uint32_t votes = 0;                   // … by so many answers in a row
    uint64_t done_ns = 0;                 // its latest answer; 0: none yet
    bool accepted = false;                // its accept was seen: it is known which context serves it
  };
  struct Accept {
    uint64_t connection = 0;
    uint64_t reader_parent_born = 0;
  };
  struct Served {  // by a task that was there before its requests
    uint64_t connection = 0;
    uint32_t child = 0;  // bit of serving_children_
  };
  struct Turn {                      // of a thread
    std::optional<RequestKey> read;  // in no context, or in one of all, and the thread has done nothing since
    uint64_t callbacks_id = 0;       // the context that was copied then
    bool in_callback = false;        // nothing has happened since but copies of that one
    uint32_t in_a_row = 0;           // so many times without an exception
  };
  struct Finding {
    bool known = false;
    std::optional<RequestKey> request;  // known, but none: it works for nobody
  };

  static constexpr uint32_t kManyth = UINT32_MAX;

  Context& context_at(uint64_t address);
  Finding find(const Context& context) const;
  Finding find_in(uint64_t connection) const;
  std::optional<Served> served_of(const Context& context) const;
  /// The callback of an accept that reads.
  static bool is_accepted_reader(const Context& context) { return context.nth == 0 && context.parent_nth == 1; }
  uint64_t served_by(const Context& context) const;
  Finding find_served(const Context& context, uint64_t connection) const;
  void learn_when_it_works(const Context& context);
  void inherit(uint64_t address, const Context& parent, Context& child);
  void copied_in_turn(Context* parent, Context& child, Turn& turn, bool at_once);
  void vote(const RequestKey& request, Context& context, Connection& connection);
  void begin_turn(const RequestKey& request, uint32_t thread_id);
  void interrupt(uint32_t thread_id);
  void forget();

  ExecutionSettings settings_;
  Threads threads_;
  std::unordered_map<uint64_t, Context> contexts_;  // by address
  std::unordered_map<uint64_t, Connection> connections_;
  std::unordered_map<uint64_t, Accept> accepts_;  // by the id of the context that accepted
  std::unordered_map<uint32_t, Turn> turns_;
  uint64_t copies_ = 0;  // number of the latest note
  uint64_t last_id_ = 0;
  uint32_t serving_children_ = 0;  // bit n: the n-th child of connection_made has answered; 8 + n: an early one of the callback that reads
  bool accept_misleads_ = false;   // a response came from elsewhere than that pattern says
  bool callbacks_mislead_ = false;
  // A task that serves a connection, or what it has made, has asked for something: when all of its requests were answered; before the
  // first of them was.
  bool works_after_answers_ = false;
  bool works_before_answers_ = false;
  uint32_t idle_ = 0;  // so many times such a task has done nothing for a while after its answer
};

}  // namespace clew::correlation
