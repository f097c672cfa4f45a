#include "appliance/secrets/https_call.h"

#include "base/bytes.h"
#include "base/domain.h"
#include "base/ip.h"
#include "base/secret_text.h"
#include "base/unique_fd.h"
#include "proxy/codec/http/message_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>

namespace agentsh::secrets {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxResponse = 1 << 20;

struct Url {
  bool tls = true;
  std::string host;
  std::uint16_t port = 443;
  std::string path;
};

Result<Url> parse_url(std::string_view text) {
  Url url;
  constexpr std::string_view kTls = "https://";
  constexpr std::string_view kPlain = "http://";
  url.tls = text.starts_with(kTls);
  if (!url.tls && !text.starts_with(kPlain)) return fail("an address must begin with https://");
  text.remove_prefix(url.tls ? kTls.size() : kPlain.size());
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto parts = split_host_port(text.substr(0, slash), url.tls ? 443 : 80);
  if (!parts || parts->host.empty()) return fail("an address must name a host");
  url.host = parts->host;
  url.port = parts->port;
  url.path = slash < text.size() ? std::string(text.substr(slash)) : "/";
  if (!url.tls) {
    const auto address = IpAddress::parse(url.host);
    const bool local =
        url.host == "localhost" || (address && classify(*address) == AddressClass::kLoopback);
    if (!local) return fail("http:// is for addresses of this host only; use https://");
  }
  return url;
}

std::string tls_error(std::string_view what) {
  const unsigned long code = ::ERR_get_error();
  std::array<char, 256> text{};
  if (code != 0) ::ERR_error_string_n(code, text.data(), text.size());
  return code == 0 ? std::string(what) : fmt::format("{}: {}", what, text.data());
}

struct Free {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

// A connection with one deadline for everything.
class Wire {
 public:
  Wire(const Url& url, std::chrono::milliseconds timeout)
      : url_(url), deadline_(Clock::now() + timeout) {}

  Result<> connect();
  Result<> start_tls(const std::string& ca_file);
  Result<> write(std::string_view data);
  // Appends to `text`; false at the end.
  Result<bool> read(std::string& text);

 private:
  Result<> wait(short events);
  Result<> wait_for_tls(int result, std::string_view what);

  const Url& url_;
  const Clock::time_point deadline_;
  UniqueFd socket_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

Result<> Wire::wait(short events) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
    pollfd one{socket_.get(), events, 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&one, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno == EINTR) continue;
    return fail(fmt::format("{} does not answer in time", url_.host), std::errc::timed_out);
  }
}

Result<> Wire::connect() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(url_.host.c_str(), std::to_string(url_.port).c_str(), &hints, &found);
  if (error != 0) return fail(fmt::format("{}: {}", url_.host, ::gai_strerror(error)));
  const std::unique_ptr<addrinfo, Free> addresses(found);
  Error last = make_error(fmt::format("{} has no address", url_.host));
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    socket_ = UniqueFd(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) return std::unexpected(errno_error("socket"));
    if (::connect(socket_.get(), one->ai_addr, one->ai_addrlen) == 0) return {};
    int failure = errno;
    if (failure == EINPROGRESS) {
      if (auto ready = wait(POLLOUT); !ready) return ready;
      socklen_t size = sizeof failure;
      ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
      if (failure == 0) return {};
    }
    last = errno_error(failure, "connect", url_.host);
  }
  return std::unexpected(last);
}

Result<> Wire::wait_for_tls(int result, std::string_view what) {
  switch (::SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return wait(POLLIN);
    case SSL_ERROR_WANT_WRITE:
      return wait(POLLOUT);
    default: {
      const long verified = ::SSL_get_verify_result(ssl_.get());
      if (verified != X509_V_OK) {
        return fail(fmt::format("the certificate of {} is not valid: {}", url_.host,
                                ::X509_verify_cert_error_string(verified)));
      }
      return fail(fmt::format("{} with {}", tls_error(what), url_.host));
    }
  }
}

Result<> Wire::start_tls(const std::string& ca_file) {
  ::ERR_clear_error();
  context_.reset(::SSL_CTX_new(::TLS_client_method()));
  if (context_ == nullptr) return fail(tls_error("TLS"));
  ::SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  const bool loaded = ca_file.empty() ? ::SSL_CTX_set_default_verify_paths(context_.get()) == 1
                                      : ::SSL_CTX_load_verify_locations(
                                            context_.get(), ca_file.c_str(), nullptr) == 1;
  if (!loaded) return fail(tls_error(fmt::format("certificates in {}", ca_file)));
  ssl_.reset(::SSL_new(context_.get()));
  if (ssl_ == nullptr) return fail(tls_error("TLS"));
  X509_VERIFY_PARAM* parameters = ::SSL_get0_param(ssl_.get());
  const bool address = IpAddress::parse(url_.host).has_value();
  const int named = address ? ::X509_VERIFY_PARAM_set1_ip_asc(parameters, url_.host.c_str())
                            : ::X509_VERIFY_PARAM_set1_host(parameters, url_.host.c_str(), 0);
  if (named != 1 || ::SSL_set_fd(ssl_.get(), socket_.get()) != 1) return fail(tls_error("TLS"));
  if (!address && ::SSL_set_tlsext_host_name(ssl_.get(), url_.host.c_str()) != 1) {
    return fail(tls_error("TLS"));
  }
  while (true) {
    ::ERR_clear_error();
    const int result = ::SSL_connect(ssl_.get());
    if (result == 1) return {};
    if (auto ready = wait_for_tls(result, "the TLS handshake fails"); !ready) return ready;
  }
}

Result<> Wire::write(std::string_view data) {
  while (!data.empty()) {
    if (ssl_ != nullptr) {
      ::ERR_clear_error();
      std::size_t sent = 0;
      const int result = ::SSL_write_ex(ssl_.get(), data.data(), data.size(), &sent);
      if (result != 1) {
        if (auto ready = wait_for_tls(result, "TLS fails"); !ready) return ready;
        continue;
      }
      data.remove_prefix(sent);
      continue;
    }
    const ssize_t sent = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      data.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (auto ready = wait(POLLOUT); !ready) return ready;
    } else if (errno != EINTR) {
      return std::unexpected(errno_error("send", url_.host));
    }
  }
  return {};
}

Result<bool> Wire::read(std::string& text) {
  std::array<char, 16384> buffer;
  while (true) {
    if (ssl_ != nullptr) {
      ::ERR_clear_error();
      std::size_t got = 0;
      const int result = ::SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &got);
      if (result == 1) {
        text.append(buffer.data(), got);
        return true;
      }
      if (::SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) return false;
      if (auto ready = wait_for_tls(result, "TLS fails"); !ready) {
        return std::unexpected(ready.error());
      }
      continue;
    }
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
      return true;
    }
    if (got == 0) return false;
    if (errno == EAGAIN) {
      if (auto ready = wait(POLLIN); !ready) return std::unexpected(ready.error());
    } else if (errno != EINTR) {
      return std::unexpected(errno_error("recv", url_.host));
    }
  }
}

std::string render(const HttpsRequest& request, const Url& url) {
  const bool six = url.host.find(':') != std::string::npos;
  std::string head =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}{}{}:{}\r\nConnection: close\r\n", request.method,
                  url.path, six ? "[" : "", url.host, six ? "]" : "", url.port);
  for (const auto& [name, value] : request.fields) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (!request.body.empty() || request.method != "GET") {
    head += fmt::format("Content-Length: {}\r\n", request.body.size());
  }
  head += "\r\n";
  head += request.body;
  return head;
}

// The response in what has been received, once it is complete; `ended`: no more will come.
Result<std::optional<HttpsResponse>> parse(std::string_view received, bool ended) {
  http::ResponseReader reader;
  reader.expect({});
  Bytes rest = as_bytes(received);
  do {
    const http::HeadStep step = reader.read_head(rest);
    if (step.refusal != http::Refusal::kNone) return fail("the answer is not well-formed HTTP");
    if (step.size == 0) return std::nullopt;
    rest = rest.subspan(step.size);
  } while (reader.head().interim());
  HttpsResponse response{.status = reader.head().status(), .body = {}};
  while (!reader.body().done()) {
    const http::BodyStep step = reader.body().next(rest);
    rest = rest.subspan(step.consumed);
    response.body += as_text(step.data);
    if (step.refusal != http::Refusal::kNone) return fail("the answer is not well-formed HTTP");
    if (step.end) break;
    if (!step.stalled()) continue;
    if (!ended) return std::nullopt;
    if (reader.body().finish_at_close() != http::Refusal::kNone) {
      return fail("the answer was cut short");
    }
    break;
  }
  return response;
}

}  // namespace

Result<HttpsResponse> call(const HttpsRequest& request) {
  const auto url = parse_url(request.url);
  if (!url) return std::unexpected(url.error());
  Wire wire(*url, request.timeout);
  if (auto done = wire.connect(); !done) return std::unexpected(done.error());
  if (url->tls) {
    if (auto done = wire.start_tls(request.ca_file); !done) return std::unexpected(done.error());
  }
  std::string text = render(request, *url);
  const auto sent = wire.write(text);
  wipe(text);
  if (!sent) return std::unexpected(sent.error());
  std::string received;
  while (true) {
    auto more = wire.read(received);
    if (!more) return std::unexpected(more.error());
    if (received.size() > kMaxResponse) return fail("the answer is larger than 1 MB");
    auto response = parse(received, !*more);
    if (!response) return std::unexpected(response.error());
    if (*response) {
      wipe(received);
      return std::move(**response);
    }
    if (!*more) return fail("the answer was cut short");
  }
}

}  // namespace agentsh::secrets
