// SPDX-License-Identifier: Apache-2.0
// The lines that a client reads, and those that it writes: ../README.md.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <chrono>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "bed.pb.h"
#include "path.h"

inline long long now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct Wish {
  std::string path;
  unsigned send = 1, answers = 1, size = 0, code = 0, delay = 0, deadline = 0, cancel = 0;
  std::string metadata;

  bed::Ask ask() const {
    bed::Ask out;
    out.set_id(path);
    out.set_answers(answers);
    out.set_size(size);
    out.set_status(code);
    out.set_delay_ms(delay);
    out.mutable_payload()->resize(size);
    return out;
  }

  void prepare(grpc::ClientContext& context) const {
    if (deadline) context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(deadline));
    std::istringstream pairs(metadata == "-" ? "" : metadata);
    for (std::string pair; std::getline(pairs, pair, ',');)
      context.AddMetadata(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
  }
};

inline std::vector<Wish> read_plan() {
  std::vector<Wish> out;
  for (Wish w; std::cin >> w.path >> w.send >> w.answers >> w.size >> w.code >> w.delay >> w.deadline >> w.cancel >> w.metadata;)
    out.push_back(w);
  return out;
}

struct Outcome {
  unsigned sent = 0, received = 0;
  long long start = now_ns();
  std::string traces, trouble;

  void take(const bed::Told& told, const Wish& wish) {
    ++received;
    if (told.id() != wish.path || told.payload().size() != wish.size) trouble = "answer-of-" + told.id();
    traces.clear();
    for (const std::string& each : told.traceparent()) traces += (traces.empty() ? "" : ",") + each;
  }

  std::string line(size_t index, const grpc::Status& status) {
    const std::string details = status.error_message();
    if (const size_t mark = details.find(';'); mark != details.npos && mark + 1 < details.size()) traces = details.substr(mark + 1);
    std::ostringstream out;
    out << index << '\t' << status.error_code() << '\t' << sent << '\t' << received << '\t' << start << '\t' << now_ns() << '\t' << traces
        << '\t' << trouble << '\n';
    return out.str();
  }
};
