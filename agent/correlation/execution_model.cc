// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution_model.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "bpf/events.h"

namespace clew::correlation {

ExecutionModel model_of(const exporter::Resource& resource) {
  // HAProxy is none: it reads from several clients before it asks a server for the first of them.
  static constexpr std::array<std::string_view, 1> kProxies = {"nginx"};
  const size_t index = resource.attributes.find("process.executable.name");
  if (index == resource.attributes.size()) return ExecutionModel::kThreads;
  const std::string_view name = resource.attributes[index].text;
  return std::ranges::find(kProxies, name) != kProxies.end() ? ExecutionModel::kEventLoop : ExecutionModel::kThreads;
}

ExecutionModel model_of(uint32_t runtime) {
  switch (runtime) {
    case CLEW_RUNTIME_NODE: return ExecutionModel::kNode;
    default: return ExecutionModel::kThreads;
  }
}

}  // namespace clew::correlation
