// SPDX-License-Identifier: Apache-2.0
#include "probes.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "address.h"
#include "verifier.h"

namespace torture {

constexpr unsigned kEstablished = 1;  // enum of the kernel's net/tcp_states.h

std::string counters_fit(int fd, uint64_t written, uint64_t read, uint64_t requests, uint64_t& added) {
  int unacknowledged = -1;
  for (int i = 0; i < 5000; ++i) {
    if (ioctl(fd, SIOCOUTQ, &unacknowledged) != 0) return std::string("SIOCOUTQ: ") + std::strerror(errno);
    if (unacknowledged == 0) break;
    usleep(1000);
  }
  if (unacknowledged != 0) return "SIOCOUTQ stays at " + std::to_string(unacknowledged);
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::string("TCP_INFO: ") + std::strerror(errno);
  if (info.tcpi_state != kEstablished) return "the state is " + std::to_string(info.tcpi_state);
  if (info.tcpi_unacked != 0 || info.tcpi_notsent_bytes != 0) return "segments are left";
  if (info.tcpi_bytes_received != read)
    return "bytes_received " + std::to_string(info.tcpi_bytes_received) + ", read " + std::to_string(read);
  const uint64_t acked = info.tcpi_bytes_acked - 1;  // the SYN counts
  if (acked < written) return "bytes_acked " + std::to_string(acked) + ", written " + std::to_string(written);
  added = acked - written;
  if (added % kLineSize != 0 || added / kLineSize > requests)
    return std::to_string(added) + " bytes were added to " + std::to_string(requests) + " requests";
  return {};
}

std::string kernel_tls(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const Address to = ipv4_address(1, port);
  if (fd < 0 || connect(fd, to.get(), to.size) != 0) return "no connection";
  std::string out;
  if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 3) != 0) {
    out = std::to_string(errno) + " -";
  } else {
    tls12_crypto_info_aes_gcm_128 keys{};
    keys.info.version = TLS_1_2_VERSION;
    keys.info.cipher_type = TLS_CIPHER_AES_GCM_128;
    constexpr int kSolTls = 282;
    out = "0 " + std::to_string(setsockopt(fd, kSolTls, TLS_TX, &keys, sizeof keys) == 0 ? 0 : errno);
  }
  close(fd);
  return out;
}

}  // namespace torture
