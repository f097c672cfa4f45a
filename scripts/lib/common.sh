# Shared by scripts/quickstart, test and bench: messages, packages, builds. Sourced by bash from the repository's root.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

if [ -t 1 ]; then bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'; else bold='' red='' plain=''; fi
step() { printf '%s==> %s%s\n' "$bold" "$*" "$plain"; }
die() { printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2; exit 1; }

# What the appliance is built from.
build_packages=(
  clang-19 lld-19 llvm-19 cmake ninja-build ccache pkg-config bpftool
  libboost1.81-dev libssl-dev libbpf-dev libelf-dev libseccomp-dev libnftnl-dev libmnl-dev
  rapidjson-dev libyaml-cpp-dev libre2-dev libvectorscan-dev libbrotli-dev libzstd-dev libsqlite3-dev libpg-query-dev libidn-dev libfmt-dev libcli11-dev zlib1g-dev
)
# What the tests are built from and talk to, beside that.
test_packages=(
  clang-tidy-19 clang-format-19 libclang-rt-19-dev libgtest-dev libgmock-dev libbenchmark-dev
  curl wget git jq openssl nginx-light fcgiwrap unbound openssh-server openssh-client dnsutils netcat-openbsd
  iproute2 nftables procps psmisc util-linux strace tcpdump python3 python3-requests python3-websockets
  python3-venv python3-psycopg2 gnupg
  wrk haproxy dnsperf bubblewrap postgresql-15
)

# install_packages NAME...: what is missing, with apt, as root or by sudo, saying what.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "these packages are missing and there is no apt-get: ${missing[*]}"
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "run as root, or install: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  step "Installing ${#missing[@]} packages with apt: ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  # Servers that are only test peers must not be started by their packages.
  local policy=/usr/sbin/policy-rc.d made_policy=
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy >/dev/null
    "${sudo[@]}" chmod 755 $policy
    made_policy=1
  fi
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    { [ -z "$made_policy" ] || "${sudo[@]}" rm -f $policy; die "apt-get install failed"; }
  [ -z "$made_policy" ] || "${sudo[@]}" rm -f $policy
}

# install_commands COMMAND=PACKAGE...: packages for commands that may be here from elsewhere.
install_commands() {
  local pair packages=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
  done
  [ ${#packages[@]} -eq 0 ] || install_packages "${packages[@]}"
}

# build PRESET [TARGET...] with [-DOPTION...] in $configure_options.
configure_options=()
build() {
  local preset=$1
  shift
  step "Building ($preset)"
  cmake --preset "$preset" "${configure_options[@]}" >"build-$preset.log" 2>&1 ||
    { mkdir -p build; cat "build-$preset.log" >&2; rm -f "build-$preset.log"; die "configuring failed"; }
  rm -f "build-$preset.log"
  NINJA_STATUS='[%f/%t] ' cmake --build --preset "$preset" ${1:+--target "$@"} |
    if [ -t 1 ]; then cat; else awk '/error|warning|FAILED/ || NR % 50 == 0 { print; fflush() }'; fi
}
