// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp_grpc.h"

#include <fmt/core.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <array>

#include "exporter/otlp_answer.h"

namespace clew::exporter {
namespace {

using Clock = Patience::Clock;
using Kind = OtlpReply::Kind;

constexpr char kMethod[] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr std::chrono::milliseconds kPoll{50};  // how late the end of patience may be noticed
constexpr char kSystemAuthorities[] = "/etc/ssl/certs/ca-certificates.crt";
constexpr size_t kQuotaBytes = size_t{16} << 20;

struct Pem {
  std::string ca, key, certificate;
};

class GrpcTransport final : public OtlpTransport {
 public:
  GrpcTransport(const OtlpOptions& options, Pem pem) : options_(options), pem_(std::move(pem)) {}

  ~GrpcTransport() override {
    if (queue_ == nullptr) return;
    queue_->Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
    }
  }

  std::string prepare(std::string body) override { return body; }  // gRPC compresses each message itself
  OtlpReply send(const std::string& body, Clock::time_point deadline, const Patience& patience) override;

 private:
  void connect();
  grpc::ChannelArguments arguments() const;
  /// False: patience ended, the call was cancelled.
  bool wait(grpc::ClientContext& context, const Patience& patience);

  const OtlpOptions options_;
  const Pem pem_;
  std::unique_ptr<grpc::CompletionQueue> queue_;
  std::unique_ptr<grpc::GenericStub> stub_;
};

grpc::ChannelArguments GrpcTransport::arguments() const {
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix(user_agent());
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options_.max_response_bytes));
  arguments.SetMaxSendMessageSize(-1);  // the limit was looked at before
  // Retries are ours: the same bytes, the codes that OTLP names, within the batch's time.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  const auto ms = [](std::chrono::milliseconds duration) { return static_cast<int>(std::max<int64_t>(duration.count(), 10)); };
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, ms(options_.backoff_initial / 2));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, ms(options_.backoff_max / 2));
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  grpc::ResourceQuota quota("clew");
  quota.Resize(kQuotaBytes);
  arguments.SetResourceQuota(quota);
  if (options_.compression == Compression::kGzip) arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  return arguments;
}

void GrpcTransport::connect() {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (options_.tls)
    credentials = grpc::SslCredentials({.pem_root_certs = pem_.ca, .pem_private_key = pem_.key, .pem_cert_chain = pem_.certificate});
  queue_ = std::make_unique<grpc::CompletionQueue>();
  stub_ = std::make_unique<grpc::GenericStub>(grpc::CreateCustomChannel(options_.target, credentials, arguments()));
}

bool GrpcTransport::wait(grpc::ClientContext& context, const Patience& patience) {
  bool cancelled = false;
  for (;;) {
    void* tag = nullptr;
    bool ok = false;
    const auto until = std::chrono::system_clock::now() + kPoll;
    if (queue_->AsyncNext(&tag, &ok, until) != grpc::CompletionQueue::TIMEOUT) return !cancelled;
    if (!cancelled && patience.over()) {
      cancelled = true;
      context.TryCancel();
    }
  }
}

OtlpReply GrpcTransport::send(const std::string& body, Clock::time_point deadline, const Patience& patience) {
  if (stub_ == nullptr) connect();
  grpc::ClientContext context;
  for (const auto& [name, value] : options_.headers) context.AddMetadata(name, value);
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline - Clock::now()));

  // The slice refers to `body`, which lives until the call is over.
  const grpc::Slice slice(body.data(), body.size(), grpc::Slice::STATIC_SLICE);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  const auto call = stub_->PrepareUnaryCall(&context, kMethod, request, queue_.get());
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  if (!wait(context, patience))
    return {.kind = Kind::kCancelled, .reason = "shutdown", .message = "clew stops", .retry_after = {}, .warning = {}};
  if (!status.ok()) return judge_grpc_status(status.error_code(), status.error_message(), status.error_details());

  OtlpReply reply;
  reply.kind = Kind::kAccepted;
  grpc::Slice bytes;
  if (!response.TrySingleSlice(&bytes).ok() && !response.DumpToSingleSlice(&bytes).ok()) return reply;
  const auto partial = parse_response_protobuf({reinterpret_cast<const char*>(bytes.begin()), bytes.size()});
  if (!partial) {
    reply.warning = "its answer is not OTLP; is it a collector?";
    return reply;
  }
  reply.rejected_spans = partial->rejected_spans;
  reply.warning = partial->message;
  return reply;
}

constexpr std::array<std::string_view, 17> kCodeNames = {
    "ok",        "cancelled",      "unknown",           "invalid_argument",   "deadline_exceeded",
    "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
    "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
    "data_loss", "unauthenticated"};

std::string_view code_name(int code) {
  return code >= 0 && static_cast<size_t>(code) < kCodeNames.size() ? kCodeNames[static_cast<size_t>(code)] : "unknown";
}

}  // namespace

OtlpReply judge_grpc_status(int code, std::string_view message, std::string_view details) {
  // gRPC's words for an address that it has not finished trying.
  constexpr std::string_view kNoError = "; last error: OK";
  if (message.ends_with(kNoError)) message.remove_suffix(kNoError.size());
  const std::optional<RpcStatus> status = details.empty() ? std::nullopt : parse_status_protobuf(details);
  OtlpReply reply;
  if (status) reply.retry_after = status->retry_delay;
  switch (code) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED: reply.kind = Kind::kUnreachable; break;
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::DATA_LOSS: reply.kind = Kind::kRetry; break;
    // Without RetryInfo the collector does not expect to recover.
    case grpc::StatusCode::RESOURCE_EXHAUSTED: reply.kind = reply.retry_after ? Kind::kRetry : Kind::kRefused; break;
    default: reply.kind = Kind::kRefused; break;
  }
  // An UNAVAILABLE that carries a wish to wait comes from a collector that is alive.
  if (reply.kind == Kind::kUnreachable && reply.retry_after) reply.kind = Kind::kRetry;
  reply.timed_out = code == grpc::StatusCode::DEADLINE_EXCEEDED;
  reply.reason = fmt::format("grpc_{}", code_name(code));
  reply.message = fmt::format("{}: {} ({})", reply.kind == Kind::kUnreachable ? "cannot reach the collector" : "the collector answers",
                              message, code_name(code));
  return reply;
}

base::Result<std::unique_ptr<OtlpTransport>> make_grpc_transport(const OtlpOptions& options) {
  Pem pem;
  CLEW_TRY(pem.ca, read_pem(options.ca_file));
  // gRPC brings no list of authorities of its own to Debian.
  if (options.tls && pem.ca.empty()) pem.ca = read_pem(kSystemAuthorities).value_or("");
  CLEW_TRY(pem.key, read_pem(options.client_key_file));
  CLEW_TRY(pem.certificate, read_pem(options.client_cert_file));
  return std::make_unique<GrpcTransport>(options, std::move(pem));
}

}  // namespace clew::exporter
