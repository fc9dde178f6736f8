// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/status_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>

namespace clew::telemetry {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRootDirectory = "/run/clew";
constexpr size_t kSocketsMax = 1024;
constexpr size_t kDirectoriesMax = 1024;

std::string error_text(int error) { return std::generic_category().message(error); }

/// "123.sock" → 123, anything else → 0.
uint32_t process_id_of(const std::string& file_name) {
  uint32_t process_id = 0;
  const auto [end, error] = std::from_chars(file_name.data(), file_name.data() + file_name.size(), process_id);
  const bool is_socket = error == std::errc{} && std::string_view(end) == ".sock";
  return is_socket ? process_id : 0;
}

template <class Use>
void each_entry(const std::string& directory, const Use& use) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) use(entry->path());
}

}  // namespace

std::string status_directory(uid_t user, const std::function<const char*(const char*)>& lookup) {
  if (user == 0) return kRootDirectory;
  const char* runtime = lookup ? lookup("XDG_RUNTIME_DIR") : nullptr;
  if (runtime != nullptr && *runtime == '/') return std::string(runtime) + "/clew";
  return fmt::format("/tmp/clew-{}", user);
}

std::vector<std::string> status_directories(uid_t user, const std::function<const char*(const char*)>& lookup) {
  std::vector<std::string> directories = {status_directory(user, lookup)};
  if (user != 0) return directories;
  each_entry("/run/user", [&](const fs::path& path) {
    if (directories.size() < kDirectoriesMax) directories.push_back(path.string() + "/clew");
  });
  each_entry("/tmp", [&](const fs::path& path) {
    if (directories.size() < kDirectoriesMax && path.filename().string().starts_with("clew-")) directories.push_back(path.string());
  });
  return directories;
}

base::Result<std::string> prepare_status_directory(const std::string& directory) {
  if (mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    return base::fail(fmt::format("cannot make {}: {}", directory, error_text(errno)));
  struct stat status{};
  if (lstat(directory.c_str(), &status) != 0) return base::fail(fmt::format("cannot look at {}: {}", directory, error_text(errno)));
  if (!S_ISDIR(status.st_mode)) return base::fail(directory + " is not a directory");
  if (status.st_uid != geteuid()) return base::fail(directory + " belongs to another user");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) return base::fail(directory + " is open to other users; its mode must be 0700");
  return directory;
}

bool is_own_directory(const std::string& directory) {
  struct stat status{};
  return lstat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

std::vector<StatusSocket> list_status_sockets(const std::string& directory) {
  std::vector<StatusSocket> sockets;
  each_entry(directory, [&](const fs::path& path) {
    const uint32_t process_id = process_id_of(path.filename().string());
    if (process_id != 0 && sockets.size() < kSocketsMax) sockets.push_back({process_id, path.string()});
  });
  std::ranges::sort(sockets, {}, &StatusSocket::process_id);
  return sockets;
}

bool has_hidden_clews(uid_t user) { return user != 0 && access(kRootDirectory, F_OK) == 0 && access(kRootDirectory, R_OK) != 0; }

}  // namespace clew::telemetry
