#include "policies/glob_program.h"

#include <algorithm>
#include <map>

namespace agentsh::policy {
namespace {

// Trie nodes are numbered above instructions.
constexpr std::uint32_t kNodeBase = 1u << 31;

}  // namespace

GlobProgram::GlobProgram(const std::vector<Entry>& entries, Direction direction)
    : direction_(direction) {
  std::vector<Prefixed> prefixes;
  prefixes.reserve(entries.size());
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    const Glob& glob = *entries[i].glob;
    std::string prefix(direction == Direction::kForwards ? glob.literal_prefix()
                                                         : glob.literal_suffix());
    if (direction == Direction::kBackwards) std::ranges::reverse(prefix);
    prefixes.push_back({std::move(prefix), i});
  }
  std::ranges::sort(prefixes, {}, &Prefixed::prefix);
  build_trie(std::move(prefixes), entries);
  compute_byte_classes();
}

void GlobProgram::build_trie(std::vector<Prefixed> prefixes, const std::vector<Entry>& entries) {
  nodes_.push_back({.byte = 0});
  // The nodes of the prefix before, and their last children: prefixes come sorted, so a new child
  // always follows the last one.
  std::vector<std::uint32_t> path = {0};
  std::vector<std::uint32_t> last_child = {kNone};
  std::string_view before;
  for (const Prefixed& item : prefixes) {
    const auto [end, unused] = std::ranges::mismatch(before, item.prefix);
    const auto shared = static_cast<std::size_t>(end - before.begin());
    path.resize(shared + 1);
    last_child.resize(shared + 1);
    for (std::size_t i = shared; i < item.prefix.size(); ++i) {
      const auto node = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({.byte = static_cast<std::uint8_t>(item.prefix[i])});
      const std::uint32_t previous = last_child.back();
      (previous == kNone ? nodes_[path.back()].first_child : nodes_[previous].next_sibling) = node;
      last_child.back() = node;
      path.push_back(node);
      last_child.push_back(kNone);
    }
    const std::uint32_t tail = compile_tail(entries[item.entry]);
    tails_.push_back({tail, nodes_[path.back()].first_tail});
    nodes_[path.back()].first_tail = static_cast<std::uint32_t>(tails_.size() - 1);
    before = item.prefix;
  }
}

GlobProgram::GlobProgram(std::span<const GlobToken> tokens, char separator, Direction direction)
    : direction_(direction) {
  nodes_.push_back({.byte = 0});
  const std::uint32_t match = emit(Instruction::Kind::kMatch, 0, kNone);
  tails_.push_back({compile(tokens, separator, match), kNone});
  nodes_.front().first_tail = 0;
  compute_byte_classes();
}

std::uint32_t GlobProgram::compile_tail(const Entry& entry) {
  const std::uint32_t match = emit(Instruction::Kind::kMatch, entry.id, kNone);
  const Glob& glob = *entry.glob;
  std::span<const GlobToken> tokens = glob.tokens();
  if (direction_ == Direction::kForwards) {
    if (!glob.literal_prefix().empty()) tokens = tokens.subspan(1);
  } else if (!glob.literal_suffix().empty()) {
    tokens = tokens.first(tokens.size() - 1);
  }
  return compile(tokens, glob.separator(), match);
}

std::uint32_t GlobProgram::compile(std::span<const GlobToken> tokens, char separator,
                                   std::uint32_t next) {
  // What is read last is compiled first.
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool forwards = direction_ == Direction::kForwards;
    next = compile_token(tokens[forwards ? tokens.size() - 1 - i : i], separator, next);
  }
  return next;
}

std::uint32_t GlobProgram::compile_token(const GlobToken& token, char separator,
                                         std::uint32_t next) {
  ByteSet continuation;
  for (unsigned byte = 0x80; byte <= 0xbf; ++byte) continuation.set(byte);
  switch (token.kind) {
    case GlobToken::Kind::kText: {
      std::string text = token.text;
      if (direction_ == Direction::kForwards) std::ranges::reverse(text);
      for (char c : text) {
        next = emit(Instruction::Kind::kByte, static_cast<std::uint8_t>(c), next);
      }
      return next;
    }
    case GlobToken::Kind::kStar:
    case GlobToken::Kind::kDoubleStar: {
      ByteSet bytes;
      bytes.set();
      const bool bounded = token.kind == GlobToken::Kind::kStar && separator != kNoSeparator;
      if (bounded) bytes.reset(static_cast<std::uint8_t>(separator));
      return emit(Instruction::Kind::kLoop, set_number(bytes), next);
    }
    case GlobToken::Kind::kCharacter: {
      // A character is its first byte and the continuation bytes that follow.
      ByteSet first;
      for (unsigned byte = 0; byte < 0x80; ++byte) first.set(byte, token.ascii.test(byte));
      if (!token.non_ascii) return emit(Instruction::Kind::kSet, set_number(first), next);
      for (unsigned byte = 0xc0; byte <= 0xff; ++byte) first.set(byte);
      if (direction_ == Direction::kForwards) {
        next = emit(Instruction::Kind::kLoop, set_number(continuation), next);
        return emit(Instruction::Kind::kSet, set_number(first), next);
      }
      next = emit(Instruction::Kind::kSet, set_number(first), next);
      return emit(Instruction::Kind::kLoop, set_number(continuation), next);
    }
    case GlobToken::Kind::kChoice: {
      std::uint32_t start = kNone;
      for (const auto& choice : token.choices) {
        const std::uint32_t branch = compile(choice, separator, next);
        start = start == kNone ? branch : emit(Instruction::Kind::kSplit, branch, start);
      }
      return start;
    }
  }
  return next;
}

std::uint32_t GlobProgram::emit(Instruction::Kind kind, std::uint32_t argument,
                                std::uint32_t next) {
  instructions_.push_back({kind, argument, next});
  has_splits_ |= kind == Instruction::Kind::kSplit;
  return static_cast<std::uint32_t>(instructions_.size() - 1);
}

std::uint32_t GlobProgram::set_number(const ByteSet& set) {
  auto found = std::ranges::find(sets_, set);
  if (found == sets_.end()) {
    sets_.push_back(set);
    found = sets_.end() - 1;
  }
  return static_cast<std::uint32_t>(found - sets_.begin());
}

void GlobProgram::compute_byte_classes() {
  ByteSet single;  // Bytes that are matched as such: each is a class.
  for (const Node& node : nodes_) single.set(node.byte);
  for (const Instruction& instruction : instructions_) {
    if (instruction.kind == Instruction::Kind::kByte) single.set(instruction.argument);
  }
  std::map<std::vector<bool>, std::uint8_t> classes;
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::vector<bool> signature(sets_.size() + 8);
    for (std::size_t i = 0; i < sets_.size(); ++i) signature[i] = sets_[i].test(byte);
    for (std::size_t bit = 0; bit < 8 && single.test(byte); ++bit) {
      signature[sets_.size() + bit] = (byte >> bit & 1) != 0;
    }
    signature.push_back(single.test(byte));
    const auto next = static_cast<std::uint8_t>(classes.size());
    byte_classes_[byte] = classes.emplace(std::move(signature), next).first->second;
  }
  byte_class_count_ = classes.size();
}

GlobProgram::Collector GlobProgram::collector() const {
  Collector out;
  if (has_splits_) out.seen.resize(instructions_.size());
  return out;
}

void GlobProgram::add(std::uint32_t instruction, Collector& out) const {
  while (true) {
    const Instruction& current = instructions_[instruction];
    if (current.kind == Instruction::Kind::kSplit) {
      if (out.seen[instruction]) return;
      out.seen[instruction] = true;
      add(current.argument, out);
    } else {
      out.states.push_back(instruction);
      if (current.kind != Instruction::Kind::kLoop) return;
    }
    instruction = current.next;
  }
}

void GlobProgram::add_node(std::uint32_t node, Collector& out) const {
  out.states.push_back(kNodeBase + node);
  for (std::uint32_t tail = nodes_[node].first_tail; tail != kNone; tail = tails_[tail].next) {
    add(tails_[tail].instruction, out);
  }
}

GlobProgram::StateSet GlobProgram::finish(Collector& out) {
  std::ranges::sort(out.states);
  out.states.erase(std::ranges::unique(out.states).begin(), out.states.end());
  return std::move(out.states);
}

GlobProgram::StateSet GlobProgram::start() const {
  Collector out = collector();
  add_node(0, out);
  return finish(out);
}

GlobProgram::StateSet GlobProgram::step(const StateSet& states, std::uint8_t byte) const {
  Collector out = collector();
  for (std::uint32_t state : states) {
    if (state >= kNodeBase) {
      std::uint32_t child = nodes_[state - kNodeBase].first_child;
      while (child != kNone && nodes_[child].byte != byte) child = nodes_[child].next_sibling;
      if (child != kNone) add_node(child, out);
      continue;
    }
    const Instruction& instruction = instructions_[state];
    switch (instruction.kind) {
      case Instruction::Kind::kByte:
        if (instruction.argument == byte) add(instruction.next, out);
        break;
      case Instruction::Kind::kSet:
        if (sets_[instruction.argument].test(byte)) add(instruction.next, out);
        break;
      case Instruction::Kind::kLoop:
        if (sets_[instruction.argument].test(byte)) add(state, out);
        break;
      case Instruction::Kind::kSplit:
      case Instruction::Kind::kMatch:
        break;
    }
  }
  return finish(out);
}

std::vector<std::uint32_t> GlobProgram::matched(const StateSet& states) const {
  std::vector<std::uint32_t> ids;
  for (std::uint32_t state : states) {
    if (state >= kNodeBase) continue;
    const Instruction& instruction = instructions_[state];
    if (instruction.kind == Instruction::Kind::kMatch) ids.push_back(instruction.argument);
  }
  return ids;
}

}  // namespace agentsh::policy
