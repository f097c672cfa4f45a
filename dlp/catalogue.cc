#include "dlp/catalogue.h"

#include "base/closest_word.h"
#include "dlp/catalogue_source.h"
#include "dlp/profile.h"
#include "dlp/scanner.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace agentsh::dlp {
namespace {

constexpr std::size_t kMaxErrors = 50;
constexpr std::size_t kMaxFile = 8 << 20;

// One catalogue file as it is read; collects what is wrong with it.
class Loader {
 public:
  explicit Loader(std::string_view file) : file_(file) {}

  std::vector<Detector> load(const YAML::Node& root) {
    std::vector<Detector> detectors;
    if (!root.IsMap()) {
      error(root, "a catalogue is a map with the key detectors");
      return detectors;
    }
    check_keys(root, {"detectors"});
    const YAML::Node list = root["detectors"];
    if (!list || !list.IsSequence()) {
      error(root, "detectors must be a list");
      return detectors;
    }
    for (const YAML::Node& node : list) {
      Detector detector = read_detector(node);
      if (!detector.id.empty() && !ids_.insert(detector.id).second) {
        error(node, fmt::format("detector {} is there twice", detector.id));
      }
      detectors.push_back(std::move(detector));
    }
    return detectors;
  }

  Result<void> outcome() const {
    if (errors_.empty()) return {};
    return fail(fmt::format("{}", fmt::join(errors_, "\n")));
  }

  void error(const YAML::Node& node, std::string_view what) {
    const YAML::Mark mark = node.Mark();
    if (errors_.size() < kMaxErrors) {
      errors_.push_back(mark.is_null() ? fmt::format("{}: {}", file_, what)
                                       : fmt::format("{}:{}:{}: {}", file_, mark.line + 1,
                                                     mark.column + 1, what));
    }
  }

 private:
  Detector read_detector(const YAML::Node& node) {
    Detector detector;
    if (!node.IsMap()) {
      error(node, "a detector is a map");
      return detector;
    }
    check_keys(node,
               {"id", "kind", "title", "provider", "pattern", "patterns", "keywords", "validator",
                "context", "confidence", "severity", "max_length", "examples", "counter_examples"});
    detector.id = required_text(node, "id");
    if (!detector.id.empty() && !is_id(detector.id)) {
      error(node["id"], "an id is made of a-z, 0-9 and _, and begins with a letter");
    }
    detector.title = required_text(node, "title");
    detector.provider = text(node, "provider");
    read_kind(node, detector);
    read_patterns(node, detector);
    detector.keywords = texts(node, "keywords");
    for (const std::string& validator : texts(node, "validator")) {
      auto parsed = Validator::parse(validator);
      if (parsed) {
        detector.validators.push_back(std::move(*parsed));
      } else {
        error(node["validator"], parsed.error().what);
      }
    }
    if (const YAML::Node context = node["context"]) read_context(context, detector.context);
    if (!node["confidence"]) error(node, "confidence is missing");
    detector.confidence = number(node, "confidence", 0, 1, 1);
    detector.max_length = static_cast<std::size_t>(number(node, "max_length", 1, kMaxMatch, 512));
    detector.examples = texts(node, "examples");
    detector.counter_examples = texts(node, "counter_examples");
    if (detector.examples.empty()) error(node, "examples are missing");
    if (detector.counter_examples.empty()) error(node, "counter_examples are missing");
    return detector;
  }

  void read_kind(const YAML::Node& node, Detector& detector) {
    const std::string_view kinds[] = {"secret", "personal"};
    detector.kind = static_cast<Kind>(word(node, "kind", kinds, std::nullopt));
    const bool is_secret = detector.kind == Kind::kSecret;
    const std::string_view severities[] = {"low", "medium", "high", "critical"};
    detector.severity = static_cast<Severity>(
        word(node, "severity", severities, is_secret ? Severity::kHigh : Severity::kMedium));
  }

  void read_patterns(const YAML::Node& node, Detector& detector) {
    if (node["pattern"] && node["patterns"]) {
      error(node, "either pattern or patterns, not both");
    }
    detector.patterns = texts(node, node["patterns"] ? "patterns" : "pattern");
    if (detector.patterns.empty()) error(node, "pattern is missing");
  }

  void read_context(const YAML::Node& node, ContextRule& context) {
    if (!node.IsMap()) return error(node, "context is a map");
    check_keys(node, {"words", "before", "after", "required", "raises"});
    context.words = texts(node, "words");
    if (context.words.empty()) error(node, "words are missing");
    for (std::string& word : context.words) {
      for (char& byte : word) {
        if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte + ('a' - 'A'));
      }
    }
    context.before = static_cast<std::size_t>(number(node, "before", 0, kMaxContext, 60));
    context.after = static_cast<std::size_t>(number(node, "after", 0, kMaxContext, 0));
    context.raises = number(node, "raises", 0, 1, 0);
    if (const YAML::Node required = node["required"]) {
      const std::string value = required.IsScalar() ? required.Scalar() : std::string();
      context.required = value == "true";
      if (value != "true" && value != "false") error(required, "required is true or false");
    }
  }

  void check_keys(const YAML::Node& map, std::initializer_list<std::string_view> known) {
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
      if (!seen.insert(key).second) error(entry.first, fmt::format("key {} is there twice", key));
      if (std::ranges::find(known, key) != known.end()) continue;
      const auto near = closest_word(key, std::span(known.begin(), known.size()));
      error(entry.first, near ? fmt::format("unknown key {}; did you mean {}?", key, *near)
                              : fmt::format("unknown key {}", key));
    }
  }

  std::string text(const YAML::Node& map, const char* key) {
    const YAML::Node node = map[key];
    if (!node) return {};
    if (node.IsScalar() && !node.Scalar().empty()) return node.Scalar();
    error(node, fmt::format("{} must be a text", key));
    return {};
  }

  std::string required_text(const YAML::Node& map, const char* key) {
    if (!map[key]) error(map, fmt::format("{} is missing", key));
    return text(map, key);
  }

  // A text or a list of texts.
  std::vector<std::string> texts(const YAML::Node& map, const char* key) {
    const YAML::Node node = map[key];
    std::vector<std::string> all;
    if (!node) return all;
    if (node.IsScalar()) {
      all.push_back(node.Scalar());
    } else if (node.IsSequence()) {
      for (const YAML::Node& item : node) {
        if (item.IsScalar()) {
          all.push_back(item.Scalar());
        } else {
          error(item, fmt::format("{} must hold texts", key));
        }
      }
    } else {
      error(node, fmt::format("{} must be a text or a list of texts", key));
    }
    if (std::ranges::any_of(all, &std::string::empty)) {
      error(node, fmt::format("{} must not hold an empty text", key));
    }
    return all;
  }

  double number(const YAML::Node& map, const char* key, double least, double most,
                double otherwise) {
    const YAML::Node node = map[key];
    if (!node) return otherwise;
    double value = 0;
    if (node.IsScalar() && YAML::convert<double>::decode(node, value) && value >= least &&
        value <= most) {
      return value;
    }
    error(node, fmt::format("{} must be a number from {} to {}", key, least, most));
    return otherwise;
  }

  template <class E>
  std::size_t word(const YAML::Node& map, const char* key, std::span<const std::string_view> words,
                   std::optional<E> otherwise) {
    const YAML::Node node = map[key];
    if (!node && otherwise) return static_cast<std::size_t>(*otherwise);
    const std::string value = node && node.IsScalar() ? node.Scalar() : std::string();
    const auto found = std::ranges::find(words, value);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    error(node ? node : map, fmt::format("{} must be one of {}", key, fmt::join(words, ", ")));
    return 0;
  }
  std::size_t word(const YAML::Node& map, const char* key, std::span<const std::string_view> words,
                   std::nullopt_t) {
    return word(map, key, words, std::optional<Kind>());
  }
  std::size_t word(const YAML::Node& map, const char* key, std::span<const std::string_view> words,
                   Severity otherwise) {
    return word(map, key, words, std::optional(otherwise));
  }

  static bool is_id(std::string_view id) {
    return id.front() >= 'a' && id.front() <= 'z' && std::ranges::all_of(id, [](char byte) {
             return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_';
           });
  }

  std::string file_;
  std::vector<std::string> errors_;
  std::set<std::string> ids_;
};

// `word` as a pattern that means only itself.
std::string literal_pattern(std::string_view word) {
  std::string pattern;
  for (const char byte : word) {
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9');
    pattern +=
        plain ? std::string(1, byte) : fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  }
  return pattern;
}

bool is_word_byte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_';
}

}  // namespace

Result<std::vector<Detector>> load_catalogue(std::string_view yaml, std::string_view file) {
  if (yaml.size() > kMaxFile) return fail(fmt::format("{}: larger than 8 MiB", file));
  Loader loader(file);
  std::vector<Detector> detectors;
  try {
    detectors = loader.load(YAML::Load(std::string(yaml)));
  } catch (const YAML::Exception& error) {
    return fail(
        fmt::format("{}:{}:{}: {}", file, error.mark.line + 1, error.mark.column + 1, error.msg));
  }
  if (auto good = loader.outcome(); !good) return std::unexpected(good.error());
  return detectors;
}

Result<std::vector<Detector>> builtin_catalogue() {
  std::vector<Detector> all;
  for (const CatalogueFile& file : catalogue_files()) {
    auto some = load_catalogue(file.text, file.name);
    if (!some) return std::unexpected(some.error());
    std::ranges::move(*some, std::back_inserter(all));
  }
  return all;
}

Result<Detector> dictionary_detector(const Dictionary& dictionary) {
  Detector detector{.id = dictionary.name,
                    .kind = dictionary.kind,
                    .severity = Severity::kMedium,
                    .title = dictionary.title.empty() ? dictionary.name : dictionary.title,
                    .confidence = 1,
                    .max_length = 1};
  if (dictionary.words.empty()) return fail(fmt::format("dictionary {} is empty", dictionary.name));
  for (const std::string& word : dictionary.words) {
    if (word.empty() || word.size() > kMaxMatch) {
      return fail(
          fmt::format("dictionary {} has a word that is empty or too long", dictionary.name));
    }
    std::string pattern = dictionary.case_sensitive ? "" : "(?i)";
    if (dictionary.whole_words && is_word_byte(word.front())) pattern += "\\b";
    pattern += literal_pattern(word);
    if (dictionary.whole_words && is_word_byte(word.back())) pattern += "\\b";
    detector.patterns.push_back(std::move(pattern));
    detector.max_length = std::max(detector.max_length, word.size());
  }
  return detector;
}

Detector custom_detector(std::string name, std::string title, std::string pattern) {
  Detector detector{.id = std::move(name),
                    .kind = Kind::kPersonal,
                    .severity = Severity::kMedium,
                    .title = std::move(title),
                    .patterns = {std::move(pattern)},
                    .confidence = 1};
  if (detector.title.empty()) detector.title = detector.id;
  return detector;
}

std::vector<std::string> check_examples(std::span<const Detector> detectors) {
  std::vector<std::string> wrong;
  for (const Detector& detector : detectors) {
    auto scanner = Scanner::build({detector});
    if (!scanner) {
      wrong.push_back(scanner.error().what);
      continue;
    }
    const auto profile = Profile::make(*scanner, {.mode = Mode::kAudit});
    const auto complain = [&](std::string_view what, std::size_t index, std::size_t hits) {
      wrong.push_back(
          fmt::format("{}: {} {}: {} values found", detector.id, what, index + 1, hits));
    };
    for (std::size_t i = 0; i < detector.examples.size(); ++i) {
      const std::size_t hits = (*scanner)->scan(detector.examples[i], **profile).size();
      if (hits != 1) complain("example", i, hits);
    }
    for (std::size_t i = 0; i < detector.counter_examples.size(); ++i) {
      const std::size_t hits = (*scanner)->scan(detector.counter_examples[i], **profile).size();
      if (hits != 0) complain("counter example", i, hits);
    }
  }
  return wrong;
}

}  // namespace agentsh::dlp
