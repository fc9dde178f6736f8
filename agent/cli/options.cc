// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <variant>

#include "agent/cli/arguments.h"
#include "agent/cli/edit_distance.h"
#include "agent/cli/help.h"
#include "agent/cli/later.h"
#include "agent/cli/values.h"

namespace clew::cli {
namespace {

using base::Result;
using Status = Result<std::monostate>;

constexpr uint64_t kProcessIdMax = 4'194'304;  // PID_MAX_LIMIT of 64-bit kernels

struct CommandName {
  std::string_view name;
  Command command;
};
constexpr std::array kCommands = {CommandName{"trace", Command::kTrace},     CommandName{"agent", Command::kAgent},
                                  CommandName{"doctor", Command::kDoctor},   CommandName{"status", Command::kStatus},
                                  CommandName{"explain", Command::kExplain}, CommandName{"replay", Command::kReplay},
                                  CommandName{"help", Command::kHelp},       CommandName{"version", Command::kVersion}};

std::string_view name_of(Command command) { return std::ranges::find(kCommands, command, &CommandName::command)->name; }

std::vector<std::string_view> command_names() {
  std::vector<std::string_view> names;
  for (const CommandName& entry : kCommands) names.push_back(entry.name);
  return names;
}

constexpr uint8_t kInTrace = 1;
constexpr uint8_t kInReplay = 2;
constexpr uint8_t kInReport = 4;  // doctor, status
constexpr uint8_t kInExplain = 8;
constexpr uint8_t kEverywhere = kInTrace | kInReplay | kInReport | kInExplain;

struct CommandOption {
  OptionSpec spec;
  uint8_t commands;
};
constexpr std::array kOptions = {
    CommandOption{{"pid", Takes::kValue, "1234"}, kInTrace},
    CommandOption{{"port", Takes::kValue, "8080-8090,9000"}, kInTrace},
    CommandOption{{"exe", Takes::kValue, "nginx"}, kInTrace},
    CommandOption{{"cgroup", Takes::kValue, "system.slice/nginx.service"}, kInTrace},
    CommandOption{{"container", Takes::kValue, "3f2a9c"}, kInTrace},
    CommandOption{{"not-exe", Takes::kValue, "curl"}, kInTrace},
    CommandOption{{"not-port", Takes::kValue, "9100"}, kInTrace},
    CommandOption{{"console", Takes::kOptionalValue, "tree"}, kInTrace | kInReplay},
    CommandOption{{"file", Takes::kValue, "spans.json"}, kInTrace | kInReplay},
    CommandOption{{"otlp", Takes::kValue, "http://localhost:4317"}, kInTrace | kInReplay},
    CommandOption{{"otlp-protocol", Takes::kValue, "http/protobuf"}, kInTrace | kInReplay},
    CommandOption{{"record", Takes::kValue, "requests.clew"}, kInTrace},
    CommandOption{{"duration", Takes::kValue, "30s"}, kInTrace},
    CommandOption{{"count", Takes::kValue, "1000"}, kInTrace | kInReplay},
    CommandOption{{"inject", Takes::kOptionalValue, "header"}, kInTrace},
    CommandOption{{"capture-query"}, kInTrace | kInReplay},
    CommandOption{{"json"}, kInReport},
    CommandOption{{"verbose", Takes::kNothing, {}, 'v'}, kEverywhere},
    CommandOption{{"quiet", Takes::kNothing, {}, 'q'}, kEverywhere},
    CommandOption{{"help", Takes::kNothing, {}, 'h'}, kEverywhere},
};

uint8_t bit_of(Command command) {
  switch (command) {
    case Command::kTrace: return kInTrace;
    case Command::kReplay: return kInReplay;
    case Command::kExplain: return kInExplain;
    default: return kInReport;
  }
}

std::vector<OptionSpec> options_of(Command command) {
  std::vector<OptionSpec> table;
  for (const CommandOption& option : kOptions)
    if ((option.commands & bit_of(command)) != 0) table.push_back(option.spec);
  return table;
}

/// One parse: holds what is being filled.
class Parser {
 public:
  Parser(const Surroundings& surroundings, Options& options) : surroundings_(surroundings), options_(options) {}

  Status run(std::span<const char* const> argv);

 private:
  Status find_command(std::span<const char* const>& argv);
  Status take_option(const GivenOption& given);
  Status take_select(const GivenOption& given, SelectOptions& select);
  Status take_output(const GivenOption& given, OutputOptions& output);
  Status take_inject(const GivenOption& given);
  Status take_operands(const Arguments& arguments);
  Status take_explain_target(std::string_view target);
  Status finish_trace(const Arguments& arguments);
  Status finish_output(OutputOptions& output);
  Status pair_protocols(OutputOptions& output);
  void default_output(OutputOptions& output);
  Status unexpected(std::string_view operand) const;
  std::optional<std::string> explain_unknown(std::string_view name) const;
  OutputOptions& output() { return options_.command == Command::kReplay ? options_.replay.output : options_.trace.output; }
  std::string try_help() const { return fmt::format("\n  try: clew {} --help", name_of(options_.command)); }

  const Surroundings& surroundings_;
  Options& options_;
  std::vector<OtlpProtocol> protocols_;
  int verbosity_ = 0;  // -v counts up, -q down
};

Status fail(std::string message) { return base::fail(std::move(message)); }

/// "--port 80a: a port is …"
Status bad_value(const GivenOption& given, const std::string& why) {
  const std::string_view between = given.name == "console" || given.name == "inject" ? "=" : " ";
  return fail(fmt::format("--{}{}{}: {}", given.name, between, given.value, why));
}

template <class T, class Take>
Status take(const GivenOption& given, Result<T> parsed, const Take& use) {
  if (!parsed) return bad_value(given, parsed.error().message);
  use(*std::move(parsed));
  return {};
}

bool is_help(std::string_view word) { return word == "--help" || word == "-h"; }

bool asks_for_help(std::span<const char* const> argv) {
  for (std::string_view word : argv) {
    if (word == "--") return false;
    if (is_help(word)) return true;
  }
  return false;
}

Status Parser::run(std::span<const char* const> argv) {
  if (Status status = find_command(argv); !status) return status;
  const Command command = options_.command;
  if (command == Command::kVersion) {
    options_.text = "clew " CLEW_VERSION "\n";
    return {};
  }
  if (command == Command::kHelp || asks_for_help(argv)) {
    options_.command = Command::kHelp;
    options_.text = help_text(command);
    if (command != Command::kHelp || argv.empty()) return {};
    for (const CommandName& entry : kCommands)
      if (argv.front() == entry.name) options_.text = help_text(entry.command);
    return {};
  }
  if (command == Command::kAgent) return fail(std::string(kAgentComesLater));

  const std::vector<OptionSpec> table = options_of(command);
  const auto arguments = split_arguments(argv, table, [this](std::string_view name) { return explain_unknown(name); });
  if (!arguments) return fail(arguments.error().message + try_help());
  for (const GivenOption& given : arguments->options)
    if (Status status = take_option(given); !status) return status;
  if (Status status = take_operands(*arguments); !status) return status;

  options_.environment = read_environment(surroundings_.environment);
  options_.log_level = options_.environment.log_level.value_or(LogLevel::kInfo);
  if (verbosity_ > 0) options_.log_level = verbosity_ == 1 ? LogLevel::kDebug : LogLevel::kTrace;
  if (verbosity_ < 0) options_.log_level = verbosity_ == -1 ? LogLevel::kWarn : LogLevel::kError;
  if (command != Command::kTrace && command != Command::kReplay) return {};
  for (const std::string& warning : options_.environment.warnings) options_.warnings.push_back(warning);
  if (command == Command::kTrace)
    if (Status status = finish_trace(*arguments); !status) return status;
  return finish_output(output());
}

/// Takes the command off the front of argv; -v and -q may stand before it.
Status Parser::find_command(std::span<const char* const>& argv) {
  while (!argv.empty() && (std::string_view(argv.front()) == "-v" || std::string_view(argv.front()) == "-q")) {
    verbosity_ += argv.front()[1] == 'v' ? 1 : -1;
    argv = argv.subspan(1);
  }
  if (argv.empty()) return fail(fmt::format("what should it do?\n\n{}", kHelpOverview));
  const std::string_view word = argv.front();
  if (is_help(word)) {
    options_.command = Command::kHelp;
    argv = argv.subspan(1);
    return {};
  }
  if (word == "--version" || word == "-V") {
    options_.command = Command::kVersion;
    return {};
  }
  const auto* found = std::ranges::find(kCommands, word, &CommandName::name);
  if (found != kCommands.end()) {
    options_.command = found->command;
    argv = argv.subspan(1);
    return {};
  }
  constexpr std::string_view kTry = "\n  try: clew --help";
  if (word == "--") return fail("to run and trace a command: clew trace -- COMMAND ARG...");
  if (!looks_like_option(word)) return fail(fmt::format("unknown command {}{}{}", word, did_you_mean(word, command_names()), kTry));
  const std::string_view name = word.substr(word.starts_with("--") ? 2 : 1, word.find('=') - (word.starts_with("--") ? 2 : 1));
  std::vector<std::string_view> names = {"help", "version"};
  for (const CommandOption& option : kOptions) names.push_back(option.spec.name);
  const std::string_view near = nearest(name, names);
  if (near.empty()) return fail(fmt::format("unknown option {}; a command comes first{}", word, kTry));
  if (near == "help" || near == "version") return fail(fmt::format("unknown option {}; did you mean --{}?{}", word, near, kTry));
  const auto* option = std::ranges::find(kOptions, near, [](const CommandOption& o) { return o.spec.name; });
  const std::string_view command = (option->commands & kInTrace) != 0 ? "trace" : "status";
  return fail(fmt::format("a command comes before --{}; did you mean clew {} --{}?{}", name, command, near, kTry));
}

std::optional<std::string> Parser::explain_unknown(std::string_view name) const {
  const bool tracing = options_.command == Command::kTrace || options_.command == Command::kReplay;
  if (tracing)
    if (auto later = comes_later(name)) return later;
  for (const CommandOption& option : kOptions) {
    if (option.spec.name != name) continue;
    if ((option.commands & bit_of(options_.command)) != 0) return std::nullopt;  // "-pid"
    if (options_.command == Command::kReplay && name == "record")
      return "--record writes kernel events, and a replay has none; to keep the recording copy its file";
    if (options_.command == Command::kReplay && (option.commands & kInTrace) != 0)
      return fmt::format("--{} chooses processes of this machine; a replay reads every connection in its files", name);
    const std::string_view owner = (option.commands & kInTrace) != 0 ? "clew trace" : "clew doctor and clew status";
    return fmt::format("--{} is an option of {}", name, owner);
  }
  std::vector<std::string_view> own;
  for (const CommandOption& option : kOptions)
    if ((option.commands & bit_of(options_.command)) != 0) own.push_back(option.spec.name);
  if (!nearest(name, own).empty()) return std::nullopt;
  if (tracing) return other_word_for(name);
  return std::nullopt;
}

Status Parser::take_option(const GivenOption& given) {
  if (given.name == "verbose") {
    verbosity_ = std::max(verbosity_, 0) + 1;
    return {};
  }
  if (given.name == "quiet") {
    verbosity_ = std::min(verbosity_, 0) - 1;
    return {};
  }
  if (given.name == "json") {
    options_.json = true;
    return {};
  }
  if (given.name == "count") {
    auto& count = options_.command == Command::kReplay ? options_.replay.count : options_.trace.count;
    return take(given, parse_number(given.value, 1, UINT64_MAX, "a count of spans"), [&](uint64_t n) { count = n; });
  }
  if (given.name == "duration")
    return take(given, parse_duration(given.value), [&](std::chrono::nanoseconds d) { options_.trace.duration = d; });
  if (given.name == "inject") return take_inject(given);
  constexpr std::array<std::string_view, 6> kOutput = {"console", "file", "otlp", "otlp-protocol", "record", "capture-query"};
  if (std::ranges::find(kOutput, given.name) != kOutput.end()) return take_output(given, output());
  return take_select(given, options_.trace.select);
}

Status Parser::take_select(const GivenOption& given, SelectOptions& select) {
  const std::string_view name = given.name;
  if (name == "pid") {
    auto list = parse_list(given.value);
    if (!list) return bad_value(given, list.error().message);
    for (std::string_view part : *list) {
      const auto id = parse_number(part, 1, kProcessIdMax, "a process id");
      const bool is_name = !part.empty() && part.find_first_of("0123456789-+") == std::string_view::npos;
      if (!id) return bad_value(given, id.error().message + (is_name ? fmt::format("; did you mean --exe {}?", part) : ""));
      select.process_ids.push_back(static_cast<uint32_t>(*id));
    }
    return {};
  }
  if (name == "port" || name == "not-port") {
    auto& ports = name == "port" ? select.ports : select.not_ports;
    return take(given, parse_ports(given.value), [&](const auto& more) { ports.insert(ports.end(), more.begin(), more.end()); });
  }
  if (name == "exe" || name == "not-exe") {
    auto& globs = name == "exe" ? select.exe_globs : select.not_exe_globs;
    return take(given, parse_exe_glob(given.value), [&](std::string glob) { globs.push_back(std::move(glob)); });
  }
  if (name == "container")
    return take(given, parse_container(given.value), [&](std::string id) { select.containers.push_back(std::move(id)); });
  select.cgroups.emplace_back(given.value);
  return {};
}

Status Parser::take_inject(const GivenOption& given) {
  constexpr std::array<std::string_view, 2> kWays = {"header", "tcp-option"};
  options_.trace.inject = true;
  if (!given.has_value) {
    options_.trace.inject_header = true;
    return {};
  }
  auto list = parse_list(given.value);
  if (!list) return bad_value(given, list.error().message);
  for (const std::string_view way : *list) {
    const auto found = parse_choice(way, kWays);
    if (!found) return bad_value(given, found.error().message);
    (*found == 0 ? options_.trace.inject_header : options_.trace.inject_tcp_option) = true;
  }
  return {};
}

Status Parser::take_output(const GivenOption& given, OutputOptions& output) {
  if (given.name == "console") {
    constexpr std::array<std::string_view, 2> kModes = {"tree", "line"};
    if (!given.has_value) {
      output.console = ConsoleMode::kTree;
      return {};
    }
    return take(given, parse_choice(given.value, kModes),
                [&](size_t index) { output.console = index == 0 ? ConsoleMode::kTree : ConsoleMode::kLine; });
  }
  if (given.name == "otlp") {
    return take(given, parse_url(given.value), [&](std::string url) { output.otlp.push_back({std::move(url), std::nullopt}); });
  }
  if (given.name == "otlp-protocol") {
    constexpr std::array<std::string_view, 3> kProtocols = {"grpc", "http/protobuf", "http/json"};  // in the order of OtlpProtocol
    return take(given, parse_choice(given.value, kProtocols),
                [&](size_t index) { protocols_.push_back(static_cast<OtlpProtocol>(index)); });
  }
  if (given.name == "capture-query") {
    output.capture_query = true;
    return {};
  }
  if (given.name == "record" && given.value == "-") return bad_value(given, "a recording goes to a file, not to stdout");
  (given.name == "record" ? output.records : output.files).emplace_back(given.value);
  return {};
}

Status Parser::take_operands(const Arguments& arguments) {
  const auto& operands = arguments.operands;
  const bool bare_console =
      std::ranges::any_of(arguments.options, [](const GivenOption& o) { return o.name == "console" && !o.has_value; });
  for (std::string_view operand : operands)
    if (bare_console && (operand == "tree" || operand == "line")) return fail(fmt::format("did you mean --console={}?", operand));
  if (arguments.command && options_.command != Command::kTrace)
    return fail(fmt::format("clew {} runs no command; did you mean clew trace -- COMMAND?", name_of(options_.command)));
  switch (options_.command) {
    case Command::kReplay:
      if (operands.empty()) return fail("nothing to replay; name a file, for example: clew replay capture.pcap" + try_help());
      options_.replay.files.assign(operands.begin(), operands.end());
      return {};
    case Command::kExplain:
      if (operands.empty()) return fail("explain what? For example: clew explain 1234, clew explain :8080" + try_help());
      if (operands.size() > 1) return fail(fmt::format("one at a time; what about {}?{}", operands[1], try_help()));
      return take_explain_target(operands.front());
    default: return operands.empty() ? Status{} : unexpected(operands.front());
  }
}

Status Parser::unexpected(std::string_view operand) const {
  if (options_.command != Command::kTrace) return fail(fmt::format("unexpected argument {}{}", operand, try_help()));
  const bool is_number = operand.find_first_not_of("0123456789") == std::string_view::npos;
  const std::string hint =
      is_number ? fmt::format("--pid {0}, or --port {0}", operand) : fmt::format("-- {0} to run it, or --exe '{0}'", operand);
  return fail(fmt::format("unexpected argument {}; did you mean {}?{}", operand, hint, try_help()));
}

Status Parser::take_explain_target(std::string_view target) {
  ExplainOptions& explain = options_.explain;
  const bool is_port = target.starts_with(':');
  const std::string_view digits = target.substr(is_port ? 1 : 0);
  if (!is_port && (target.empty() || target.find_first_not_of("0123456789") != std::string_view::npos)) {
    auto glob = parse_exe_glob(target);
    if (!glob) return fail("explain: " + glob.error().message);
    explain.kind = ExplainOptions::Kind::kExe;
    explain.exe = *std::move(glob);
    return {};
  }
  const auto number = parse_number(digits, 1, is_port ? 65535 : kProcessIdMax, is_port ? "a port" : "a process id or port");
  if (!number) return fail(fmt::format("explain {}: {}", target, number.error().message));
  explain.kind = is_port ? ExplainOptions::Kind::kPort : ExplainOptions::Kind::kNumber;
  explain.number = static_cast<uint32_t>(*number);
  return {};
}

Status Parser::finish_trace(const Arguments& arguments) {
  SelectOptions& select = options_.trace.select;
  if (arguments.command) {
    if (arguments.command->empty() || arguments.command->front().empty())
      return fail("there is no command after --; for example: clew trace -- ./myserver --flag");
    select.command = *arguments.command;
  }
  if (select.any()) return {};
  const bool excludes = !select.not_exe_globs.empty() || !select.not_ports.empty();
  return fail(fmt::format("{}{}", excludes ? "exclusions alone select nothing: " : "", kNothingSelected));
}

Status Parser::finish_output(OutputOptions& output) {
  if (Status status = pair_protocols(output); !status) return status;
  std::vector<std::string> paths = output.files;
  paths.insert(paths.end(), output.records.begin(), output.records.end());
  std::ranges::sort(paths);
  const auto twice = std::ranges::adjacent_find(paths);
  if (twice != paths.end()) return fail(fmt::format("{} is given twice as an output; each needs its own file", *twice));
  const bool file_on_stdout = std::ranges::find(output.files, "-") != output.files.end();
  if (file_on_stdout && output.console != ConsoleMode::kNone)
    return fail("--console and --file - would both write to stdout; give --file a file");
  default_output(output);
  return {};
}

Status Parser::pair_protocols(OutputOptions& output) {
  if (!protocols_.empty() && output.otlp.empty())
    return fail(
        "--otlp-protocol says how, but no --otlp says where; for example: --otlp http://localhost:4318 --otlp-protocol http/protobuf");
  if (protocols_.size() > 1 && protocols_.size() != output.otlp.size())
    return fail(fmt::format("{} times --otlp, but {} times --otlp-protocol: give one for all, or one for each in order", output.otlp.size(),
                            protocols_.size()));
  for (size_t i = 0; i < output.otlp.size() && !protocols_.empty(); ++i)
    output.otlp[i].protocol = protocols_.size() == 1 ? protocols_.front() : protocols_[i];
  return {};
}

/// No OUTPUT was given: the variables decide; if they say nothing, the console.
void Parser::default_output(OutputOptions& output) {
  const Environment& environment = options_.environment;
  const bool chosen = output.console != ConsoleMode::kNone || !output.files.empty() || !output.otlp.empty() || !output.records.empty();
  if (chosen) return;
  const bool console = !environment.traces_exporter_set || environment.exporter_console;
  if (console) output.console = surroundings_.stdout_is_terminal ? ConsoleMode::kTree : ConsoleMode::kLine;
  const bool otlp = environment.exporter_otlp || (!environment.traces_exporter_set && environment.otlp_endpoint_set);
  if (otlp) output.otlp.push_back({});
  if (!console && !otlp) options_.warnings.emplace_back("OTEL_TRACES_EXPORTER=none: spans are counted but go nowhere");
}

}  // namespace

Result<Options> parse(std::span<const char* const> arguments, const Surroundings& surroundings) {
  Options options;
  if (Status status = Parser(surroundings, options).run(arguments); !status) return std::unexpected(std::move(status).error());
  return options;
}

}  // namespace clew::cli
