// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution_model.h"

#include <string_view>

#include "bpf/events.h"

namespace clew::correlation {

ExecutionModel model_of(const exporter::Resource& resource) {
  const size_t index = resource.attributes.find("process.executable.name");
  return index == resource.attributes.size() ? ExecutionModel::kThreads : model_of(resource.attributes[index].text);
}

ExecutionModel model_of(std::string_view name) {
  if (name == "nginx") return ExecutionModel::kEventLoop;
  if (name == "java") return ExecutionModel::kPools;
  // HAProxy is none where it is not read: it reads from several clients before it asks a server for the first, and lets requests overtake.
  return ExecutionModel::kThreads;
}

std::string_view describe(ExecutionModel model) {
  switch (model) {
    case ExecutionModel::kThreads: break;
    case ExecutionModel::kPools:
      return "execution: by the thread, or virtual thread, that waited for the request, once 16 have answered theirs; else inferred, while "
             "it is "
             "the only one under way";
    case ExecutionModel::kProxied: return "execution: by the client whose request the connection to the server serves";
    case ExecutionModel::kNode:
      return "execution: by the callback of the read, or of HTTP/2's frame, in which the request came; causal: by the async ids in "
             "callbacks of answers";
    case ExecutionModel::kTasks:
      return "execution: by the contextvars context that the request is served in, or the thread that waited for it";
    case ExecutionModel::kGoroutines:
      return "execution: by the goroutine that has read the request, or serves the stream; causal: by those that it has started since";
    case ExecutionModel::kTokio:
      return "execution: by the task that has read the request and waits for the answer, or for the task that does; causal: by tasks that "
             "it has spawned and not let go of";
    case ExecutionModel::kEventLoop: return "causal: what a worker sends in the turn in which it has read the request";
  }
  return "execution: by the thread that waited for the request; else inferred, while it is the only one under way";
}

ExecutionModel model_of(uint32_t runtime) {
  switch (runtime) {
    case CLEW_RUNTIME_GO: return ExecutionModel::kGoroutines;
    case CLEW_RUNTIME_CPYTHON: return ExecutionModel::kTasks;
    case CLEW_RUNTIME_JVM: return ExecutionModel::kPools;
    case CLEW_RUNTIME_NODE: return ExecutionModel::kNode;
    case CLEW_RUNTIME_HAPROXY: return ExecutionModel::kProxied;
    case CLEW_RUNTIME_TOKIO: return ExecutionModel::kTokio;
    case CLEW_RUNTIME_LOOP: return ExecutionModel::kEventLoop;
    default: return ExecutionModel::kThreads;
  }
}

}  // namespace clew::correlation
