// Gathers the events of one command while it runs, for the answer that carries them.
//
//   EventCollector collector(recorder, session_id, command_id, 10'000);
//   ... run the command ...
//   recorder.flush();
//   auto events = collector.take();
//
// Events of the session that could not be tied to a command are taken too: with one command running
// they are its. Threads: the owner's; the recorder feeds it from its own.
#pragma once

#include "audit/recorded_event.h"
#include "audit/recorder.h"
#include "audit/subscribers.h"
#include "base/lock_guarded.h"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace agentsh::audit {

class EventCollector {
 public:
  EventCollector(Recorder& recorder, std::string session_id, std::string command_id,
                 std::size_t max_events)
      : session_id_(std::move(session_id)),
        command_id_(std::move(command_id)),
        max_events_(max_events),
        subscription_(recorder.subscribe([this](const RecordedEvent& event) { add(event); })) {}

  // Ends the collection and gives what came, in chain order.
  std::vector<RecordedEvent> take() {
    subscription_.reset();
    return std::move(*events_.lock());
  }
  // Connections that were let through and whose end has not been told yet. What a command did on
  // the network is recorded by other threads, the last of it perhaps after the command has ended.
  std::ptrdiff_t open_connections() {
    const auto events = events_.lock();
    std::ptrdiff_t open = 0;
    for (const RecordedEvent& event : *events) {
      if (event.type == "net_connect" && event.decision != "deny") ++open;
      if (event.type == "net_close") --open;
    }
    return open;
  }
  // How many did not fit into max_events. After take().
  std::size_t left_out() const { return left_out_; }

 private:
  void add(const RecordedEvent& event) {
    if (event.session_id != session_id_) return;
    if (!event.command_id.empty() && event.command_id != command_id_) return;
    auto events = events_.lock();
    if (events->size() < max_events_) {
      events->push_back(event);
    } else {
      ++left_out_;
    }
  }

  const std::string session_id_;
  const std::string command_id_;
  const std::size_t max_events_;
  std::size_t left_out_ = 0;
  LockGuarded<std::vector<RecordedEvent>> events_;
  std::shared_ptr<Recorder::Subscription> subscription_;  // Last: it calls add().
};

}  // namespace agentsh::audit
