// SPDX-License-Identifier: Apache-2.0
#include "zerocopy.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace torture {

bool Zerocopy::enable(int fd) {
  const int one = 1;
  enabled_ = setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one) == 0;
  return enabled_;
}

std::string_view Zerocopy::keep(std::string_view bytes) {
  kept_.push_back(std::make_unique<std::string>(bytes));
  return *kept_.back();
}

void Zerocopy::note(uint32_t low, uint32_t high) {
  if (high < low || high - low > 1'000'000) {
    wrong_ = "completions " + std::to_string(low) + "…" + std::to_string(high);
    return;
  }
  for (uint32_t id = low;; ++id) {
    if (id >= seen_.size()) seen_.resize(id + 1);
    if (seen_[id] && wrong_.empty()) wrong_ = "completion " + std::to_string(id) + " twice";
    seen_[id] = true;
    ++ids_;
    if (id == high) break;
  }
}

void Zerocopy::reap(int fd) {
  for (int i = 0; i < 10'000; ++i) {
    char control[256];
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      const bool ours =
          (c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) || (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR);
      if (!ours) continue;
      const auto* e = reinterpret_cast<const sock_extended_err*>(CMSG_DATA(c));
      if (e->ee_origin == SO_EE_ORIGIN_ZEROCOPY) note(e->ee_info, e->ee_data);
    }
  }
}

std::string Zerocopy::finish(int fd) {
  for (int i = 0; i < 100 && ids_ < calls_; ++i) {
    reap(fd);
    if (ids_ >= calls_) break;
    pollfd p{fd, 0, 0};
    poll(&p, 1, 50);
  }
  pollfd p{fd, 0, 0};
  poll(&p, 1, 1);
  reap(fd);
  if (!wrong_.empty()) return wrong_;
  if (ids_ == calls_ && seen_.size() == calls_) return {};
  return std::to_string(calls_) + " calls, " + std::to_string(ids_) + " completions, up to " + std::to_string(seen_.size());
}

}  // namespace torture
