// SPDX-License-Identifier: Apache-2.0
// The functions of TLS libraries that move plaintext, by the names that are their interface.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "bpf/events.h"

namespace clew::tls {

struct LibraryFunction {
  std::string_view name;
  std::string_view library;
  uint32_t flags = 0;    // enum clew_tls_flag
  bool is_free = false;  // ends a session
  bool is_bio = false;   // takes encrypted bytes from the program
};

/// All take (session, buffer, size, …) but those that end a session. OpenSSL's names are also LibreSSL's and BoringSSL's.
inline constexpr std::array kLibraryFunctions = {
    LibraryFunction{.name = "SSL_read", .library = "openssl", .flags = CLEW_TLS_OPENSSL},
    LibraryFunction{.name = "SSL_read_ex", .library = "openssl", .flags = CLEW_TLS_OPENSSL | CLEW_TLS_BY_POINTER},
    LibraryFunction{.name = "SSL_write", .library = "openssl", .flags = CLEW_TLS_OPENSSL | CLEW_TLS_EGRESS},
    LibraryFunction{.name = "SSL_write_ex", .library = "openssl", .flags = CLEW_TLS_OPENSSL | CLEW_TLS_EGRESS | CLEW_TLS_BY_POINTER},
    LibraryFunction{.name = "SSL_do_handshake", .library = "openssl", .flags = CLEW_TLS_OPENSSL | CLEW_TLS_NO_DATA},
    LibraryFunction{.name = "BIO_write", .library = "openssl", .is_bio = true},
    LibraryFunction{.name = "SSL_free", .library = "openssl", .is_free = true},
    LibraryFunction{.name = "gnutls_record_recv", .library = "gnutls", .flags = CLEW_TLS_LONG},
    LibraryFunction{.name = "gnutls_record_recv_seq", .library = "gnutls", .flags = CLEW_TLS_LONG},
    LibraryFunction{.name = "gnutls_record_send", .library = "gnutls", .flags = CLEW_TLS_LONG | CLEW_TLS_EGRESS | CLEW_TLS_CORKS},
    LibraryFunction{.name = "gnutls_record_send2", .library = "gnutls", .flags = CLEW_TLS_LONG | CLEW_TLS_EGRESS | CLEW_TLS_CORKS},
    LibraryFunction{.name = "gnutls_deinit", .library = "gnutls", .is_free = true},
    LibraryFunction{.name = "mbedtls_ssl_read", .library = "mbedtls"},
    LibraryFunction{.name = "mbedtls_ssl_write", .library = "mbedtls", .flags = CLEW_TLS_EGRESS},
    LibraryFunction{.name = "mbedtls_ssl_free", .library = "mbedtls", .is_free = true},
    LibraryFunction{.name = "wolfSSL_read", .library = "wolfssl"},
    LibraryFunction{.name = "wolfSSL_write", .library = "wolfssl", .flags = CLEW_TLS_EGRESS},
    LibraryFunction{.name = "wolfSSL_free", .library = "wolfssl", .is_free = true},
    LibraryFunction{.name = "s2n_recv", .library = "s2n", .flags = CLEW_TLS_LONG},
    LibraryFunction{.name = "s2n_send", .library = "s2n", .flags = CLEW_TLS_LONG | CLEW_TLS_EGRESS},
    LibraryFunction{.name = "s2n_connection_free", .library = "s2n", .is_free = true},
};

}  // namespace clew::tls
