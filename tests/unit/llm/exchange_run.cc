#include "tests/unit/llm/exchange_run.h"

#include "proxy/codec/sse/parser.h"
#include "tests/unit/dlp/sample_detectors.h"

#include <gtest/gtest.h>

namespace agentsh::llm {
namespace {

constexpr dlp::Vault::Key kKey = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

bool push_all(const Cutter& cutter, std::string_view text, bool end,
              const std::function<std::optional<Refusal>(std::string_view, bool)>& push,
              std::optional<Refusal>& refusal) {
  for (std::string_view piece : cutter(text)) {
    if ((refusal = push(piece, false))) return false;
  }
  if (end) refusal = push({}, true);
  return !refusal;
}

}  // namespace

std::vector<std::string_view> whole(std::string_view text) {
  return {text};
}

std::vector<std::string_view> single_bytes(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < text.size(); ++i) pieces.push_back(text.substr(i, 1));
  return pieces;
}

Cutter cut_at(std::size_t place) {
  return [place](std::string_view text) -> std::vector<std::string_view> {
    const std::size_t at = std::min(place, text.size());
    return {text.substr(0, at), text.substr(at)};
  };
}

Outcome run(const Script& script, const std::shared_ptr<LlmServices>& services,
            const Cutter& cutter) {
  Outcome outcome;
  const auto target = recognise({.host = script.host, .method = script.method, .path = script.path},
                                services->servers);
  EXPECT_TRUE(target) << script.host << script.path;
  if (!target) return outcome;
  Exchange exchange(*target, services,
                    {.host = script.host,
                     .method = script.method,
                     .path = script.path,
                     .content_type = script.request_type,
                     .content_encoding = script.request_encoding,
                     .authorization = script.authorization});
  outcome.begin = exchange.begin();
  outcome.refusal = outcome.begin.refusal;
  const auto upload = [&](std::string_view piece, bool last) {
    return exchange.push_request(piece, last, outcome.request);
  };
  bool goes_on =
      !outcome.refusal && push_all(cutter, script.request, true, upload, outcome.refusal);
  if (goes_on) {
    outcome.begin_answer = exchange.begin_answer({.status = script.status,
                                                  .content_type = script.content_type,
                                                  .content_encoding = script.answer_encoding});
    outcome.refusal = outcome.begin_answer.refusal;
    const auto download = [&](std::string_view piece, bool last) {
      return exchange.push_answer(piece, last, outcome.answer);
    };
    if (!outcome.refusal) {
      push_all(cutter, script.answer, script.whole_answer, download, outcome.refusal);
    }
  }
  exchange.finish();
  outcome.record = exchange.record();
  return outcome;
}

Outcome run_all_ways(const Script& script,
                     const std::function<std::shared_ptr<LlmServices>()>& services) {
  Outcome expected = run(script, services());
  const auto same = [&](const Cutter& cutter, std::size_t place) {
    const Outcome other = run(script, services(), cutter);
    ASSERT_EQ(other.refusal.has_value(), expected.refusal.has_value()) << "cut at " << place;
    if (expected.refusal) {  // How much went before depends on when it was noticed.
      EXPECT_EQ(other.refusal->code, expected.refusal->code) << "cut at " << place;
      return;
    }
    EXPECT_EQ(other.request, expected.request) << "cut at " << place;
    EXPECT_EQ(other.answer, expected.answer) << "cut at " << place;
    EXPECT_EQ(other.record.usage, expected.record.usage) << "cut at " << place;
    EXPECT_EQ(other.record.findings.size(), expected.record.findings.size()) << "cut at " << place;
  };
  same(single_bytes, 1);
  const std::size_t longest = std::max(script.request.size(), script.answer.size());
  for (std::size_t place = 1; place < longest && !testing::Test::HasFailure(); ++place) {
    same(cut_at(place), place);
  }
  return expected;
}

std::shared_ptr<LlmServices> tokenizing_services() {
  auto services = std::make_shared<LlmServices>();
  services->session_id = "session-1";
  services->vault = std::make_shared<dlp::Vault>(kKey);
  services->request_profile = dlp::sample_profile({.mode = dlp::Mode::kTokenize});
  return services;
}

std::shared_ptr<LlmServices> restoring_services(const std::vector<std::string>& values) {
  auto services = std::make_shared<LlmServices>();
  services->vault = std::make_shared<dlp::Vault>(kKey);
  for (const std::string& value : values) {
    EXPECT_TRUE(services->vault->placeholder_for(value, "EMAIL"));
  }
  return services;
}

std::string placeholder(std::string_view value) {
  dlp::Vault vault(kKey);
  return *vault.placeholder_for(value, "EMAIL");
}

std::vector<std::string> sse_data(std::string_view stream) {
  sse::Parser parser;
  sse::Event event;
  std::vector<std::string> found;
  parser.feed(stream);
  while (parser.next(event) == sse::Step::kEvent) {
    if (event.data_lines > 0) found.emplace_back(event.data);
  }
  return found;
}

}  // namespace agentsh::llm
