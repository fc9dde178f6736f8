// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/telemetry/summary.h"

namespace clew::telemetry {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

Json json_of(const Status& status) {
  Json counters = Json::array();
  for (const LabelledCounter& counter : status.counters) {
    Json labels = Json::object();
    for (const auto& [name, value] : counter.labels) labels[name] = value;
    counters.push_back({{"name", counter.name}, {"labels", std::move(labels)}, {"value", counter.value}});
  }
  return {{"pid", status.process_id},
          {"version", status.version},
          {"command_line", status.command_line},
          {"started_unix_ns", status.started_unix_ns},
          {"uptime_seconds", static_cast<double>(status.uptime.count()) / 1e9},
          {"selection", status.selection},
          {"backend", status.backend},
          {"processes_traced", status.processes_traced},
          {"processes",
           std::vector<uint32_t>(status.processes.begin(), status.processes.begin() + std::min(status.processes.size(), kProcessesShown))},
          {"counters", std::move(counters)}};
}

/// Leaves `to` alone when the member is missing or of another type.
template <class T>
void read(const Json& object, const char* name, T& to) {
  const auto member = object.find(name);
  if (member == object.end()) return;
  if constexpr (std::is_same_v<T, std::string>) {
    if (member->is_string()) to = member->template get<std::string>();
  } else {
    if (member->is_number_unsigned()) to = member->template get<T>();
  }
}

LabelledCounter counter_of(const Json& json) {
  LabelledCounter counter;
  if (!json.is_object()) return counter;
  read(json, "name", counter.name);
  read(json, "value", counter.value);
  const auto labels = json.find("labels");
  if (labels == json.end() || !labels->is_object()) return counter;
  for (const auto& [name, value] : labels->items())
    if (value.is_string()) counter.labels.emplace_back(name, value.get<std::string>());
  return counter;
}

/// What another process says must not steer the terminal.
std::string harmless(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text;
}

void line(std::string& text, std::string_view name, const std::string& value) {
  if (!value.empty()) fmt::format_to(std::back_inserter(text), "  {:<11}{}\n", name, harmless(value));
}

std::vector<Row> rows_of(const std::vector<LabelledCounter>& counters, std::string_view name) {
  std::vector<Row> rows;
  for (const LabelledCounter& counter : counters) {
    if (counter.name != name || counter.value == 0) continue;
    std::string what;
    for (const auto& label : counter.labels) what.append(what.empty() ? "" : " ").append(label.second);
    rows.push_back({std::move(what), counter.value});
  }
  return rows;
}

/// A name before the first row, spaces before the others.
void section(std::string& text, std::string_view name, std::vector<Row> rows, std::string_view when_empty) {
  if (rows.empty()) {
    if (!when_empty.empty()) line(text, name, std::string(when_empty));
    return;
  }
  for (Row& row : rows) row.what = harmless(std::move(row.what));
  std::string lines = table(rows, "             ");
  lines.replace(2, name.size(), name);
  text += lines;
}

void append(std::string& text, const Status& status) {
  fmt::format_to(std::back_inserter(text), "clew {} ({}), up {}\n", status.process_id, harmless(status.version), readable(status.uptime));
  line(text, "command", fmt::format("{}", fmt::join(status.command_line, " ")));
  line(text, "selected", status.selection);
  line(text, "backend", status.backend);
  line(text, "processes", std::to_string(status.processes_traced));
  section(text, "events", rows_of(status.counters, "clew_events_total"), "none");
  section(text, "spans", span_rows(status.counters), "none");
  section(text, "exported", rows_of(status.counters, "clew_export_spans_total"), {});
  section(text, "injected", rows_of(status.counters, "clew_injected_total"), {});
  section(text, "left alone", rows_of(status.counters, "clew_left_alone_total"), {});
  section(text, "lost", loss_rows(status.counters), "nothing");
}

}  // namespace

std::string to_json(const Status& status) { return dump(json_of(status), -1); }

base::Result<Status> parse_status(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return base::fail("what it answered is no JSON object");
  const auto pid = document.find("pid");
  if (pid == document.end() || !pid->is_number_unsigned()) return base::fail("what it answered does not come from a clew");
  Status status;
  read(document, "pid", status.process_id);
  read(document, "version", status.version);
  read(document, "started_unix_ns", status.started_unix_ns);
  read(document, "selection", status.selection);
  read(document, "backend", status.backend);
  read(document, "processes_traced", status.processes_traced);
  if (const auto processes = document.find("processes"); processes != document.end() && processes->is_array())
    for (const Json& id : *processes)
      if (id.is_number_unsigned() && status.processes.size() < kProcessesShown) status.processes.push_back(id.get<uint32_t>());
  const auto uptime = document.find("uptime_seconds");
  const double seconds = uptime != document.end() && uptime->is_number() ? uptime->get<double>() : 0;
  if (seconds > 0 && seconds < 1e9) status.uptime = std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
  if (const auto words = document.find("command_line"); words != document.end() && words->is_array())
    for (const Json& word : *words)
      if (word.is_string()) status.command_line.push_back(word.get<std::string>());
  if (const auto counters = document.find("counters"); counters != document.end() && counters->is_array())
    for (const Json& counter : *counters) status.counters.push_back(counter_of(counter));
  return status;
}

std::string status_text(const std::vector<Answer>& answers, bool hidden) {
  std::string text;
  if (answers.empty()) text = hidden ? "no clew of yours is running here\n" : "no clew is running here\n";
  for (const Answer& answer : answers) {
    if (!text.empty()) text.push_back('\n');
    if (answer.status)
      append(text, *answer.status);
    else
      fmt::format_to(std::back_inserter(text), "clew {}: no answer: {}\n", answer.process_id, harmless(answer.status.error().message));
  }
  if (hidden) text += "(clews that root runs are seen by root only: sudo clew status)\n";
  return text;
}

std::string status_json(const std::vector<Answer>& answers) {
  Json clews = Json::array();
  for (const Answer& answer : answers) {
    if (answer.status)
      clews.push_back(json_of(*answer.status));
    else
      clews.push_back({{"pid", answer.process_id}, {"error", answer.status.error().message}});
  }
  return dump({{"clews", std::move(clews)}}, 2) + "\n";
}

}  // namespace clew::telemetry
