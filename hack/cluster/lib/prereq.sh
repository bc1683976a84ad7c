# shellcheck shell=bash
# What the machine must have. Each check names what is missing and how to get it.

# package_of PROGRAM: the Debian package a program comes from.
package_of() {
  case $1 in
    unshare | nsenter | setpriv | flock) echo util-linux ;;
    ip) echo iproute2 ;;
    nft) echo nftables ;;
    sysctl) echo procps ;;
    openssl | jq | gcc) echo "$1" ;;
    mariadbd | mariadb-install-db) echo mariadb-server-core ;;
    mariadb) echo mariadb-client-core ;;
    java) echo openjdk-17-jre-headless ;;
    mvn) echo maven ;;
    *) die "package_of: unknown program $1" ;;
  esac
}

missing_packages() {
  local program programs=(unshare nsenter setpriv flock ip nft sysctl openssl jq gcc mariadbd mariadb-install-db mariadb)
  ! needed_for kafka || programs+=(java mvn)
  for program in "${programs[@]}"; do
    PATH=$PATH:/usr/sbin:/sbin type -P "$program" >/dev/null || package_of "$program"
  done | sort -u
  compiles '#include <seccomp.h>' || echo libseccomp-dev
}

compiles() { ! type -P gcc >/dev/null || gcc -x c -fsyntax-only - <<<"$1" 2>/dev/null; }

require_packages() {
  local packages
  packages=$(missing_packages | paste -sd' ')
  [[ -z $packages ]] || die "this machine lacks Debian packages: run 'make cluster-setup' as root, or apt-get install --no-install-recommends $packages"
}

require_linux() {
  [[ $(uname -s) == Linux ]] || die "the local cluster needs Linux, this is $(uname -s): use a Linux machine or virtual machine, or point KUBECONFIG at a cluster of your own (docs/local-cluster.md)"
}

require_root() {
  ((EUID == 0)) || die "'$1' needs root, for namespaces and cgroups: run it with sudo -E, or point KUBECONFIG at a cluster of your own (docs/local-cluster.md)"
}

require_go() {
  local have
  type -P go >/dev/null || die "Go is not in PATH: install Go 1.26 or newer (https://go.dev/dl)"
  have=$(go env GOVERSION)
  printf '%s\n%s\n' go1.26 "$have" | sort -VC || die "Go is $have, the cluster's programs need go1.26 or newer (https://go.dev/dl)"
}

# require_space DIRECTORY GIGABYTES WHAT
require_space() {
  local dir=$1 free
  while [[ ! -d $dir ]]; do dir=$(dirname "$dir"); done
  free=$(df --output=avail -k "$dir" | tail -1)
  ((free >= $2 * 1000 * 1000)) || die "$1 has $((free / 1000 / 1000)) GB free, $3 needs $2 GB: free some space or set $4 to a directory on a larger disk"
}

require_memory() {
  local total
  total=$(awk '/^MemTotal/ {print int($2 / 1000 / 1000)}' /proc/meminfo)
  ((total >= 4)) || die "this machine has $total GB of memory, the cluster and the fleet need 4 GB"
}

# require_state_directory keeps 'down' from ever deleting what is not ours.
require_state_directory() {
  [[ -e $STATE/.movie-fleet-cluster || -z $(find "$STATE" -mindepth 1 ! -name .lock -print -quit) ]] ||
    die "$STATE has files in it that are not a cluster's: set FLEET_CLUSTER_DIR to a new or empty directory"
}

# require_kernel tries what the node will do, in namespaces that are gone a moment later.
require_kernel() {
  local hint="a container must be run with --privileged"
  unshare --mount --net --pid --ipc --uts --cgroup --fork true 2>/dev/null ||
    die "the kernel does not let root make namespaces ($hint)"
  try_overlay ||
    die "cannot mount an overlay in $STATE ($(stat -fc %T "$STATE")): load overlayfs with 'modprobe overlay', or set FLEET_CLUSTER_DIR to a directory on ext4 or xfs"
  try_in_namespace "ip link add name veth0 type veth peer name veth1" || die "the kernel lacks veth: load it with 'modprobe veth'"
  try_in_namespace "ip link add name bridge0 type bridge" || die "the kernel lacks bridges: load them with 'modprobe bridge'"
  try_in_namespace "nft add table inet t" || die "the kernel lacks nf_tables: load it with 'modprobe nf_tables'"
}

try_in_namespace() { unshare --net sh -c "PATH=\$PATH:/usr/sbin:/sbin; $1" >/dev/null 2>&1; }

# try_overlay mounts one where containers will have theirs: not every file system can carry it.
try_overlay() {
  local dir=$STATE/.try status=0
  mkdir -p "$dir"/{lower,upper,work,merged}
  unshare --mount mount -t overlay overlay \
    -o "lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work" "$dir/merged" 2>/dev/null || status=$?
  rm -rf "$dir"
  return "$status"
}

# require_to_build NAME...: what compiling these programs takes.
require_to_build() {
  require_linux
  require_go
  [[ " $* " != *" runc "* ]] || require_packages
  [[ " $* " != *" kafka "* ]] || require_maven
  local gigabytes=6
  [[ " $* " != *" traefik "* ]] || gigabytes=9 # its sources and what they compile to
  require_space "$FLEET_CACHE" "$gigabytes" "building the cluster's programs" FLEET_CACHE
}

require_maven() { type -P mvn >/dev/null || die "Kafka's jars need Maven: apt-get install --no-install-recommends maven, or 'make cluster-setup WITH=kafka' as root"; }

require_to_run() {
  require_packages
  require_memory
  require_state_directory
  require_space "$STATE" 2 "a running cluster" FLEET_CLUSTER_DIR
  require_kernel
}

# install_packages leaves no daemon behind: policy-rc.d forbids starting any while packages are set up.
install_packages() {
  local packages
  packages=$(missing_packages | paste -sd' ')
  [[ $packages ]] || { say "All Debian packages are there."; return 0; }
  require_root setup
  type -P apt-get >/dev/null || die "this is not Debian or Ubuntu: install what these packages hold by hand: $packages"
  say "Installing: $packages"
  apt-get update -qq || die "apt-get update failed, see above: is a package mirror reachable?"
  forbid_services
  # shellcheck disable=SC2086 # one word a package
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages >/dev/null ||
    die "apt-get could not install $packages, see above"
  require_packages
  say "All Debian packages are there."
}

forbid_services() {
  local policy=/usr/sbin/policy-rc.d
  [[ ! -e $policy ]] || return 0 # the machine has a policy of its own
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
}
