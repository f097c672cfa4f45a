// What goes to a peer: pieces of what was received, as they are, and bytes of our own between them.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <vector>

namespace agentsh::sql {

// Views of the bytes received stay valid as long as those do.
class Outgoing {
 public:
  // Neighbours become one piece.
  void view(Bytes bytes) {
    if (bytes.empty()) return;
    if (!pieces_.empty() && !pieces_.back().own &&
        pieces_.back().data + pieces_.back().size == bytes.data()) {
      pieces_.back().size += bytes.size();
      return;
    }
    pieces_.push_back({bytes.data(), 0, bytes.size(), false});
  }
  void copy(Bytes bytes) {
    if (bytes.empty()) return;
    pieces_.push_back({nullptr, own_.size(), bytes.size(), true});
    own_.insert(own_.end(), bytes.begin(), bytes.end());
  }
  bool empty() const { return pieces_.empty(); }
  // In order. Valid until the next call of view(), copy() or clear().
  std::vector<Bytes>& parts() {
    parts_.clear();
    for (const Piece& piece : pieces_)
      parts_.push_back(piece.own ? Bytes(own_).subspan(piece.offset, piece.size)
                                 : Bytes(piece.data, piece.size));
    return parts_;
  }
  void clear() {
    pieces_.clear();
    own_.clear();
  }

 private:
  struct Piece {
    const std::uint8_t* data;
    std::size_t offset, size;
    bool own;
  };
  std::vector<Piece> pieces_;
  std::vector<std::uint8_t> own_;
  std::vector<Bytes> parts_;
};

}  // namespace agentsh::sql
