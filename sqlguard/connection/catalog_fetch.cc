// The guarded connection asks its server for the catalogue: before the client's session starts, and
// before the next statement after one that changed it.
#include "sqlguard/catalog/catalog_query.h"
#include "sqlguard/connection/guarded_connection.h"

#include <algorithm>
#include <utility>

namespace agentsh::sql {
namespace {

constexpr std::size_t kMaximumFrame = 64 << 20;

}  // namespace

void GuardedConnection::begin(ByteVector opening) {
  if (catalog_ != nullptr) {
    to_client_.insert(to_client_.end(), opening.begin(), opening.end());
    return;
  }
  opening_ = std::move(opening);
  opened_ = false;
  ask_for_catalog();
}

void GuardedConnection::ask_for_catalog() {
  catalog_reader_ = std::make_unique<CatalogReader>();
  catalog_failure_.clear();
  write_query(catalog_query(), to_server_);
  push({.ask = Ask::kCatalog});
}

// Null while it may not be what the server has any more: then nothing is sure.
std::shared_ptr<const Catalog> GuardedConnection::catalog() const {
  return catalog_ == nullptr || catalog_changed_ ? nullptr : catalog_->catalog;
}

// In a transaction that failed nothing can be asked, and in the middle of a pipeline neither.
GuardedConnection::Taken GuardedConnection::renew_catalog() {
  if (!catalog_changed_ || segment_open_) return Taken::kYes;
  if (ends_ > 0) return wait_for_answers();
  if (state_ == ReadyForQuery::State::kFailed) return Taken::kYes;
  ask_for_catalog();
  return wait_for_answers();
}

// False: more bytes are needed, and those that are there were taken.
bool GuardedConnection::take_catalog(Bytes bytes, std::size_t& at, Outgoing& out) {
  const auto grow_to = [&](std::size_t size) {
    const std::size_t missing = size - std::min(size, server_partial_.size());
    const Bytes taken = bytes.subspan(at, std::min(missing, bytes.size() - at));
    server_partial_.insert(server_partial_.end(), taken.begin(), taken.end());
    at += taken.size();
    return server_partial_.size() >= size;
  };
  if (!grow_to(FrameHeader::kSize)) return false;
  const auto header = read_frame_header(server_partial_, Direction::kBackend);
  if (!header || !*header || (*header)->size() > kMaximumFrame) {
    break_off("the server sent what is no message of the protocol");
    return false;
  }
  if (!grow_to((*header)->size())) return false;
  const ByteVector raw = std::exchange(server_partial_, {});
  const Frame frame{(*header)->type, Bytes(raw).subspan(FrameHeader::kSize), raw.size()};
  if (catalog_frame(frame, raw, out) == Fate::kBroken) {
    break_off("the server answered what was not asked");
    return false;
  }
  return true;
}

GuardedConnection::Fate GuardedConnection::catalog_frame(const Frame& frame, Bytes raw,
                                                         Outgoing& out) {
  if (frame.type == 'A' || frame.type == 'S') {
    if (const auto message = parse_backend(frame)) {
      if (const auto* status = std::get_if<ParameterStatus>(&*message))
        session_.reported(status->name, status->value);
    }
    if (opened_) out.copy(raw);
    return Fate::kForward;
  }
  if (frame.type == 'Z') {
    if (on_ready(frame.body) == Fate::kBroken) return Fate::kBroken;
    catalog_done(out);
    return Fate::kSwallow;
  }
  if (catalog_failure_.empty()) {
    if (auto taken = catalog_reader_->take(frame); !taken) catalog_failure_ = taken.error().what;
  }
  return Fate::kSwallow;
}

void GuardedConnection::catalog_done(Outgoing& out) {
  std::shared_ptr<const CatalogAnswer> answer;
  if (catalog_failure_.empty()) {
    if (auto finished = catalog_reader_->finish())
      answer = std::make_shared<const CatalogAnswer>(std::move(*finished));
    else
      catalog_failure_ = finished.error().what;
  }
  catalog_reader_.reset();
  catalog_ = answer;
  catalog_changed_ = false;
  if (answer != nullptr) session_.looked_up(answer->session.search_path);
  if (observer_ != nullptr) observer_->looked_up(answer, !opened_, catalog_failure_);
  if (!opened_) out.copy(std::exchange(opening_, {}));
  opened_ = true;
}

}  // namespace agentsh::sql
