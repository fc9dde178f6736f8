// SPDX-License-Identifier: Apache-2.0
// Reads .capture files.
#include "protocols/testing/capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace clew::protocols::testing {
namespace {

base::Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out.push_back(text[i]);
      continue;
    }
    if (++i == text.size()) return base::fail("a backslash at the end of the line");
    switch (text[i]) {
      case 'r': out.push_back('\r'); break;
      case 'n': out.push_back('\n'); break;
      case 't': out.push_back('\t'); break;
      case '\\': out.push_back('\\'); break;
      case 'x': {
        const std::string hex(text.substr(i + 1, 2));
        if (hex.size() != 2 || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return base::fail("bad \\x escape");
        out.push_back(static_cast<char>(std::stoi(hex, nullptr, 16)));
        i += 2;
        break;
      }
      default: return base::fail(fmt::format("unknown escape \\{}", text[i]));
    }
  }
  return out;
}

base::Result<Sender> parse_sender(std::string_view word) {
  if (word == "client") return Sender::kClient;
  if (word == "server") return Sender::kServer;
  return base::fail(fmt::format("'{}' is neither client nor server", word));
}

base::Result<bool> parse_line(std::string_view line, Capture& capture) {
  if (line.empty() || line.front() == '#') return true;
  if (line == "% decoys") return capture.has_decoys = true;
  if (line.size() < 2 || line[1] != ' ') return base::fail("no space behind the first character");
  const std::string_view rest = line.substr(2);
  switch (line.front()) {
    case '>':
    case '<': {
      CLEW_TRY(std::string bytes, unescape(rest));
      capture.pieces.push_back({Piece::Kind::kBytes, line.front() == '>' ? Sender::kClient : Sender::kServer, std::move(bytes), 0});
      return true;
    }
    case '!': {
      CLEW_TRY(const Sender sender, parse_sender(rest));
      capture.pieces.push_back({Piece::Kind::kClose, sender, {}, 0});
      return true;
    }
    case '?': {
      const size_t space = rest.find(' ');
      CLEW_TRY(const Sender sender, parse_sender(rest.substr(0, space)));
      const std::string count(space == std::string_view::npos ? "" : rest.substr(space + 1));
      if (count.empty() || count.find_first_not_of("0123456789") != std::string::npos) return base::fail("how many bytes are missing?");
      capture.pieces.push_back({Piece::Kind::kLost, sender, {}, std::stoull(count)});
      return true;
    }
    case '=': {
      const size_t space = rest.find(' ');
      if (space == std::string_view::npos) return base::fail("an expectation is two words or more");
      const std::string_view what = rest.substr(0, space);
      std::vector<std::string>* list = &capture.exchanges;
      if (what != "exchange") {
        CLEW_TRY(const Sender sender, parse_sender(what));
        list = sender == Sender::kClient ? &capture.client : &capture.server;
      }
      list->emplace_back(rest.substr(space + 1));
      return true;
    }
    default: return base::fail(fmt::format("a line cannot begin with '{}'", line.front()));
  }
}

}  // namespace

std::string Capture::bytes_of(Sender sender) const {
  std::string all;
  for (const Piece& piece : pieces)
    if (piece.sender == sender) all += piece.bytes;
  return all;
}

base::Result<Capture> parse_capture(std::string name, std::string_view text) {
  Capture capture;
  capture.name = std::move(name);
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const base::Result<bool> parsed = parse_line(text.substr(0, end), capture);
    if (!parsed) return base::fail(fmt::format("{}:{}: {}", capture.name, number, parsed.error().message));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return capture;
}

base::Result<std::vector<Capture>> load_captures(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".capture") paths.push_back(entry.path());
  if (error) return base::fail(fmt::format("cannot read {}: {}", folder, error.message()));
  std::sort(paths.begin(), paths.end());
  std::vector<Capture> captures;
  for (const std::filesystem::path& path : paths) {
    const std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return base::fail(fmt::format("cannot read {}", path.string()));
    CLEW_TRY(Capture capture, parse_capture(path.filename().string(), text.str()));
    captures.push_back(std::move(capture));
  }
  return captures;
}

}  // namespace clew::protocols::testing
