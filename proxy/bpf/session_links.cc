#include "proxy/bpf/kernel_programs.h"
#include "proxy/bpf/redirector.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>

namespace agentsh::bpf {

namespace {

constexpr abi::SessionConfig kNothing{};

}  // namespace

DenialTable::DenialTable(std::shared_ptr<KernelPrograms> programs, std::uint32_t index)
    : programs_(std::move(programs)), index_(index) {}

DenialTable::~DenialTable() {
  programs_->free_table(index_);
}

SessionLinks& SessionLinks::operator=(SessionLinks&& other) noexcept {
  if (this == &other) return *this;
  detach();
  programs_ = std::move(other.programs_);
  cgroup_ = std::move(other.cgroup_);
  cgroup_id_ = other.cgroup_id_;
  attached_ = other.attached_;
  config_ = other.config_;
  denials_ = std::move(other.denials_);
  return *this;
}

SessionLinks::~SessionLinks() {
  detach();
}

void SessionLinks::detach() noexcept {
  if (!programs_) return;
  // First the configuration: what is not detached for some reason refuses everything.
  bpf_map_update_elem(programs_->sessions(), &cgroup_id_, &kNothing, BPF_ANY);
  for (std::size_t i = attached_; i-- > 0;) {
    const Hook& hook = programs_->hooks()[i];
    bpf_prog_detach2(hook.program, cgroup_.get(), hook.type);
  }
  programs_->live_sessions().lock()->erase(config_.netns_cookie);
  programs_.reset();
}

Result<> SessionLinks::write(const abi::SessionConfig& config) const {
  if (!programs_) return fail("the session is not attached");
  if (bpf_map_update_elem(programs_->sessions(), &cgroup_id_, &config, BPF_ANY) != 0) {
    return std::unexpected(errno_error("write", "eBPF session configuration"));
  }
  return {};
}

Result<> SessionLinks::set_denials(std::shared_ptr<const DenialTable> denials) {
  if (denials && denials->programs_ != programs_) return fail("denials of another redirector");
  abi::SessionConfig next = config_;
  next.denial_table = denials ? denials->index_ : std::uint32_t{abi::kNoDenialTable};
  if (auto written = write(next); !written) return written;
  config_ = next;
  denials_ = std::move(denials);
  return {};
}

Result<> SessionLinks::set_host_ports(std::span<const std::uint16_t> ports) {
  if (ports.size() > abi::kMaxHostPorts) {
    return fail("at most " + std::to_string(abi::kMaxHostPorts) + " host ports fit a session");
  }
  abi::SessionConfig next = config_;
  std::ranges::fill(next.host_ports, ports.empty() ? std::uint16_t{0} : ports.front());
  std::ranges::copy(ports, std::begin(next.host_ports));
  next.host_port_count = static_cast<std::uint32_t>(ports.size());
  if (auto written = write(next); !written) return written;
  config_ = next;
  return {};
}

}  // namespace agentsh::bpf
