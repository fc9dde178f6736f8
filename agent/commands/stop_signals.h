// SPDX-License-Identifier: Apache-2.0
// SIGINT, SIGTERM and SIGHUP: the first asks a run to end, with all that it still has to write; a second one asks it not to wait.
#pragma once

namespace clew::commands::stop_signals {

/// From now on they are only noted. SIGHUP stays ignored if it was (nohup).
void take();
/// The latest, or 0.
int last();
/// It has been passed on.
void forget();
/// The run ends: another signal is a second one.
void ending();
bool hurried();

}  // namespace clew::commands::stop_signals
