// The client's side of HTTP on a connection: the next request head, answers of our own, an orderly
// end. A client that is silent between requests costs no buffer.
#pragma once

#include "proxy/codec/http/error_page.h"
#include "proxy/codec/http/message_reader.h"
#include "proxy/flows/connection.h"
#include "proxy/flows/pages.h"
#include "proxy/net/deadlines.h"

namespace agentsh::flows {

class RequestSource {
 public:
  explicit RequestSource(Connection& connection);

  enum class Outcome : std::uint8_t {
    kHead,     // reader().head() is there, in connection.start.
    kEnded,    // The client has gone, or was silent for too long.
    kRefused,  // trouble() says why.
  };
  boost::asio::awaitable<Outcome> next();

  http::RequestReader& reader() { return reader_; }
  const http::RequestReader& reader() const { return reader_; }
  std::size_t head_size() const { return head_size_; }
  const Trouble& trouble() const { return trouble_; }
  net::Deadline& deadline() { return deadline_; }

  // Writes `page`. The client may be sending still: close(true) then.
  boost::asio::awaitable<void> answer(http::ErrorPage page);
  // With `drain`, what the client still sends is read and thrown away for a moment: closing over
  // unread bytes would take the answer from it.
  boost::asio::awaitable<void> close(bool drain);

 private:
  void refuse(const Trouble& trouble) { trouble_ = trouble; }

  Connection& c_;
  http::RequestReader reader_;
  net::StreamDeadline deadline_;
  std::size_t head_size_ = 0;
  Trouble trouble_;
};

}  // namespace agentsh::flows
