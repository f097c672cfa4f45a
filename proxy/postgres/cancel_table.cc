#include "proxy/postgres/cancel_table.h"

#include "base/random.h"

#include <openssl/crypto.h>

#include <utility>

namespace agentsh::pg {

CancelTable::Entry& CancelTable::Entry::operator=(Entry&& other) noexcept {
  release();
  table_ = std::move(other.table_);
  key_ = std::move(other.key_);
  return *this;
}

void CancelTable::Entry::release() {
  const auto table = table_.lock();
  if (table == nullptr) return;
  const std::lock_guard lock(table->mutex_);
  table->known_.erase(key_.process);
  table_.reset();
}

std::optional<CancelTable::Entry> CancelTable::add(std::size_t bytes, Cancel cancel) {
  Key key;
  key.key.resize(bytes);
  fill_random(key.key);
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMaximum) return std::nullopt;
  do {
    fill_random({reinterpret_cast<std::uint8_t*>(&key.process), sizeof(key.process)});
    key.process &= 0x7fffffff;  // Drivers print it as a signed number.
  } while (key.process == 0 || known_.contains(key.process));
  known_.emplace(key.process, Known{key.key, std::move(cancel)});
  return Entry(weak_from_this(), std::move(key));
}

CancelTable::Cancel CancelTable::find(std::uint32_t process, Bytes key) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(process);
  if (found == known_.end() || found->second.key.size() != key.size()) return {};
  if (CRYPTO_memcmp(found->second.key.data(), key.data(), key.size()) != 0) return {};
  return found->second.cancel;
}

}  // namespace agentsh::pg
