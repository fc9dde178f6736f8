// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace clew::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

Environment read(const std::map<std::string, std::string>& variables) {
  return read_environment([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(ResourceAttributes, AreDecoded) {
  EXPECT_THAT(parse_resource_attributes("a=1,team=caf%C3%A9,expr=x%3Dy%2Cz").value(),
              ElementsAre(Pair("a", "1"), Pair("team", "café"), Pair("expr", "x=y,z")));
}

TEST(ResourceAttributes, SpacesAroundPartsAndCommasAtTheEndsAreHarmless) {
  EXPECT_THAT(parse_resource_attributes(" a = 1 , b=2,").value(), ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_THAT(parse_resource_attributes("").value(), IsEmpty());
}

TEST(ResourceAttributes, OnlyTheFirstEqualsSeparates) {
  EXPECT_THAT(parse_resource_attributes("a=b=c").value(), ElementsAre(Pair("a", "b=c")));
}

TEST(ResourceAttributes, OfAKeyGivenTwiceTheLastWins) {
  EXPECT_THAT(parse_resource_attributes("a=1,b=2,a=3").value(), ElementsAre(Pair("a", "3"), Pair("b", "2")));
}

TEST(ResourceAttributes, AnyErrorDiscardsTheWhole) {
  for (const char* text : {"a", "a=1,b", "=1", "a=%", "a=%4", "a=%zz", "a=1,,b=2", "a=%ff", "a=%C0%80", "a=%ED%A0%80"})
    EXPECT_FALSE(parse_resource_attributes(text)) << text;
}

TEST(ResourceAttributes, AreBounded) {
  std::string text;
  for (int i = 0; i < 129; ++i) text += "k" + std::to_string(i) + "=v,";
  EXPECT_FALSE(parse_resource_attributes(text));
}

TEST(ReadEnvironment, NothingSetGivesDefaultsAndNoWarning) {
  const Environment environment = read({});
  EXPECT_FALSE(environment.sdk_disabled);
  EXPECT_FALSE(environment.traces_exporter_set);
  EXPECT_FALSE(environment.otlp_endpoint_set);
  EXPECT_EQ(environment.service_name, "");
  EXPECT_FALSE(environment.log_level);
  EXPECT_THAT(environment.warnings, IsEmpty());
  EXPECT_THAT(read_environment(nullptr).warnings, IsEmpty());
}

TEST(ReadEnvironment, EmptyIsUnset) {
  const Environment environment = read({{"OTEL_SDK_DISABLED", ""},
                                        {"OTEL_LOG_LEVEL", ""},
                                        {"OTEL_TRACES_EXPORTER", ""},
                                        {"OTEL_TRACES_SAMPLER", ""},
                                        {"OTEL_EXPORTER_OTLP_ENDPOINT", ""},
                                        {"OTEL_SERVICE_NAME", ""},
                                        {"OTEL_RESOURCE_ATTRIBUTES", ""}});
  EXPECT_FALSE(environment.traces_exporter_set);
  EXPECT_FALSE(environment.otlp_endpoint_set);
  EXPECT_THAT(environment.warnings, IsEmpty());
}

TEST(ReadEnvironment, OnlyTrueDisables) {
  EXPECT_TRUE(read({{"OTEL_SDK_DISABLED", "True"}}).sdk_disabled);
  EXPECT_FALSE(read({{"OTEL_SDK_DISABLED", "false"}}).sdk_disabled);
  const Environment odd = read({{"OTEL_SDK_DISABLED", "1"}});
  EXPECT_FALSE(odd.sdk_disabled);
  EXPECT_THAT(odd.warnings, ElementsAre(HasSubstr("OTEL_SDK_DISABLED=1")));
}

TEST(ReadEnvironment, ServiceNameBeatsTheResourceAttribute) {
  EXPECT_EQ(read({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=a,x=1"}}).service_name, "a");
  const Environment both = read({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=a,x=1"}, {"OTEL_SERVICE_NAME", "b"}});
  EXPECT_EQ(both.service_name, "b");
  EXPECT_THAT(both.resource_attributes, ElementsAre(Pair("x", "1")));
}

TEST(ReadEnvironment, BadResourceAttributesAreReportedAndIgnored) {
  const Environment environment = read({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=a,b=%zz"}});
  EXPECT_EQ(environment.service_name, "");
  EXPECT_THAT(environment.resource_attributes, IsEmpty());
  EXPECT_THAT(environment.warnings, ElementsAre(HasSubstr("percent-encoding")));
}

TEST(ReadEnvironment, LogLevelIsCaseInsensitive) {
  EXPECT_EQ(read({{"OTEL_LOG_LEVEL", "DEBUG"}}).log_level, LogLevel::kDebug);
  EXPECT_EQ(read({{"OTEL_LOG_LEVEL", "warning"}}).log_level, LogLevel::kWarn);
  const Environment odd = read({{"OTEL_LOG_LEVEL", "loud"}});
  EXPECT_FALSE(odd.log_level);
  EXPECT_THAT(odd.warnings, ElementsAre(HasSubstr("loud")));
}

TEST(ReadEnvironment, TracesExporterIsAList) {
  const Environment both = read({{"OTEL_TRACES_EXPORTER", "otlp, console"}});
  EXPECT_TRUE(both.traces_exporter_set && both.exporter_otlp && both.exporter_console);
  const Environment none = read({{"OTEL_TRACES_EXPORTER", "none"}});
  EXPECT_TRUE(none.traces_exporter_set);
  EXPECT_FALSE(none.exporter_otlp || none.exporter_console);
}

TEST(ReadEnvironment, AnUnknownExporterIsIgnoredWithTheNearestName) {
  const Environment environment = read({{"OTEL_TRACES_EXPORTER", "oltp"}});
  EXPECT_FALSE(environment.traces_exporter_set);
  EXPECT_THAT(environment.warnings, ElementsAre(HasSubstr("did you mean otlp?")));
}

TEST(ReadEnvironment, ASamplerIsReadWithItsRatio) {
  using Kind = sampling::SamplerSettings::Kind;
  const sampling::SamplerSettings unset = read({}).sampler;
  EXPECT_TRUE(unset.kind == Kind::kAlwaysOn && unset.parent_based);
  const sampling::SamplerSettings off = read({{"OTEL_TRACES_SAMPLER", "always_off"}}).sampler;
  EXPECT_TRUE(off.kind == Kind::kAlwaysOff && !off.parent_based);
  const Environment ratio = read({{"OTEL_TRACES_SAMPLER", "ParentBased_TraceIdRatio"}, {"OTEL_TRACES_SAMPLER_ARG", "0.1"}});
  EXPECT_TRUE(ratio.sampler.kind == Kind::kTraceIdRatio && ratio.sampler.parent_based);
  EXPECT_EQ(ratio.sampler.ratio, 0.1);
  EXPECT_THAT(ratio.warnings, IsEmpty());
}

TEST(ReadEnvironment, ASamplerThatIsNotUnderstoodKeepsEverythingAndSaysSo) {
  const Environment bad = read({{"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "1.5"}});
  EXPECT_EQ(bad.sampler.ratio, 1);
  EXPECT_THAT(bad.warnings, ElementsAre(HasSubstr("between 0 and 1")));
  EXPECT_THAT(read({{"OTEL_TRACES_SAMPLER", "xray"}}).warnings, ElementsAre(HasSubstr("asks a server")));
  EXPECT_THAT(read({{"OTEL_TRACES_SAMPLER", "alwayson"}}).warnings, ElementsAre(HasSubstr("did you mean always_on?")));
}

}  // namespace
}  // namespace clew::cli
