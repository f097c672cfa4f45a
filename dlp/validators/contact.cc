// E-mail addresses, telephone numbers, dates of birth.

#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"
#include "dlp/validators/telephone.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace agentsh::dlp {

namespace {

// Top-level domains of more than two letters under which people have mail; what else stands behind
// the last dot of a thing with an @ in it (".service", ".png") is a file or a unit.
constexpr auto kDomains = std::to_array<std::string_view>({
    "aaa",       "academy",     "accountants", "adult",     "aero",        "africa",
    "agency",    "app",         "art",         "asia",      "associates",  "bank",
    "bar",       "berlin",      "best",        "bid",       "bike",        "biz",
    "blog",      "blue",        "boutique",    "build",     "builders",    "business",
    "buzz",      "camp",        "capital",     "cards",     "care",        "careers",
    "cash",      "cat",         "center",      "chat",      "church",      "city",
    "click",     "clinic",      "cloud",       "club",      "coach",       "codes",
    "coffee",    "com",         "community",   "company",   "computer",    "consulting",
    "cool",      "coop",        "credit",      "dance",     "dating",      "dental",
    "design",    "dev",         "digital",     "direct",    "earth",       "edu",
    "education", "email",       "energy",      "engineer",  "engineering", "enterprises",
    "equipment", "estate",      "eus",         "events",    "example",     "exchange",
    "expert",    "express",     "family",      "farm",      "fashion",     "finance",
    "financial", "fish",        "fit",         "fitness",   "foundation",  "frl",
    "fun",       "fund",        "fyi",         "gal",       "gallery",     "game",
    "games",     "global",      "gmbh",        "gov",       "green",       "group",
    "guide",     "guru",        "hamburg",     "health",    "healthcare",  "help",
    "holdings",  "hospital",    "host",        "house",     "icu",         "immo",
    "inc",       "info",        "ink",         "institute", "int",         "international",
    "invalid",   "investments", "jobs",        "kids",      "koeln",       "land",
    "law",       "legal",       "life",        "limited",   "link",        "live",
    "llc",       "local",       "lol",         "london",    "ltd",         "ltda",
    "mail",      "management",  "market",      "marketing", "media",       "men",
    "mil",       "mobi",        "moe",         "money",     "monster",     "museum",
    "name",      "net",         "network",     "news",      "ngo",         "ninja",
    "nrw",       "nyc",         "one",         "ong",       "onl",         "online",
    "org",       "page",        "paris",       "partners",  "parts",       "party",
    "pharmacy",  "photo",       "photography", "photos",    "pizza",       "place",
    "plus",      "post",        "press",       "pro",       "productions", "properties",
    "pub",       "quebec",      "realty",      "red",       "rentals",     "report",
    "rest",      "restaurant",  "rocks",       "ruhr",      "run",         "saarland",
    "sarl",      "school",      "science",     "scot",      "security",    "services",
    "shop",      "site",        "ski",         "social",    "software",    "solar",
    "solutions", "space",       "store",       "studio",    "style",       "support",
    "swiss",     "systems",     "tax",         "team",      "tech",        "technology",
    "tel",       "test",        "tips",        "today",     "tokyo",       "tools",
    "top",       "tours",       "town",        "trade",     "training",    "travel",
    "tube",      "university",  "uno",         "vc",        "ventures",    "video",
    "vip",       "vision",      "wales",       "wang",      "watch",       "web",
    "website",   "wien",        "wiki",        "win",       "work",        "works",
    "world",     "wtf",         "xyz",         "yoga",      "zone",
});

bool is_domain_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-';
}

// RFC 5321 in the form that people use: no "..", labels of a domain name, a top level that exists.
bool email(std::string_view value, const ValidatorParameters&) {
  const auto at = value.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64 || value.contains("..")) return false;
  std::string_view domain = value.substr(at + 1);
  const std::string_view top = domain.substr(domain.rfind('.') + 1);
  std::array<char, 24> lower{};
  if (top.size() < 2 || top.size() > lower.size()) return false;
  std::ranges::transform(top, lower.begin(), [](char c) { return static_cast<char>(c | 32); });
  if (top.size() > 2 &&
      !std::ranges::binary_search(kDomains, std::string_view(lower.data(), top.size()))) {
    return false;
  }
  // "logo@2x.ai", "pkg@1.2.py": no domain, but a name begins with a letter somewhere.
  const std::string_view owner = domain.substr(0, domain.rfind('.'));
  if (std::ranges::none_of(owner, [](char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; })) {
    return false;
  }
  while (!domain.empty()) {
    const auto dot = domain.find('.');
    if (!is_domain_label(domain.substr(0, dot))) return false;
    domain = dot == std::string_view::npos ? "" : domain.substr(dot + 1);
  }
  return true;
}

bool phone_e164(std::string_view value, const ValidatorParameters&) {
  return is_international_number(Digits::of(value.substr(value.starts_with('+') ? 1 : 0)));
}

bool phone_us(std::string_view value, const ValidatorParameters&) {
  Digits digits = Digits::of(value.substr(value.starts_with('+') ? 1 : 0));
  if (digits.size() == 11 && digits[0] == 1) digits = digits.from(1);
  return is_north_american_number(digits);
}

bool phone_national(std::string_view value, const ValidatorParameters&) {
  return is_national_number(Digits::of(value));
}

int month_named(std::string_view text) {
  static constexpr std::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
  for (std::size_t i = 0; i + 3 <= text.size(); ++i) {
    std::array<char, 3> lower{};
    std::ranges::transform(text.substr(i, 3), lower.begin(),
                           [](char c) { return static_cast<char>(c | 32); });
    const auto at = kMonths.find(std::string_view(lower.data(), 3));
    if (at != std::string_view::npos && at % 3 == 0) return static_cast<int>(at / 3) + 1;
  }
  return 0;
}

// A day, in any of the usual orders, of someone alive: 1900 to 2030.
bool birth_date(std::string_view value, const ValidatorParameters&) {
  std::array<int, 3> number{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < value.size() && count < 3;) {
    if (value[i] < '0' || value[i] > '9') {
      ++i;
      continue;
    }
    const auto [next, error] =
        std::from_chars(value.data() + i, value.data() + value.size(), number[count]);
    if (error != std::errc()) return false;
    ++count;
    i = static_cast<std::size_t>(next - value.data());
  }
  const auto valid = [](int year, int month, int day) {
    return year >= 1900 && year <= 2030 && is_date(year, month, day);
  };
  if (count == 2) {
    return valid(number[1], month_named(value), number[0]);
  }
  if (count != 3) return false;
  if (number[0] > 31) return valid(number[0], number[1], number[2]);
  return valid(number[2], number[1], number[0]) || valid(number[2], number[0], number[1]);
}

constexpr std::array kEntries = {
    ValidatorEntry{"birth_date", birth_date, 0, 0, "a day since 1900"},
    ValidatorEntry{"email", email, 0, 0, "a mailbox under a top-level domain that exists"},
    ValidatorEntry{"phone_e164", phone_e164, 0, 0, "country code and length of an E.164 number"},
    ValidatorEntry{"phone_national", phone_national, 0, 0,
                   "prefix and length of a number as some country dials it"},
    ValidatorEntry{"phone_us", phone_us, 0, 0, "area and exchange of the North American plan"},
};

}  // namespace

std::span<const ValidatorEntry> contact_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
