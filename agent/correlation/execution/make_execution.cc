// SPDX-License-Identifier: Apache-2.0
// The rule for a program: the one list of them.
#include "agent/correlation/execution/event_loop.h"
#include "agent/correlation/execution/execution.h"
#include "agent/correlation/execution/goroutines.h"
#include "agent/correlation/execution/node.h"
#include "agent/correlation/execution/proxied.h"
#include "agent/correlation/execution/tasks.h"
#include "agent/correlation/execution/threads.h"
#include "agent/correlation/execution/tokio.h"

namespace clew::correlation {

std::unique_ptr<Execution> make_execution(ExecutionModel model, const ExecutionSettings& settings) {
  switch (model) {
    case ExecutionModel::kThreads: break;
    case ExecutionModel::kPools: return std::make_unique<Threads>(settings, /*earns_trust=*/true);
    case ExecutionModel::kGoroutines: return std::make_unique<Goroutines>(settings);
    case ExecutionModel::kEventLoop: return std::make_unique<EventLoop>(settings);
    case ExecutionModel::kTasks: return std::make_unique<Tasks>(settings);
    case ExecutionModel::kProxied: return std::make_unique<Proxied>(settings);
    case ExecutionModel::kNode: return std::make_unique<Node>(settings);
    case ExecutionModel::kTokio: return std::make_unique<Tokio>(settings);
  }
  return std::make_unique<Threads>(settings);
}

}  // namespace clew::correlation
