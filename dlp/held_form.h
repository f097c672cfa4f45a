// One encoding of a secret that we hold, as a sequence of characters each of which may be spelled
// in several ways: what HeldSecret promises to find. HeldSet looks for short pieces of it, and
// compares the whole where one stands.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class HeldForm {
 public:
  // All encodings. Precondition: its length is within HeldSecret's limits.
  static std::vector<HeldForm> forms_of(std::string_view secret);

  // A few characters as they may stand in a row, and how many stand before them.
  struct Piece {
    std::string text;
    std::size_t before = 0;
    bool any_case = false;
  };
  // Every occurrence holds one of these, or an escape within its first kBeginning characters.
  std::vector<Piece> pieces() const;
  static constexpr std::size_t kBeginning = 6;
  // Whether text[begin, end) could be the first characters, each spelled as itself, before one that
  // is escaped.
  bool may_begin(std::string_view text, std::size_t begin, std::size_t end) const;
  // An expression that matches how every occurrence begins.
  std::string beginning() const;
  // The longest occurrence in bytes, at most kMaxMatch.
  std::size_t max_length() const;
  // The end of the occurrence that begins at `begin`; `begin` itself when there is none.
  std::size_t end_of(std::string_view text, std::size_t begin) const;

 private:
  enum class Separators { kNone, kLineBreaks, kHexadecimal };
  struct Character {
    char plain = 0;
    char other = 0;  // A second spelling (base64url, the other case), or the same.
    bool escapable = true;
  };

  HeldForm(std::vector<Character> characters, Separators separators)
      : characters_(std::move(characters)), separators_(separators) {}
  static HeldForm plain(std::string_view secret);
  static HeldForm hexadecimal(std::string_view secret);
  static HeldForm base64(std::string_view secret, std::size_t alignment);
  std::string expression(const Character& character) const;
  std::string separator_expression() const;
  void add_pieces(std::size_t from, std::vector<Piece>& pieces) const;
  void skip_separators(std::string_view text, std::vector<std::size_t>& places) const;

  std::vector<Character> characters_;
  Separators separators_;
};

}  // namespace agentsh::dlp
