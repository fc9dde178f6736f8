// SPDX-License-Identifier: Apache-2.0
// Tables.
#include "protocols/grpc/status.h"

#include <array>

namespace clew::protocols::grpc {
namespace {

struct Row {
  std::string_view name;
  std::string_view connect_name;
  bool is_servers_fault;
};
constexpr std::array<Row, 17> kRows = {{
    {"OK", "ok", false},
    {"CANCELLED", "canceled", false},
    {"UNKNOWN", "unknown", true},
    {"INVALID_ARGUMENT", "invalid_argument", false},
    {"DEADLINE_EXCEEDED", "deadline_exceeded", true},
    {"NOT_FOUND", "not_found", false},
    {"ALREADY_EXISTS", "already_exists", false},
    {"PERMISSION_DENIED", "permission_denied", false},
    {"RESOURCE_EXHAUSTED", "resource_exhausted", false},
    {"FAILED_PRECONDITION", "failed_precondition", false},
    {"ABORTED", "aborted", false},
    {"OUT_OF_RANGE", "out_of_range", false},
    {"UNIMPLEMENTED", "unimplemented", true},
    {"INTERNAL", "internal", true},
    {"UNAVAILABLE", "unavailable", true},
    {"DATA_LOSS", "data_loss", true},
    {"UNAUTHENTICATED", "unauthenticated", false},
}};

const Row& row(Status status) { return kRows[static_cast<size_t>(status)]; }

}  // namespace

std::string_view name_of(Status status) { return row(status).name; }
std::string_view connect_name_of(Status status) { return row(status).connect_name; }

bool is_error(Status status, bool is_client_side) { return is_client_side ? status != Status::kOk : row(status).is_servers_fault; }

Status of_http(uint16_t http_status) {
  switch (http_status) {
    case 400: return Status::kInternal;
    case 401: return Status::kUnauthenticated;
    case 403: return Status::kPermissionDenied;
    case 404: return Status::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return Status::kUnavailable;
    default: return Status::kUnknown;
  }
}

Status of_reset(std::string_view error_code) {
  if (error_code == "REFUSED_STREAM") return Status::kUnavailable;
  if (error_code == "CANCEL") return Status::kCancelled;
  if (error_code == "ENHANCE_YOUR_CALM") return Status::kResourceExhausted;
  if (error_code == "INADEQUATE_SECURITY") return Status::kPermissionDenied;
  return Status::kInternal;
}

Status of_connect(uint16_t http_status) {
  switch (http_status) {
    case 200: return Status::kOk;
    case 401: return Status::kUnauthenticated;
    case 403: return Status::kPermissionDenied;
    case 429: return Status::kResourceExhausted;
    case 499: return Status::kCancelled;
    case 501: return Status::kUnimplemented;
    case 503: return Status::kUnavailable;
    case 504: return Status::kDeadlineExceeded;
    default: return Status::kNone;  // 400, 404, 409 and 500 each stand for several
  }
}

}  // namespace clew::protocols::grpc
