// What the codec costs per message.
#include "proxy/codec/http/head_writer.h"
#include "proxy/codec/http/message_reader.h"

#include <benchmark/benchmark.h>

#include <string>

namespace agentsh::http {
namespace {

constexpr std::string_view kRequest =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: api.example.com\r\nConnection: keep-alive\r\n"
    "Content-Length: 0\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
    "User-Agent: client/1.2.3 (Linux; x86_64)\r\nAuthorization: Bearer 0123456789abcdef\r\n"
    "Accept-Encoding: gzip, deflate\r\nX-Request-Id: 0b9c5a4e-1111-2222-3333-444455556666\r\n\r\n";

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 06:02:25 GMT\r\n"
    "Content-Type: application/octet-stream\r\nContent-Length: 1024\r\n"
    "Last-Modified: Tue, 24 Nov 2026 06:00:00 GMT\r\nConnection: keep-alive\r\n"
    "ETag: \"65c0f0e0-400\"\r\nAccept-Ranges: bytes\r\n\r\n";

void request_head(benchmark::State& state) {
  RequestReader reader;
  std::string out;
  for (auto _ : state) {
    reader.next_message();
    benchmark::DoNotOptimize(reader.read_head(as_bytes(kRequest)));
    out.clear();
    write_request_head(reader.head(), {}, out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(request_head);

void response_head(benchmark::State& state) {
  ResponseReader reader;
  std::string out;
  for (auto _ : state) {
    reader.expect({});
    benchmark::DoNotOptimize(reader.read_head(as_bytes(kResponse)));
    out.clear();
    write_response_head(reader.head(), {}, out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(response_head);

// Chunks of the given size, as a model streams them.
void chunked_body(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  std::string body;
  char line[32];
  while (body.size() < 60000) {
    body.append(line, static_cast<std::size_t>(std::snprintf(line, sizeof(line), "%zx\r\n", size)));
    body.append(size, 'x').append("\r\n");
  }
  for (auto _ : state) {
    BodyReader reader(Framing{BodyKind::kChunked, 0});
    benchmark::DoNotOptimize(reader.skim(as_bytes(body)));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}
BENCHMARK(chunked_body)->Arg(64)->Arg(4096);

}  // namespace
}  // namespace agentsh::http
