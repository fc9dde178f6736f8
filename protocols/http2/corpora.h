// SPDX-License-Identifier: Apache-2.0
// Test cases of other projects as JSON files, in the folder that CLEW_CORPORA names. Only for tests.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace clew::protocols::http2 {

/// The files of a corpus below `folder`, in order; none if it is not there.
inline std::vector<std::filesystem::path> corpus_files(std::string_view folder) {
  std::vector<std::filesystem::path> files;
  const char* const root = std::getenv("CLEW_CORPORA");
  std::error_code error;
  if (root == nullptr) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(root) / folder, error))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

inline nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

inline std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

}  // namespace clew::protocols::http2
