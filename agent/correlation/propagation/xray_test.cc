// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "agent/correlation/propagation/test_head.h"

namespace clew::correlation::propagation {
namespace {

using testing::extract_lines;
using testing::Row;
using testing::summary;

const std::string kRoot = "Root=1-5759e988-bd862e3fe1be46a994272793";
const std::string kParent = "Parent=53995c3f42cd8ad8";
const std::string kIds = "5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8";

void expect_each(const std::vector<Row>& rows) {
  for (const Row& row : rows) EXPECT_EQ(summary(extract_lines({{"X-Amzn-Trace-Id", row.value}})), row.expected) << '"' << row.value << '"';
}

TEST(XRay, FieldsInAnyOrder) {
  expect_each({
      {kRoot + ";" + kParent + ";Sampled=1", kIds + " yes"},
      {kRoot + ";" + kParent + ";Sampled=0", kIds + " no"},
      {kRoot + ";" + kParent + ";Sampled=?", kIds + " deferred"},
      {kRoot + ";" + kParent, kIds + " deferred"},
      {"Sampled=1;" + kParent + ";" + kRoot, kIds + " yes"},
      {kParent + ";Sampled=0;" + kRoot, kIds + " no"},
      {" " + kRoot + " ; " + kParent + ";\tSampled=1;", kIds + " yes"},
  });
}

TEST(XRay, UnknownFieldsArePassedOver) {
  expect_each({
      {"Self=1-67891234-12456789abcdef0123456789;" + kRoot + ";" + kParent + ";Sampled=1", kIds + " yes"},
      {kRoot + ";" + kParent + ";Sampled=1;Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2", kIds + " yes"},
      {kRoot + ";CalledFrom=app;" + kParent + ";Sampled=0;;=;x;a=b=c", kIds + " no"},
      {"root=1-0-0;PARENT=x;RootX=1;" + kRoot + ";" + kParent, kIds + " deferred"},
  });
}

TEST(XRay, WithoutParentThereIsNoContext) {
  expect_each({
      {kRoot, "none xray:no_parent"},
      {"Self=1-67891234-12456789abcdef0123456789;" + kRoot, "none xray:no_parent"},
      {kRoot + ";Sampled=0", "none only no xray:no_parent"},
      {kRoot + ";Sampled=1", "none only yes xray:no_parent"},
  });
}

TEST(XRay, TheRootHasExactly35Characters) {
  expect_each({
      {"Root=1-5759e988-bd862e3fe1be46a99427279;" + kParent, "none xray:wrong_length"},
      {kRoot + "0;" + kParent, "none xray:wrong_length"},
      {"Root=;" + kParent, "none xray:wrong_length"},
      {"Root;" + kParent, "none xray:wrong_length"},
      {"Root=2-5759e988-bd862e3fe1be46a994272793;" + kParent, "none xray:bad_version"},
      {"Root=1-5759e98-8bd862e3fe1be46a994272793;" + kParent, "none xray:malformed"},
      {"Root=1_5759e988-bd862e3fe1be46a994272793;" + kParent, "none xray:malformed"},
      {"Root=1-5759e98--bd862e3fe1be46a994272793;" + kParent, "none xray:bad_character"},
      {"Root=1-5759e98x-bd862e3fe1be46a994272793;" + kParent, "none xray:bad_character"},
      {"Root=1-00000000-000000000000000000000000;" + kParent, "none xray:zero_trace_id"},
      {"Root=1-5759E988-BD862E3FE1BE46A994272793;" + kParent, kIds + " deferred"},
  });
}

TEST(XRay, AnythingElseIsRefused) {
  expect_each({
      {"", "none xray:missing_trace_id"},
      {kParent + ";Sampled=1", "none xray:missing_trace_id"},
      {kRoot + ";" + kRoot + ";" + kParent, "none xray:malformed"},
      {kRoot + ";" + kParent + ";" + kParent, "none xray:malformed"},
      {kRoot + ";Parent=", "none xray:wrong_length"},
      {kRoot + ";" + kParent + "0", "none xray:wrong_length"},
      {kRoot + ";Parent=53995c3f42cd8ad", "none xray:wrong_length"},
      {kRoot + ";Parent=53995c3f42cd8adg", "none xray:bad_character"},
      {kRoot + ";Parent=0000000000000000", "none xray:zero_span_id"},
  });
  const std::string good = kRoot + ";" + kParent;
  EXPECT_EQ(summary(extract_lines({{"X-Amzn-Trace-Id", good}, {"x-amzn-trace-id", good}})), "none xray:duplicate_header");
}

TEST(XRay, AnUnreadableDecisionDoesNotCostTheIds) {
  expect_each({
      {kRoot + ";" + kParent + ";Sampled=2", kIds + " deferred xray:bad_sampled"},
      {kRoot + ";" + kParent + ";Sampled=", kIds + " deferred xray:bad_sampled"},
      {kRoot + ";" + kParent + ";Sampled=true", kIds + " deferred xray:bad_sampled"},
  });
}

}  // namespace
}  // namespace clew::correlation::propagation
