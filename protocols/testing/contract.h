// SPDX-License-Identifier: Apache-2.0
// What every protocol must keep, as GoogleTest expectations on one capture. contract_test.cc puts each protocol of list.def to it.
#pragma once

#include "protocols/registry.h"
#include "protocols/testing/capture.h"

namespace clew::protocols::testing {

/// The capture gives what it expects: in its own pieces, split at every byte, byte by byte, in one piece per turn, with every skipped
/// byte replaced, and each time in front of a guard page. With bytes missing anywhere, no head comes out that was not in it.
void expect_messages(const Protocol& protocol, const Capture& capture);

/// `owner` claims each turn's beginning and never says no to it while it is incomplete; nobody else claims it.
void expect_claimed_only_by(const Protocol& owner, const ProtocolList& all, const Capture& capture);

/// Nobody claims any beginning of it, and no parser finds a message in it.
void expect_claimed_by_nobody(const ProtocolList& all, const Capture& capture);

}  // namespace clew::protocols::testing
