// SPDX-License-Identifier: Apache-2.0
// What a path says: the kind of the call, whether the server calls onward for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

enum class Kind { kUnary, kCollect, kSpread, kTalk };

// /bed.Bed/Talk and /l.talk/ID are talks, /l/ID is unary.
inline Kind kind_of(std::string_view path) {
  const std::string_view service = path.substr(1, path.find('/', 1) - 1);
  const size_t dot = service.find('.');
  std::string_view word = dot == service.npos ? "" : service.substr(dot + 1);
  if (service == "bed.Bed") word = path.substr(service.size() + 2);
  if (word == "collect" || word == "Collect") return Kind::kCollect;
  if (word == "spread" || word == "Spread") return Kind::kSpread;
  return word == "talk" || word == "Talk" ? Kind::kTalk : Kind::kUnary;
}

inline bool client_streams(Kind kind) { return kind == Kind::kCollect || kind == Kind::kTalk; }
inline bool server_streams(Kind kind) { return kind == Kind::kSpread || kind == Kind::kTalk; }

// The calls that a server makes for a call of this path.
inline std::vector<std::string> onward_paths(std::string_view path) {
  std::vector<std::string> out;
  if (!path.starts_with("/h")) return out;
  for (const char* n : {"1", "2", "3"}) out.push_back("/l/" + std::string(n) + "~" + std::string(path.substr(path.rfind('/') + 1)));
  return out;
}
