// Drives a ResultFilter as its owner does: a server's bytes in pieces of any size, the client's
// bytes out.
#pragma once

#include "sqlguard/results/result_filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace agentsh::sql {

struct ResultRun {
  std::vector<std::uint8_t> out;
  bool exceeded = false;
};

inline ResultRun run_results(ResultFilter& filter, Bytes stream, std::size_t piece) {
  ResultRun run;
  std::vector<std::uint8_t> held;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const Bytes next = stream.subspan(at, std::min(piece, stream.size() - at));
    held.insert(held.end(), next.begin(), next.end());
    std::size_t done = 0;
    while (true) {
      const auto frame = read_frame(Bytes(held).subspan(done), Direction::kBackend);
      if (!frame || !*frame) break;
      const Bytes whole = Bytes(held).subspan(done, (*frame)->size);
      done += whole.size();
      ResultFilter::Look look =
          filter.look({(*frame)->type, static_cast<std::uint32_t>((*frame)->body.size())});
      if (look == ResultFilter::Look::kForward)
        run.out.insert(run.out.end(), whole.begin(), whole.end());
      if (look == ResultFilter::Look::kWhole && !filter.take(**frame, run.out))
        look = ResultFilter::Look::kExceeded;
      if (look == ResultFilter::Look::kExceeded) {
        const auto error = filter.exceeded();
        run.out.insert(run.out.end(), error.begin(), error.end());
        run.exceeded = true;
      }
    }
    held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(done));
  }
  return run;
}

inline void add(std::vector<std::uint8_t>& stream, const BackendMessage& message) {
  ByteWriter writer;
  write(message, writer);
  const Bytes bytes = writer.view();
  stream.insert(stream.end(), bytes.begin(), bytes.end());
}

}  // namespace agentsh::sql
