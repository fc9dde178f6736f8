// SPDX-License-Identifier: Apache-2.0
// The libraries that a program is about to load, by what its file says it needs: known before the first of them is mapped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/discovery/proc_fs.h"

namespace clew::tls {

/// Paths below the process's root, to be opened from here. Looks where the dynamic linker looks by itself, and where the files say
/// (RUNPATH, RPATH); not into its cache, nor by LD_LIBRARY_PATH: what is missed is found when it is mapped. Of interpreters, which load TLS
/// libraries when a script wants them, also those by their usual names. Bounded: kFilesMax files.
std::vector<std::string> needed_files(const discovery::ProcFs& proc, uint32_t process_id);
/// Every file that may be one of them, also where the dynamic linker might find another of that name first. Empty if that cannot be told:
/// one was not found, the process's environment or /etc/ld.so.preload names others, or the program needs none.
std::vector<std::string> all_needed_files(const discovery::ProcFs& proc, uint32_t process_id);
std::vector<std::string> all_needed_files(const discovery::ProcFs& proc, uint32_t process_id, const std::string& program);
/// As the first, for a program that the process is going to execute: a path, or a name to be looked for in PATH; a script's interpreter
/// counts.
std::vector<std::string> needed_files(const discovery::ProcFs& proc, uint32_t process_id, const std::string& program);

/// The program file that executing `program` comes to: its interpreter if it is a script. Empty: there is none.
std::string program_file(const std::string& program);

inline constexpr size_t kNeededFilesMax = 128;

}  // namespace clew::tls
