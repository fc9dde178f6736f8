// SPDX-License-Identifier: Apache-2.0
// What the HTTPS servers of this folder have in common.
#pragma once

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <string>

inline SSL_CTX* server_context(const char* certificate, const char* key) {
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 || SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
    std::exit(1);
  return context;
}

inline int listen_on(const char* port) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listener, 128) != 0) std::exit(1);
  return listener;
}

// Answers the first request in `request`, if all of it is there, and takes it out.
inline bool answer(SSL* ssl, std::string& request) {
  const size_t head = request.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  const size_t length = request.find("Content-Length: ");
  const size_t body = length < head ? std::strtoul(request.c_str() + length + 16, nullptr, 10) : 0;
  if (request.size() < head + 4 + body) return false;
  const bool is_head = request.starts_with("HEAD ");
  request.erase(0, head + 4 + body);
  const std::string text = std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n") + (is_head ? "" : "ok");
  return SSL_write(ssl, text.data(), static_cast<int>(text.size())) > 0;
}
