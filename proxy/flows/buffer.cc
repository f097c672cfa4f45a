#include "proxy/flows/buffer.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace agentsh::flows {
namespace {

using Block = std::unique_ptr<std::uint8_t[]>;

constexpr std::size_t kMaxSpares = 64;
// Below this much room a read would be small: what is there is moved to the front.
constexpr std::size_t kLeastRoom = 16 << 10;

std::vector<Block>& spares() {
  thread_local std::vector<Block> blocks;
  return blocks;
}

Block take_block() {
  std::vector<Block>& stock = spares();
  if (stock.empty()) return Block(new std::uint8_t[Buffer::kBlockBytes]);
  Block block = std::move(stock.back());
  stock.pop_back();
  return block;
}

}  // namespace

std::span<std::uint8_t> Buffer::room() {
  if (block_ == nullptr) block_ = take_block();
  if (empty()) begin_ = end_ = 0;
  if (begin_ > 0 && kBlockBytes - end_ < kLeastRoom) {
    std::memmove(block_.get(), block_.get() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }
  return {block_.get() + end_, kBlockBytes - end_};
}

void Buffer::consume(std::size_t count) {
  begin_ += std::min(count, size());
  if (empty()) begin_ = end_ = 0;
}

void Buffer::append(Bytes bytes) {
  std::ranges::copy(bytes, room().begin());
  added(bytes.size());
}

void Buffer::release() {
  begin_ = end_ = 0;
  if (block_ == nullptr) return;
  std::vector<Block>& stock = spares();
  if (stock.size() < kMaxSpares) {
    stock.push_back(std::move(block_));
  } else {
    block_.reset();
  }
}

}  // namespace agentsh::flows
