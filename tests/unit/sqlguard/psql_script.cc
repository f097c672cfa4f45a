#include "psql_script.h"

#include "sqlguard/classifier/text_scan.h"

namespace agentsh::sql {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return result;
}

class Splitter {
 public:
  explicit Splitter(std::string_view script) : script_(script), tokens_(script) {}

  std::vector<std::string> split() {
    for (Token token = tokens_.next(); token.kind != Token::Kind::kEnd; token = tokens_.next())
      take(token);
    end(script_.size());
    return std::move(statements_);
  }

 private:
  std::size_t offset(const Token& token) const {
    return static_cast<std::size_t>(token.text.data() - script_.data());
  }
  void go_to(std::size_t at) {
    begin_ = at;
    words_.clear();
    parentheses_ = blocks_ = 0;
    tokens_ = TokenReader(script_.substr(at));
  }
  std::size_t line_end(std::size_t at) const {
    const std::size_t end = script_.find('\n', at);
    return end == std::string_view::npos ? script_.size() : end + 1;
  }

  void take(const Token& token) {
    if (token.kind == Token::Kind::kPunctuation) {
      const char c = token.text[0];
      if (c == '\\') return command(offset(token));
      if (c == '(') ++parentheses_;
      if (c == ')' && parentheses_ > 0) --parentheses_;
      if (c == ';' && parentheses_ == 0 && blocks_ == 0) return semicolon(offset(token));
    } else if (token.kind == Token::Kind::kWord) {
      const std::string word = lower(token.text);
      // BEGIN ATOMIC ... END, with CASE ... END in it.
      if ((word == "atomic" && !words_.empty() && words_.back() == "begin") ||
          (blocks_ > 0 && word == "case"))
        ++blocks_;
      if (word == "end" && blocks_ > 0) --blocks_;
      words_.push_back(word);
    }
  }
  // A command of psql ends the statement before it (\g and its like) and goes to the end of the
  // line; \; joins two statements.
  void command(std::size_t at) {
    if (script_.substr(at, 2) == "\\;") {
      tokens_ = TokenReader(script_.substr(at + 2));
      return;
    }
    end(at);
    go_to(line_end(at));
  }
  void semicolon(std::size_t at) {
    const bool data = words_.size() > 1 && words_.front() == "copy" && from_stdin();
    end(at);
    if (!data) return go_to(at + 1);
    const std::size_t close = script_.find("\n\\.\n", at);
    go_to(close == std::string_view::npos ? script_.size() : close + 4);
  }
  bool from_stdin() const {
    for (std::size_t i = 1; i < words_.size(); ++i) {
      if (words_[i] == "stdin" && words_[i - 1] == "from") return true;
    }
    return false;
  }
  void end(std::size_t at) {
    std::string text(script_.substr(begin_, at - begin_));
    // Joined statements are one text to the server.
    for (std::size_t join = text.find("\\;"); join != std::string::npos; join = text.find("\\;"))
      text.replace(join, 2, ";");
    if (TokenReader(text).next().kind != Token::Kind::kEnd) statements_.push_back(std::move(text));
  }

  std::string_view script_;
  TokenReader tokens_;
  std::size_t begin_ = 0;
  int parentheses_ = 0;
  int blocks_ = 0;
  std::vector<std::string> words_;
  std::vector<std::string> statements_;
};

}  // namespace

std::vector<std::string> statements_of_script(std::string_view script) {
  return Splitter(script).split();
}

std::string without_variables(std::string_view statement) {
  std::string result;
  TokenReader tokens(statement);
  std::string_view before, previous;
  const auto touch = [](std::string_view left, std::string_view right) {
    return !left.empty() && left.data() + left.size() == right.data();
  };
  for (Token token = tokens.next(); token.kind != Token::Kind::kEnd; token = tokens.next()) {
    const bool name = token.kind == Token::Kind::kWord || token.kind == Token::Kind::kQuotedName ||
                      token.kind == Token::Kind::kString;
    const bool cast = before == ":" && touch(before, previous);
    if (name && previous == ":" && touch(previous, token.text) && !cast)
      result.pop_back();  // The colon.
    else if (!touch(previous, token.text))
      result += ' ';
    result += token.text;
    before = previous;
    previous = token.text;
  }
  return result;
}

}  // namespace agentsh::sql
