// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace clew::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using namespace std::chrono_literals;
using Arguments = std::vector<const char*>;
using Variables = std::map<std::string, std::string>;

base::Result<Options> parsed(const Arguments& arguments, const Variables& variables = {}, bool terminal = false) {
  const Surroundings surroundings{.environment = [&](const char* name) -> const char* {
                                    const auto found = variables.find(name);
                                    return found == variables.end() ? nullptr : found->second.c_str();
                                  },
                                  .stdout_is_terminal = terminal};
  return parse(arguments, surroundings);
}

Options good(const Arguments& arguments, const Variables& variables = {}, bool terminal = false) {
  auto result = parsed(arguments, variables, terminal);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result.value_or(Options{});
}

std::string wrong(const Arguments& arguments) {
  auto result = parsed(arguments);
  EXPECT_FALSE(result);
  return result ? "" : result.error().message;
}

TEST(Options, EveryWayToSelectMayBeGivenManyTimes) {
  const SelectOptions select = good({"trace",
                                     "--pid",
                                     "12",
                                     "--pid=13,14",
                                     "--exe",
                                     "*/nginx",
                                     "--exe",
                                     "redis-server",
                                     "--port",
                                     "8080-8090,9000",
                                     "--port=80",
                                     "--cgroup",
                                     "/system.slice",
                                     "--container",
                                     "docker://3f2a",
                                     "--not-exe",
                                     "*/curl",
                                     "--not-port",
                                     "9100",
                                     "--",
                                     "./server",
                                     "--port",
                                     "1"})
                                   .trace.select;
  EXPECT_THAT(select.process_ids, ElementsAre(12, 13, 14));
  EXPECT_THAT(select.exe_globs, ElementsAre("*/nginx", "redis-server"));
  EXPECT_THAT(select.ports, ElementsAre(PortRange{8080, 8090}, PortRange{9000, 9000}, PortRange{80, 80}));
  EXPECT_THAT(select.cgroups, ElementsAre("/system.slice"));
  EXPECT_THAT(select.containers, ElementsAre("3f2a"));
  EXPECT_THAT(select.not_exe_globs, ElementsAre("*/curl"));
  EXPECT_THAT(select.not_ports, ElementsAre(PortRange{9100, 9100}));
  EXPECT_THAT(select.command, ElementsAre("./server", "--port", "1"));
}

TEST(Options, WhatFollowsTheDashesIsNeverReadAsOurs) {
  const Options options = good({"trace", "--", "prog", "--help", "--", "--json", ""});
  EXPECT_EQ(options.command, Command::kTrace);
  EXPECT_THAT(options.trace.select.command, ElementsAre("prog", "--help", "--", "--json", ""));
}

TEST(Options, NothingSelectedTeaches) {
  EXPECT_THAT(wrong({"trace"}),
              AllOf(StartsWith("nothing is selected"), HasSubstr("clew trace --port 8080"), HasSubstr("clew trace -- ./myserver")));
  EXPECT_THAT(wrong({"trace", "--console"}), StartsWith("nothing is selected"));
  EXPECT_THAT(wrong({"trace", "--not-port", "80"}), StartsWith("exclusions alone select nothing"));
  EXPECT_THAT(wrong({"trace", "--"}), HasSubstr("no command after --"));
}

TEST(Options, OutputsAreCollected) {
  const Options options = good({"trace", "--pid", "1", "--file", "a", "--file=-", "--otlp", "http://a:4317", "--otlp", "https://b",
                                "--otlp-protocol", "http/json", "--record", "r", "--duration", "1m30s", "--count", "7", "--capture-query"});
  const OutputOptions& output = options.trace.output;
  EXPECT_EQ(output.console, ConsoleMode::kNone);
  EXPECT_THAT(output.files, ElementsAre("a", "-"));
  ASSERT_EQ(output.otlp.size(), 2U);
  EXPECT_EQ(output.otlp[0].url, "http://a:4317");
  EXPECT_EQ(output.otlp[0].protocol, OtlpProtocol::kHttpJson);
  EXPECT_EQ(output.otlp[1].protocol, OtlpProtocol::kHttpJson);
  EXPECT_THAT(output.records, ElementsAre("r"));
  EXPECT_TRUE(output.capture_query);
  EXPECT_EQ(options.trace.duration, std::chrono::nanoseconds(90s));
  EXPECT_EQ(options.trace.count, 7U);
}

TEST(Options, AProtocolForEachDestinationGoesByOrder) {
  const OutputOptions output = good({"trace", "--pid", "1", "--otlp", "http://a", "--otlp-protocol", "grpc", "--otlp", "http://b",
                                     "--otlp-protocol", "http/protobuf"})
                                   .trace.output;
  EXPECT_EQ(output.otlp[0].protocol, OtlpProtocol::kGrpc);
  EXPECT_EQ(output.otlp[1].protocol, OtlpProtocol::kHttpProtobuf);
  EXPECT_FALSE(good({"trace", "--pid", "1", "--otlp", "http://a"}).trace.output.otlp[0].protocol);
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--otlp-protocol", "grpc"}), HasSubstr("no --otlp says where"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--otlp", "http://a", "--otlp-protocol", "grpc", "--otlp-protocol", "grpc"}),
              HasSubstr("1 times --otlp"));
}

TEST(Options, ConsoleIsTheDefaultAndFollowsTheTerminal) {
  EXPECT_EQ(good({"trace", "--pid", "1"}, {}, true).trace.output.console, ConsoleMode::kTree);
  EXPECT_EQ(good({"trace", "--pid", "1"}, {}, false).trace.output.console, ConsoleMode::kLine);
  EXPECT_EQ(good({"replay", "x.pcap"}, {}, true).replay.output.console, ConsoleMode::kTree);
  EXPECT_EQ(good({"trace", "--pid", "1", "--console"}, {}, false).trace.output.console, ConsoleMode::kTree);
  EXPECT_EQ(good({"trace", "--pid", "1", "--console=line"}, {}, true).trace.output.console, ConsoleMode::kLine);
  EXPECT_EQ(good({"trace", "--pid", "1", "--file", "x"}, {}, true).trace.output.console, ConsoleMode::kNone);
}

TEST(Options, TwoOutputsNeverShareOneFile) {
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--console", "--file", "-"}), HasSubstr("both write to stdout"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--file", "x", "--file", "x"}), HasSubstr("x is given twice"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--file", "x", "--record", "x"}), HasSubstr("x is given twice"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--record", "-"}), HasSubstr("not to stdout"));
}

TEST(Options, AWrongOptionNamesTheNearestRightOne) {
  EXPECT_THAT(wrong({"trace", "--prot", "80"}), StartsWith("unknown option --prot; did you mean --port?"));
  EXPECT_THAT(wrong({"trace", "--conainer=x"}), StartsWith("unknown option --conainer; did you mean --container?"));
  EXPECT_THAT(wrong({"trace", "--PID", "1"}), HasSubstr("did you mean --pid?"));
  EXPECT_THAT(wrong({"trace", "-pid", "1"}), StartsWith("unknown option -pid; did you mean --pid?"));
  EXPECT_THAT(wrong({"trace", "--process", "1"}), HasSubstr("did you mean --pid?"));
  EXPECT_THAT(wrong({"trace", "--otpl", "http://a"}), HasSubstr("did you mean --otlp?"));
  EXPECT_THAT(wrong({"status", "--jsn"}), HasSubstr("did you mean --json?"));
  EXPECT_THAT(wrong({"trace", "--zebra"}), StartsWith("unknown option --zebra\n"));
}

TEST(Options, AWrongValueNamesTheNearestRightOne) {
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--console=tre"}), StartsWith("--console=tre: did you mean tree?"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--console", "tree"}), HasSubstr("did you mean --console=tree?"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--otlp", "http://a", "--otlp-protocol", "http/protobuff"}),
              HasSubstr("did you mean http/protobuf?"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--duration", "30"}), StartsWith("--duration 30: the unit is missing; did you mean 30s?"));
  EXPECT_THAT(wrong({"trace", "--pid", "nginx"}), HasSubstr("did you mean --exe nginx?"));
  EXPECT_THAT(wrong({"trace", "--port", "99999"}), StartsWith("--port 99999: a port is a whole number from 1 to 65535"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--otlp", "localhost:4317"}), HasSubstr("did you mean http://localhost:4317?"));
}

TEST(Options, BadNumbersAreRefused) {
  for (const char* text : {"0", "-1", "4194305", "1x", "1,", "99999999999999999999"})
    EXPECT_THAT(wrong({"trace", "--pid", text}), StartsWith("--pid"));
  for (const char* text : {"0", "-1", "x"}) EXPECT_THAT(wrong({"trace", "--pid", "1", "--count", text}), StartsWith("--count"));
}

TEST(Options, AMissingOrUnwantedValueIsSaid) {
  EXPECT_THAT(wrong({"trace", "--pid"}), StartsWith("--pid needs a value, for example: --pid 1234"));
  EXPECT_THAT(wrong({"trace", "--pid", "--exe", "x"}), StartsWith("--pid needs a value"));
  EXPECT_THAT(wrong({"trace", "--pid="}), StartsWith("--pid needs a value"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--console="}), StartsWith("--console needs a value, for example: --console=tree"));
  EXPECT_THAT(wrong({"doctor", "--json=yes"}), StartsWith("--json takes no value"));
}

TEST(Options, AWrongCommandNamesTheNearestRightOne) {
  EXPECT_THAT(wrong({"tarce"}), StartsWith("unknown command tarce; did you mean trace?"));
  EXPECT_THAT(wrong({"stat"}), HasSubstr("did you mean status?"));
  EXPECT_THAT(wrong({"--port", "80"}), HasSubstr("did you mean clew trace --port?"));
  EXPECT_THAT(wrong({"--prot=80"}), HasSubstr("did you mean clew trace --port?"));
  EXPECT_THAT(wrong({"--hepl"}), HasSubstr("did you mean --help?"));
  EXPECT_THAT(wrong({}), HasSubstr("clew trace --port 8080"));
  EXPECT_THAT(wrong({"--", "ls"}), HasSubstr("clew trace -- COMMAND"));
}

TEST(Options, AStrayArgumentIsExplained) {
  EXPECT_THAT(wrong({"trace", "1234"}), HasSubstr("did you mean --pid 1234"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "./server"}), HasSubstr("did you mean -- ./server to run it"));
  EXPECT_THAT(wrong({"doctor", "x"}), StartsWith("unexpected argument x"));
  EXPECT_THAT(wrong({"status", "--", "ls"}), HasSubstr("clew trace -- COMMAND"));
}

TEST(Options, InjectionIsAskedForByName) {
  EXPECT_FALSE(good({"trace", "--pid", "1"}).trace.inject);
  EXPECT_TRUE(good({"trace", "--pid", "1", "--inject"}).trace.inject);
  EXPECT_TRUE(good({"trace", "--pid", "1", "--inject"}).trace.inject_header);
  EXPECT_TRUE(good({"trace", "--pid", "1", "--inject=header"}).trace.inject_header);
  EXPECT_FALSE(good({"trace", "--pid", "1", "--inject=tcp-option"}).trace.inject_header);
  EXPECT_TRUE(good({"trace", "--pid", "1", "--inject=header,tcp-option"}).trace.inject_tcp_option);
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--inject=headr"}), HasSubstr("header"));
  EXPECT_THAT(wrong({"replay", "x.pcap", "--inject"}), HasSubstr("a replay reads"));
}

TEST(Options, WhatComesLaterIsAnHonestError) {
  const Arguments later[] = {{"trace", "--namespace", "shop"},
                             {"trace", "--not-namespace=shop"},
                             {"replay", "x.pcap", "--prometheus", ":9464"},
                             {"agent", "--config", "f"},
                             {"agent"}};
  for (const Arguments& arguments : later)
    EXPECT_THAT(wrong(arguments), AllOf(HasSubstr("comes later"), HasSubstr("this version cannot do it yet"), HasSubstr("use instead")));
  EXPECT_THAT(wrong({"trace", "--namespce", "shop"}), HasSubstr("did you mean --namespace?"));
}

TEST(Options, AnOptionOfAnotherCommandIsSentThere) {
  EXPECT_THAT(wrong({"replay", "x", "--pid", "1"}), StartsWith("--pid chooses processes"));
  EXPECT_THAT(wrong({"replay", "x", "--record", "y"}), StartsWith("--record writes kernel events"));
  EXPECT_THAT(wrong({"doctor", "--pid", "1"}), StartsWith("--pid is an option of clew trace"));
  EXPECT_THAT(wrong({"trace", "--pid", "1", "--json"}), StartsWith("--json is an option of clew doctor and clew status"));
}

TEST(Options, ReplayTakesFilesAndOutputs) {
  const Options options = good({"replay", "a.pcap", "--file", "out", "-", "--count", "3"});
  EXPECT_EQ(options.command, Command::kReplay);
  EXPECT_THAT(options.replay.files, ElementsAre("a.pcap", "-"));
  EXPECT_THAT(options.replay.output.files, ElementsAre("out"));
  EXPECT_EQ(options.replay.count, 3U);
  EXPECT_THAT(wrong({"replay"}), StartsWith("nothing to replay"));
}

TEST(Options, ExplainTakesOneTarget) {
  const ExplainOptions number = good({"explain", "1234"}).explain;
  EXPECT_EQ(number.kind, ExplainOptions::Kind::kNumber);
  EXPECT_EQ(number.number, 1234U);
  const ExplainOptions port = good({"explain", ":8080"}).explain;
  EXPECT_EQ(port.kind, ExplainOptions::Kind::kPort);
  EXPECT_EQ(port.number, 8080U);
  const ExplainOptions exe = good({"explain", "nginx"}).explain;
  EXPECT_EQ(exe.kind, ExplainOptions::Kind::kExe);
  EXPECT_EQ(exe.exe, "nginx");
  EXPECT_THAT(wrong({"explain"}), StartsWith("explain what?"));
  EXPECT_THAT(wrong({"explain", "1", "2"}), StartsWith("one at a time"));
  EXPECT_THAT(wrong({"explain", ":99999"}), HasSubstr("a port is"));
  EXPECT_THAT(wrong({"explain", ":"}), HasSubstr("a port is"));
  EXPECT_THAT(wrong({"explain", "0"}), HasSubstr("a process id or port is"));
}

TEST(Options, HelpWinsOverEverythingBeforeTheDashes) {
  EXPECT_THAT(good({"--help"}).text, StartsWith("clew follows"));
  EXPECT_THAT(good({"trace", "--pid", "abc", "--help"}).text, StartsWith("clew trace"));
  EXPECT_THAT(good({"agent", "-h"}).text, StartsWith("clew agent"));
  EXPECT_THAT(good({"help", "replay"}).text, StartsWith("clew replay"));
  EXPECT_EQ(good({"status", "--help"}).command, Command::kHelp);
}

TEST(Options, VersionIsNameAndNumber) {
  for (const char* word : {"--version", "version"})
    EXPECT_THAT(good({word}).text, testing::MatchesRegex("clew [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(Options, VerbosityBeatsTheVariable) {
  EXPECT_EQ(good({"status"}).log_level, LogLevel::kInfo);
  EXPECT_EQ(good({"status"}, {{"OTEL_LOG_LEVEL", "error"}}).log_level, LogLevel::kError);
  EXPECT_EQ(good({"status", "-v"}, {{"OTEL_LOG_LEVEL", "error"}}).log_level, LogLevel::kDebug);
  EXPECT_EQ(good({"status", "-vv"}).log_level, LogLevel::kTrace);
  EXPECT_EQ(good({"-v", "status"}).log_level, LogLevel::kDebug);
  EXPECT_EQ(good({"status", "-q"}).log_level, LogLevel::kWarn);
  EXPECT_EQ(good({"status", "--quiet", "--quiet"}).log_level, LogLevel::kError);
}

TEST(Options, VariablesChooseTheOutputOnlyWhenNoOptionDoes) {
  const Variables otlp = {{"OTEL_TRACES_EXPORTER", "otlp"}};
  const OutputOptions by_variable = good({"trace", "--pid", "1"}, otlp).trace.output;
  EXPECT_EQ(by_variable.console, ConsoleMode::kNone);
  ASSERT_EQ(by_variable.otlp.size(), 1U);
  EXPECT_EQ(by_variable.otlp[0].url, "");
  EXPECT_THAT(good({"trace", "--pid", "1", "--console=line"}, otlp).trace.output.otlp, IsEmpty());
}

TEST(Options, AnEndpointInTheEnvironmentIsUsedBesideTheConsole) {
  const Variables endpoint = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317"}};
  const OutputOptions output = good({"trace", "--pid", "1"}, endpoint).trace.output;
  EXPECT_EQ(output.console, ConsoleMode::kLine);
  EXPECT_EQ(output.otlp.size(), 1U);
  EXPECT_THAT(good({"trace", "--pid", "1", "--file", "x"}, endpoint).trace.output.otlp, IsEmpty());
}

TEST(Options, ExporterNoneIsSaid) {
  const Options options = good({"trace", "--pid", "1"}, {{"OTEL_TRACES_EXPORTER", "none"}});
  EXPECT_EQ(options.trace.output.console, ConsoleMode::kNone);
  EXPECT_THAT(options.warnings, ElementsAre(HasSubstr("go nowhere")));
}

TEST(Options, WarningsOfTheEnvironmentAreShownOnlyWhereTheyMatter) {
  const Variables sampler = {{"OTEL_TRACES_SAMPLER", "xray"}};
  EXPECT_THAT(good({"trace", "--pid", "1"}, sampler).warnings, ElementsAre(HasSubstr("xray")));
  EXPECT_THAT(good({"status"}, sampler).warnings, IsEmpty());
}

}  // namespace
}  // namespace clew::cli
