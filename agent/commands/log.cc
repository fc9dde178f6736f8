// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace clew::commands {
namespace {

spdlog::level::level_enum level_of(cli::LogLevel level) {
  switch (level) {
    case cli::LogLevel::kNone: return spdlog::level::critical;  // only always() passes
    case cli::LogLevel::kError: return spdlog::level::err;
    case cli::LogLevel::kWarn: return spdlog::level::warn;
    case cli::LogLevel::kInfo: return spdlog::level::info;
    case cli::LogLevel::kDebug: return spdlog::level::debug;
    case cli::LogLevel::kTrace: return spdlog::level::trace;
  }
  return spdlog::level::info;
}

}  // namespace

Messages::Messages(cli::LogLevel level)
    : logger_(std::make_shared<spdlog::logger>("clew", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_pattern("clew: %v");
  logger_->set_level(level_of(level));
  logger_->flush_on(spdlog::level::trace);
}

void Messages::error(std::string_view text) const { logger_->error(text); }
void Messages::warn(std::string_view text) const { logger_->warn(text); }
void Messages::info(std::string_view text) const { logger_->info(text); }
void Messages::debug(std::string_view text) const { logger_->debug(text); }
void Messages::always(std::string_view text) const { logger_->critical(text); }

exporter::Log Messages::for_exporters() const {
  return [messages = *this](exporter::Severity severity, std::string_view text) {
    switch (severity) {
      case exporter::Severity::kInfo: messages.info(text); break;
      case exporter::Severity::kWarning: messages.warn(text); break;
      case exporter::Severity::kError: messages.error(text); break;
    }
  };
}

}  // namespace clew::commands
