// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace clew::cli {
namespace {

using testing::HasSubstr;

constexpr Command kAll[] = {Command::kTrace,   Command::kAgent,  Command::kDoctor, Command::kStatus,
                            Command::kExplain, Command::kReplay, Command::kHelp};

TEST(Help, FitsEightyColumnsAndEndsInANewline) {
  for (Command command : kAll) {
    const std::string text(help_text(command));
    EXPECT_TRUE(text.ends_with('\n'));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(Help, NamesEveryOptionOfTrace) {
  for (const char* option : {"--pid", "--port", "--exe", "--cgroup", "--container", "--not-exe", "--not-port", "-- COMMAND", "--console",
                             "--file", "--otlp ", "--otlp-protocol", "--record", "--duration", "--count", "--capture-query", "-v", "-q"})
    EXPECT_THAT(help_text(Command::kTrace), HasSubstr(option));
}

TEST(Help, NamesEveryCommand) {
  for (const char* command : {"trace", "replay", "doctor", "status", "explain", "agent"}) EXPECT_THAT(kHelpOverview, HasSubstr(command));
}

TEST(Help, EveryCommandThatWorksSaysItsExitStatus) {
  for (Command command : {Command::kTrace, Command::kDoctor, Command::kStatus, Command::kExplain, Command::kReplay})
    EXPECT_THAT(help_text(command), HasSubstr("Exit status: 0"));
}

}  // namespace
}  // namespace clew::cli
