// A BIO over our ByteStream: OpenSSL reads and writes the socket through the same attempts that
// everybody else makes, so put-back bytes are seen, SIGPIPE is not raised, and TLS inside TLS
// works.
#include "proxy/net/tls_state.h"

#include <openssl/bio.h>

namespace agentsh::net {
namespace {

TlsState& state_of(BIO* bio) {
  return *static_cast<TlsState*>(BIO_get_data(bio));
}

// Returns 1 with `moved` set, or 0 with the BIO's retry flags telling why.
int conclude(BIO* bio, TlsState& state, const IoResult& result, int retry, std::size_t* moved) {
  BIO_clear_retry_flags(bio);
  *moved = result.bytes;
  switch (result.status) {
    case IoStatus::kOk:
      return 1;
    case IoStatus::kWouldBlock:
      state.blocked_on = result.want;
      BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
      return 0;
    case IoStatus::kEnd:
      state.transport_ended = true;
      return 0;
    case IoStatus::kError:
      state.transport_error = result.error;
      return 0;
  }
  return 0;
}

int read_stream(BIO* bio, char* data, std::size_t size, std::size_t* moved) {
  TlsState& state = state_of(bio);
  const std::span buffer(reinterpret_cast<std::uint8_t*>(data), size);
  return conclude(bio, state, state.transport->try_read(buffer), BIO_FLAGS_READ, moved);
}

int write_stream(BIO* bio, const char* data, std::size_t size, std::size_t* moved) {
  TlsState& state = state_of(bio);
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(data), size);
  return conclude(bio, state, state.transport->try_write({&bytes, 1}), BIO_FLAGS_WRITE, moved);
}

long control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return state_of(bio).transport_ended ? 1 : 0;
    default:
      return 0;
  }
}

const BIO_METHOD* stream_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "agentsh byte stream");
    BIO_meth_set_read_ex(made, &read_stream);
    BIO_meth_set_write_ex(made, &write_stream);
    BIO_meth_set_ctrl(made, &control);
    return made;
  }();
  return method;
}

}  // namespace

BIO* make_stream_bio(TlsState* state) {
  BIO* bio = BIO_new(stream_method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, state);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace agentsh::net
