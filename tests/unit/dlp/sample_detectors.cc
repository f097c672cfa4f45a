#include "tests/unit/dlp/sample_detectors.h"

#include <fmt/format.h>

#include <cstdlib>
#include <random>

namespace agentsh::dlp {
namespace {

Detector detector(std::string id, std::string pattern, double confidence = 0.9) {
  return {.id = id,
          .kind = Kind::kSecret,
          .title = id,
          .patterns = {std::move(pattern)},
          .confidence = confidence};
}

}  // namespace

std::vector<Detector> sample_detectors() {
  std::vector<Detector> all;
  all.push_back(detector("github_token", R"(\bgh[pousr]_[A-Za-z0-9]{36}\b)", 0.99));
  all.push_back(detector(
      "email", R"((?i)\b[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}\b)"));
  all.push_back(detector("card", R"(\b(?:\d[ -]?){12,18}\d\b)", 0.8));
  all.push_back(
      detector("jwt", R"(\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,})"));
  all.back().max_length = 4096;
  all.push_back(detector(
      "pem",
      R"(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s\\]{1,}-----END [A-Z ]{0,20}PRIVATE KEY-----)"));
  all.back().max_length = kMaxMatch;
  all.push_back(
      detector("password", R"((?i)\bpassword["']?\s{0,3}[:=]\s{0,3}["']?([^\s"',;]{8,64}))", 0.7));
  all.push_back(detector("url_password",
                         R"(\b[a-z][a-z0-9+]{1,20}://[^\s:/@]{1,64}:([^\s:/@]{1,64})@)", 0.95));
  Detector account = detector("account", R"(\b\d{8}\b)", 0.4);
  account.context = {.words = {"account", "konto"}, .before = 40, .after = 24, .raises = 0.4};
  all.push_back(account);
  Detector number = detector("case_number", R"(\b[A-Z]{2}\d{6}\b)", 0.9);
  number.context = {.words = {"case"}, .before = 30, .required = true};
  all.push_back(number);
  all.push_back(detector("blob", R"([a-f0-9]{64})", 0.6));
  return all;
}

const std::shared_ptr<const Scanner>& sample_scanner() {
  static const auto scanner = [] {
    auto built = Scanner::build(sample_detectors());
    if (!built) {
      fmt::print(stderr, "{}\n", built.error().what);
      std::abort();
    }
    return *built;
  }();
  return scanner;
}

std::shared_ptr<const Profile> sample_profile(const ProfileSettings& settings) {
  auto profile = Profile::make(sample_scanner(), settings);
  if (!profile) std::abort();
  return *profile;
}

std::string described(const std::vector<Hit>& hits, const Scanner& scanner) {
  std::string text;
  for (const Hit& hit : hits) {
    if (!text.empty()) text += ' ';
    text += fmt::format("{}:{}-{}", scanner.detectors()[hit.detector].id, hit.begin, hit.end);
  }
  return text;
}

std::string random_text(std::uint64_t seed, std::size_t length) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  const auto some = [&](std::string_view alphabet, std::size_t count) {
    std::string text;
    while (count-- > 0) text += alphabet[below(alphabet.size())];
    return text;
  };
  constexpr std::string_view kWord =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  std::string text;
  while (text.size() < length) {
    switch (below(22)) {
      case 0:
        text += "ghp_" + some(kWord.substr(0, 62), 34 + below(4));
        break;
      case 1:
        text += some("abc.+", 1 + below(6)) + "@" + some("abc", 1 + below(5)) + ".com";
        break;
      case 2:
        text += some("0123456789", 11 + below(10));
        break;
      case 3:
        text += "4111-1111 1111 1111";
        break;
      case 4:
        text += "eyJ" + some(kWord, 6 + below(30)) + ".eyJ" + some(kWord, 6 + below(30)) + "." +
                some(kWord, 6 + below(90));
        break;
      case 5:
        text += "-----BEGIN RSA PRIVATE KEY-----\n" + some(kWord.substr(0, 62), below(300)) +
                (below(3) == 0 ? "" : "\n-----END RSA PRIVATE KEY-----");
        break;
      case 6:
        text += "password" + some(" :='\"", 1 + below(4)) + some(kWord, 5 + below(12));
        break;
      case 7:
        text += "postgres://me:" + some(kWord, 1 + below(12)) + "@db.example.com/x";
        break;
      case 8:
        text += (below(2) == 0 ? "account " : "konto") + some(" ", below(50));
        break;
      case 9:
        text += some("0123456789", 8);
        break;
      case 10:
        text += "case " + some("ABC", 2) + some("0123456789", 6);
        break;
      case 11:
        text += some("0123456789abcdef", 30 + below(160));
        break;
      case 12:
        text += "TOK_" + some("AB", 1 + below(3)) + "_" + some("0123ABCDX", 9 + below(3));
        break;
      case 13:
        text += some("TOK_", 1 + below(6));
        break;
      case 14:
        text += std::string(1, static_cast<char>(random()));
        break;
      case 15:
        text += "\\u0040\\\"\xc3\xa9\xf0\x9f\x98\x80";
        break;
      default:
        text += some(" .,;:=@\n-_", below(3)) + some(kWord.substr(0, 26), below(9));
        break;
    }
  }
  return text;
}

}  // namespace agentsh::dlp
