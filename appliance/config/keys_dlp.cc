// Keys of what must not leave: which detectors look for what, and what is done about it.
#include "appliance/config/items_field.h"
#include "appliance/config/schema.h"

#include <algorithm>

namespace agentsh::config {
namespace {

using policy::Need;
using policy::Word;

constexpr Word<DlpMode> kModes[] = {{"disabled", DlpMode::kDisabled},
                                    {"audit", DlpMode::kAudit},
                                    {"redact", DlpMode::kRedact},
                                    {"tokenize", DlpMode::kTokenize},
                                    {"block", DlpMode::kBlock}};

// A placeholder in an answer would stay one: what turns placeholders back is the way to the agent.
constexpr Word<DlpMode> kAnswerModes[] = {{"disabled", DlpMode::kDisabled},
                                          {"audit", DlpMode::kAudit},
                                          {"redact", DlpMode::kRedact},
                                          {"block", DlpMode::kBlock}};

std::string check_answer_mode(std::string_view text) {
  const bool known =
      std::ranges::find(kAnswerModes, text, &Word<DlpMode>::text) != std::ranges::end(kAnswerModes);
  return known ? "" : "disabled, audit, redact or block";
}

std::string check_mode(std::string_view text) {
  return parse_dlp_mode(text) ? "" : "disabled, audit, redact, tokenize or block";
}

bool is_detector_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool read_name(policy::YamlReader& reader, std::string& name) {
  if (!reader.text("name", name, Need::kRequired)) return false;
  if (is_detector_name(name)) return true;
  reader.error("name", "must be the name of a detector: a to z, digits and \"_\"");
  return false;
}

class PatternsField final : public ItemsField<DlpPattern> {
 public:
  explicit PatternsField(std::vector<DlpPattern>& value)
      : ItemsField(value, "a list of {name, display, regex}") {}

 private:
  bool read_item(policy::YamlReader& reader, ReadContext&, DlpPattern& item) override {
    bool good = read_name(reader, item.name);
    reader.text("display", item.display);
    good &= reader.text("regex", item.regex, Need::kRequired);
    return good;
  }
  void write_item(JsonWriter& out, const DlpPattern& item) const override {
    out.field("name", item.name).field("display", item.display).field("regex", item.regex);
  }
};

class DictionariesField final : public ItemsField<DlpDictionary> {
 public:
  explicit DictionariesField(std::vector<DlpDictionary>& value)
      : ItemsField(value, "a list of {name, display, words, case_sensitive}") {}

 private:
  bool read_item(policy::YamlReader& reader, ReadContext&, DlpDictionary& item) override {
    bool good = read_name(reader, item.name);
    reader.text("display", item.display);
    good &= reader.texts("words", item.words, Need::kRequired);
    reader.flag("case_sensitive", item.case_sensitive);
    return good;
  }
  void write_item(JsonWriter& out, const DlpDictionary& item) const override {
    out.field("name", item.name).field("display", item.display).key("words").begin_array();
    for (const std::string& word : item.words) out.value(word);
    out.end_array().field("case_sensitive", item.case_sensitive);
  }
};

}  // namespace

std::optional<DlpMode> parse_dlp_mode(std::string_view word) {
  for (const Word<DlpMode>& known : kModes) {
    if (known.text == word) return known.value;
  }
  return {};
}

void add_dlp_keys(Schema& schema, ServerConfig& config) {
  DlpSection& dlp = config.dlp;
  schema
      .add("dlp.mode", word_field(dlp.mode, kModes),
           "What is done about what detectors find in requests to LLM APIs: redact replaces it, "
           "tokenize puts it back in the answer, block refuses the request, audit counts it.")
      .environment("AGENTSH_DLP_MODE");
  const std::string patterns = "dlp.patterns.";
  schema.add(patterns + "email", flag_field(dlp.email), "Look for e-mail addresses.");
  schema.add(patterns + "phone", flag_field(dlp.phone), "Look for telephone numbers.");
  schema.add(patterns + "credit_card", flag_field(dlp.credit_card),
             "Look for credit card numbers.");
  schema.add(patterns + "ssn", flag_field(dlp.ssn), "Look for US social security numbers.");
  schema.add(patterns + "api_keys", flag_field(dlp.api_keys), "Look for credentials of all kinds.");
  schema.add("dlp.detectors", text_map_field(dlp.detectors, "detectors' ids to modes", check_mode),
             "Modes of single detectors (agentsh dlp detectors lists them). Those of low severity "
             "(addresses of machines, for one) are at audit unless they are named here.");
  DlpAnswers& answers = dlp.answers;
  schema
      .add("dlp.responses.mode", word_field(answers.mode, kAnswerModes),
           "What is done about what detectors find in answers of LLM APIs, whole and streamed: "
           "redact replaces it, block breaks the answer off, audit counts it. What the agent said "
           "itself and was tokenized comes back all the same.")
      .environment("AGENTSH_DLP_RESPONSES_MODE");
  schema.add("dlp.responses.detectors",
             text_map_field(answers.detectors, "detectors' ids to modes", check_answer_mode),
             "Modes of single detectors in answers.");
  schema.add("dlp.custom_patterns", std::make_unique<PatternsField>(dlp.custom_patterns),
             "Detectors of one's own by regular expression.");
  schema.add("dlp.dictionaries", std::make_unique<DictionariesField>(dlp.dictionaries),
             "Detectors of one's own by words that are found as they are.");
  schema.add("dlp.catalogue_files", path_list_field(dlp.catalogue_files),
             "Detectors of one's own in full, in the form of the shipped catalogue.");
}

}  // namespace agentsh::config
