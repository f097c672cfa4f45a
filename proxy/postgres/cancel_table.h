// Keys that clients were given for cancelling their statements, and whose they are. A client never
// sees the server's key; ours opens nothing but its own connection.
//
// Threads: any. What is called to cancel runs on the thread of whoever asks.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace agentsh::pg {

class CancelTable : public std::enable_shared_from_this<CancelTable> {
 public:
  static constexpr std::size_t kMaximum = 100'000;
  // What a key cancels, and whose statement that is, for the rules about cancellation.
  struct Cancel {
    std::function<void()> run = {};
    std::string user = {}, database = {}, application_name = {}, client_identity = {};
    explicit operator bool() const { return run != nullptr; }
  };

  struct Key {
    std::uint32_t process = 0;
    std::vector<std::uint8_t> key;
  };

  // Takes the entry out when it goes.
  class Entry {
   public:
    Entry() = default;
    Entry(std::weak_ptr<CancelTable> table, Key key)
        : table_(std::move(table)), key_(std::move(key)) {}
    Entry(Entry&& other) noexcept = default;
    Entry& operator=(Entry&& other) noexcept;
    ~Entry() { release(); }
    const Key& key() const { return key_; }

   private:
    void release();
    std::weak_ptr<CancelTable> table_;
    Key key_;
  };

  // A new random key of `bytes` bytes. Nothing when the table is full: the client then gets none.
  std::optional<Entry> add(std::size_t bytes, Cancel cancel);
  // What the key cancels; nothing for one that is not known.
  Cancel find(std::uint32_t process, Bytes key) const;

 private:
  friend Entry;
  struct Known {
    std::vector<std::uint8_t> key;
    Cancel cancel;
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::uint32_t, Known> known_;
};

}  // namespace agentsh::pg
