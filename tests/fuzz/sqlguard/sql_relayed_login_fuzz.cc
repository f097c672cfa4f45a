// A login between two others. The input is a list of pieces: a byte whose highest bit says who
// speaks and whose others how many bytes follow. What is passed on is whole authentication
// messages.
#include "sqlguard/codec/frame.h"
#include "sqlguard/login/relayed_login.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace agentsh;
using namespace agentsh::sql;

void check_only(Bytes bytes, Direction direction, char type) {
  while (!bytes.empty()) {
    const auto frame = read_frame(bytes, direction);
    if (!frame || !*frame || (*frame)->type != type) std::abort();
    if (as_text((*frame)->body).contains("SCRAM-SHA-256-PLUS") && type == 'R' &&
        (*frame)->body[3] == 10)
      std::abort();
    bytes = bytes.subspan((*frame)->size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Bytes input(data + 1, size - 1);
  RelayedLogin login({.parameters = {{"user", "app"}}}, {.client_tls = (data[0] & 1) != 0,
                                                         .allow_cleartext = (data[0] & 2) != 0,
                                                         .allow_md5 = (data[0] & 4) != 0,
                                                         .service = "db"});
  std::vector<std::uint8_t> client, server;
  while (!input.empty()) {
    const bool is_client = (input[0] & 0x80) != 0;
    const std::size_t count = std::min<std::size_t>(input[0] & 0x7f, input.size() - 1);
    auto& buffer = is_client ? client : server;
    const Bytes piece = input.subspan(1, count);
    buffer.insert(buffer.end(), piece.begin(), piece.end());
    input = input.subspan(1 + count);
    const auto step = is_client ? login.from_client(buffer) : login.from_server(buffer);
    if (!step) return 0;
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(step->taken));
    check_only(step->send, is_client ? Direction::kFrontend : Direction::kBackend,
               is_client ? 'p' : 'R');
    if (step->done) return 0;
  }
  return 0;
}
