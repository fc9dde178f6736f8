// SPDX-License-Identifier: Apache-2.0
// HPACK's Huffman code: RFC 7541 §5.2.
#pragma once

#include <string>
#include <string_view>

namespace clew::protocols::http2 {

/// Appends what the bytes stand for, at most 8/5 of their number. False: they are no such code, or not padded as they have to be.
bool decode_huffman(std::string_view bytes, std::string& out);

}  // namespace clew::protocols::http2
