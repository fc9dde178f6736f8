// SPDX-License-Identifier: Apache-2.0
// In plain text, or by TLS if BED_CERTIFICATE and BED_KEY name files; a client trusts that certificate.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

inline std::string file_of(const char* variable) {
  const char* const path = std::getenv(variable);
  std::ifstream file(path == nullptr ? "" : path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::shared_ptr<grpc::ServerCredentials> server_credentials() {
  if (std::getenv("BED_CERTIFICATE") == nullptr) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({file_of("BED_KEY"), file_of("BED_CERTIFICATE")});
  return grpc::SslServerCredentials(options);
}

inline std::shared_ptr<grpc::ChannelCredentials> channel_credentials() {
  if (std::getenv("BED_CERTIFICATE") == nullptr) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({.pem_root_certs = file_of("BED_CERTIFICATE"), .pem_private_key = {}, .pem_cert_chain = {}});
}
