// SPDX-License-Identifier: Apache-2.0
// What a proxy may put before the first byte of a connection, whatever protocol follows: HAProxy's PROXY protocol, versions 1 and 2. It
// names the client's client. The kernel's counterpart is in bpf/http1/message.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace clew::protocols {

struct ProxyHeader {
  bool need_more = false;  // these bytes may become one
  size_t shown = 0;        // its bytes, of those at hand; 0: there is none
  uint32_t hidden = 0;     // so many more follow, which need not be shown
};

/// `bytes`: the first of a connection, in one direction.
ProxyHeader find_proxy_header(std::string_view bytes);

}  // namespace clew::protocols
