// A startup message as settings: what goes to the server holds nothing that was not judged, and
// says the same when it is read again.
#include "sqlguard/login/startup_settings.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentsh;
  using namespace agentsh::sql;
  // The parameters of the message: the rest of it is the codec's, with a target of its own.
  ByteWriter packet;
  packet.u32(static_cast<std::uint32_t>(size + 9));
  packet.u32(3u << 16);
  packet.bytes(Bytes(data, size));
  packet.u8(0);
  const auto read = read_startup(packet.view());
  if (!read || !*read) return 0;
  const auto* message = std::get_if<StartupMessage>(&(*read)->packet);
  if (message == nullptr) return 0;
  const auto settings = read_settings(*message);
  if (!settings) return 0;
  if (statements_of(*settings, Dialect::kPostgres).statements.size() != settings->settings.size())
    std::abort();
  const StartupMessage sent = upstream_startup(*settings, 0);
  if (!sent.parameter("options").empty()) std::abort();
  const auto again = read_settings(sent);
  if (!again || again->settings != settings->settings || again->user != settings->user ||
      again->database != settings->database)
    std::abort();
  return 0;
}
