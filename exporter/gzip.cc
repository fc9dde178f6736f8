// SPDX-License-Identifier: Apache-2.0
#include "exporter/gzip.h"

#include <zlib.h>

#include <cstdlib>

namespace clew::exporter {

std::string gzip(std::string_view text) {
  constexpr int kGzipFormat = 16;  // added to the window bits
  z_stream stream{};
  // The fastest level: spans repeat their keys, so it still saves nine bytes of ten.
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + kGzipFormat, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) std::abort();  // the bound was too small: cannot be
  out.resize(stream.total_out);
  return out;
}

}  // namespace clew::exporter
