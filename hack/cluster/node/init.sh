#!/bin/bash
# The first process of the node: makes a machine of the new namespaces, then reaps orphans until it is
# told to stop. When it ends, the kernel ends every process, mount and interface of the node.
set -euo pipefail

main() {
  hostname "$NODE"
  mount_cgroups
  mount_directories
  mount_names
  fake_sysctls
  make_network
  touch "$RUN/booted"
  trap stop TERM
  while :; do
    sleep infinity &
    wait $! || true
  done
}

# mount_cgroups hides the host's groups: the container runtime reads whatever is mounted.
mount_cgroups() {
  mount --make-rshared /
  umount -R /sys
  mount -t sysfs sysfs /sys
  if grep -q '^v2 ' "$RUN/cgroups"; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    return
  fi
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  local controllers
  while read -r controllers _; do mount_cgroup_v1 "$controllers"; done <"$RUN/cgroups"
}

mount_cgroup_v1() {
  local name=${1#name=} options=$1 controller
  [[ $1 != name=* ]] || options=none,$1
  mkdir "/sys/fs/cgroup/$name"
  mount -t cgroup -o "$options" cgroup "/sys/fs/cgroup/$name"
  for controller in ${name//,/ }; do # cpu,cpuacct is looked for as cpu, too
    [[ -e /sys/fs/cgroup/$controller ]] || ln -s "$name" "/sys/fs/cgroup/$controller"
  done
}

mount_directories() {
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p "$DATA" "$LOGS" /run/cni
  mount --bind "$DATA" /var/lib
  mount --bind "$LOGS" /var/log
}

# mount_names puts the cluster's names in place of the host's, which nothing in here could look up. The
# name server is written down when there is one: before, a lookup would wait for it.
mount_names() {
  printf '127.0.0.1 localhost\n%s %s\n' "$NODE_IP" "$NODE" >/run/hosts
  : >/run/resolv.conf
  mount --bind /run/hosts /etc/hosts
  [[ ! -f /etc/resolv.conf ]] || mount --bind /run/resolv.conf /etc/resolv.conf
}

# fake_sysctls puts files over the settings that the kubelet insists on: they belong to the whole
# machine, which stays as it is.
fake_sysctls() {
  fake_sysctl vm/overcommit_memory 1
  fake_sysctl vm/panic_on_oom 0
  fake_sysctl kernel/panic 10
  fake_sysctl kernel/panic_on_oops 1
  fake_sysctl kernel/keys/root_maxkeys 1000000
  fake_sysctl kernel/keys/root_maxbytes 25000000
}

fake_sysctl() {
  local file=/run/sysctl/${1//\//.}
  mkdir -p /run/sysctl
  echo "$2" >"$file"
  mount --bind "$file" "/proc/sys/$1"
}

# make_network gives the node an interface whose two ends are both in here: no way leads out.
make_network() {
  ip link set lo up
  ip link add eth0 type veth peer name eth0peer
  ip link set eth0peer up
  ip addr add "$NODE_IP/24" dev eth0
  ip link set eth0 up
  ip route add "$SERVICE_CIDR" dev eth0 # a route must exist before kube-proxy's rules rewrite the address
  ip route add default dev eth0
  sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
}

# stop gives the daemons five seconds to write what they hold; whatever is left, the containers above
# all, ends with this process.
stop() {
  kill -TERM -1
  local -i tries=50
  while ((tries-- > 0)) && daemons_left; do
    sleep 0.1 || true
  done
  exit 0
}

# daemons_left passes over two that would hold each other's connections open and lose nothing when killed.
daemons_left() {
  local file
  for file in "$RUN"/pids/*; do
    [[ ${file##*/} != etcd && ${file##*/} != kube-apiserver ]] || continue
    [[ ! -s $file || ! -e /proc/$(<"$file") ]] || return 0
  done
  return 1
}

main
