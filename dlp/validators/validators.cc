#include "dlp/validators/families.h"
#include "dlp/validators/validator.h"

#include <algorithm>
#include <charconv>

namespace agentsh::dlp {

namespace {

std::vector<ValidatorEntry> sorted_table() {
  std::vector<ValidatorEntry> table;
  for (const std::span<const ValidatorEntry> family :
       {randomness_validators(), token_validators(), contact_validators(), financial_validators(),
        wallet_validators(), americas_validators(), west_europe_validators(),
        north_europe_validators(), east_europe_validators(), asia_pacific_validators(),
        middle_east_africa_validators(), document_validators(), device_validators()}) {
    table.insert(table.end(), family.begin(), family.end());
  }
  std::ranges::sort(table, {}, &ValidatorEntry::name);
  return table;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Levenshtein's distance, for the suggestion in an error.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string_view nearest(std::string_view name) {
  return std::ranges::min_element(validators(), {},
                                  [&](const ValidatorEntry& e) { return distance(e.name, name); })
      ->name;
}

void add_parameter(std::string_view text, ValidatorParameters& parameters) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) {
    parameters.numbers.push_back(number);
  } else {
    parameters.words.emplace_back(text);
  }
}

}  // namespace

std::span<const ValidatorEntry> validators() {
  static const std::vector<ValidatorEntry> table = sorted_table();
  return table;
}

Result<Validator> Validator::parse(std::string_view text) {
  text = trimmed(text);
  const auto open = text.find('(');
  const std::string_view name = trimmed(text.substr(0, open));
  ValidatorParameters parameters;
  unsigned count = 0;
  if (open != std::string_view::npos) {
    if (text.back() != ')') return fail("validator '" + std::string(text) + "' lacks its ')'");
    std::string_view rest = trimmed(text.substr(open + 1, text.size() - open - 2));
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      add_parameter(trimmed(rest.substr(0, comma)), parameters);
      ++count;
      rest = comma == std::string_view::npos ? "" : trimmed(rest.substr(comma + 1));
    }
  }
  const auto entry = std::ranges::lower_bound(validators(), name, {}, &ValidatorEntry::name);
  if (entry == validators().end() || entry->name != name) {
    return fail("no validator '" + std::string(name) + "'; the nearest is '" +
                std::string(nearest(name)) + "'");
  }
  if (count < entry->min_parameters || count > entry->max_parameters) {
    return fail("validator '" + std::string(name) + "' takes " +
                std::to_string(entry->min_parameters) + " to " +
                std::to_string(entry->max_parameters) + " parameters, not " +
                std::to_string(count));
  }
  return Validator(*entry, std::move(parameters));
}

}  // namespace agentsh::dlp
