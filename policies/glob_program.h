// Internal to GlobIndex: globs as a nondeterministic automaton over bytes.
//
// States are instructions, and nodes of a trie that holds the literal text before the first
// wildcard of every glob, so that ten thousand globs with different beginnings start as one state.
// In a program that reads backwards, all of it is mirrored. Threads: immutable once built.
#pragma once

#include "policies/glob.h"
#include "policies/id_set.h"

#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

enum class Direction { kForwards, kBackwards };

class GlobProgram {
 public:
  struct Entry {
    const Glob* glob;
    std::uint32_t id;
  };
  // Sorted numbers of states.
  using StateSet = std::vector<std::uint32_t>;

  GlobProgram(const std::vector<Entry>& entries, Direction direction);
  // One sequence of tokens, id 0.
  GlobProgram(std::span<const GlobToken> tokens, char separator, Direction direction);

  Direction direction() const { return direction_; }
  StateSet start() const;
  // The states after `byte`.
  StateSet step(const StateSet& states, std::uint8_t byte) const;
  // The ids of globs that match when the text ends in `states`, unsorted.
  std::vector<std::uint32_t> matched(const StateSet& states) const;

  // Bytes with the same class lead from every state to the same state. At most 256 classes.
  const std::array<std::uint8_t, 256>& byte_classes() const { return byte_classes_; }
  std::size_t byte_class_count() const { return byte_class_count_; }

 private:
  using ByteSet = std::bitset<256>;
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Instruction {
    enum class Kind : std::uint8_t {
      kByte,   // Consumes `argument`.
      kSet,    // Consumes a byte of sets_[argument].
      kLoop,   // Consumes any number of bytes of sets_[argument].
      kSplit,  // Goes on at both `next` and `argument`.
      kMatch,  // The glob of id `argument` matches if the text ends here.
    };
    Kind kind;
    std::uint32_t argument;
    std::uint32_t next;
  };

  struct Node {
    std::uint8_t byte;
    std::uint32_t first_child = kNone;
    std::uint32_t next_sibling = kNone;
    std::uint32_t first_tail = kNone;
  };

  // Where the rest of a glob starts whose literal text ends at a node: a list for each node.
  struct Tail {
    std::uint32_t instruction;
    std::uint32_t next;
  };

  // States that are being collected.
  struct Collector {
    StateSet states;
    std::vector<bool> seen;  // Splits that were followed. Empty when there are none in the program.
  };

  struct Prefixed {
    std::string prefix;  // In reading order.
    std::uint32_t entry;
  };

  void build_trie(std::vector<Prefixed> prefixes, const std::vector<Entry>& entries);
  std::uint32_t compile_tail(const Entry& entry);
  // Compiles `tokens` so that they are followed by `next`; returns where they start.
  std::uint32_t compile(std::span<const GlobToken> tokens, char separator, std::uint32_t next);
  std::uint32_t compile_token(const GlobToken& token, char separator, std::uint32_t next);
  std::uint32_t emit(Instruction::Kind kind, std::uint32_t argument, std::uint32_t next);
  std::uint32_t set_number(const ByteSet& set);
  void compute_byte_classes();

  Collector collector() const;
  // Adds an instruction and what it leads to without consuming a byte.
  void add(std::uint32_t instruction, Collector& out) const;
  void add_node(std::uint32_t node, Collector& out) const;
  static StateSet finish(Collector& out);

  Direction direction_;
  std::vector<Instruction> instructions_;
  std::vector<Node> nodes_;
  std::vector<Tail> tails_;
  std::vector<ByteSet> sets_;
  std::array<std::uint8_t, 256> byte_classes_{};
  std::size_t byte_class_count_ = 1;
  bool has_splits_ = false;
};

}  // namespace agentsh::policy
