# shellcheck shell=bash
# Bringing the cluster up and taking it down.

# locked COMMAND...: one command at a time changes a cluster.
locked() {
  mkdir -p "$STATE"
  exec 9>"$STATE/.lock"
  flock -n 9 || { say "Waiting for another command that works on $STATE"; flock 9; }
  "$@"
}

# up [--with PART]...
up() {
  add_parts "$@"
  if healthy; then
    build_binaries
    link_binaries
    save_settings
    # shellcheck disable=SC2086 # one word a part
    parts_start $FLEET_PARTS
    say "The cluster is already up."
  else
    require_to_run
    bring_up
  fi
  status
}

# healthy gives an API server that runs some time to answer: on a busy machine it may need it, and else all is started again.
healthy() {
  node_alive && [[ -e $RUN/complete && -z $(kubernetes_stopped) ]] && front_listens "127.0.0.1:$(port_of api)" &&
    wait_for 60 api_ready
}

# bring_up takes down what it started when it fails or is interrupted.
bring_up() {
  local began
  trap give_up EXIT
  trap 'exit 130' INT TERM HUP
  touch "$STATE/.movie-fleet-cluster"
  build_binaries
  ! node_alive || say "The cluster is up but not in order: starting it again, with its data."
  node_end KILL
  [[ -e $STATE/warm ]] || forget
  began=$EPOCHREALTIME
  link_binaries
  pki_create
  choose_ports
  save_settings
  node_launch
  stage "$began" "namespaces, network"
  start_everything "$began"
  touch "$RUN/complete" "$STATE/warm"
  trap - EXIT INT TERM HUP
}

# give_up leaves a first start that was interrupted without a trace, and a failed one with its logs.
give_up() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP # an impatient second Ctrl-C must not leave half of it
  jobs -p | xargs -r kill 2>/dev/null || true
  if ((status == 130)) && [[ ! -e $STATE/warm ]]; then
    say "Interrupted: removing what had started."
    node_end KILL
    forget
  elif [[ -d $LOGS ]]; then
    say "Not up: stopping what had started. The logs stay in $LOGS."
    node_end KILL
  fi
  [[ -d $LOGS ]] || leave
  exit "$status"
}

stage() { say "$(awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%6.1f s", b - a}')  ${*:2}"; }

start_everything() {
  local began=$1 beside within lease boot
  boot=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  # shellcheck disable=SC2046 # one word a part
  parts_start $(parts_beside) 2>"$LOGS/parts.log" &
  beside=$!
  start_etcd
  start_apiserver
  start_containerd
  open_fronts
  [[ -e $STATE/warm ]] || load_system_images
  wait_for 60 api_ready || die "the API server does not get ready; $LOGS/kube-apiserver.log says: $(tail -n 2 "$LOGS/kube-apiserver.log")"
  stage "$began" "API server"
  # shellcheck disable=SC2046 # one word a part
  parts_start $(parts_within) 2>"$LOGS/parts-within.log" &
  within=$!
  lease=$(node_lease)
  start_controllers
  start_kubelet
  start_kube_proxy
  start_dns
  wait_for 60 node_ready_since "$lease" || die "the node does not get ready; $LOGS/kubelet.log says: $(tail -n 2 "$LOGS/kubelet.log")"
  stage "$began" "node"
  wait "$beside" || die "$(sed -n 's/^cluster: //p' "$LOGS/parts.log")"
  wait_for 60 namespace_usable default || die "no default service account; see $LOGS/kube-controller-manager.log"
  wait_for 60 dns_ready || die "CoreDNS does not get ready: kubectl --kubeconfig $KUBECONFIG_HOST describe pods -n kube-system"
  stage "$began" "DNS"
  wait "$within" || die "$(sed -n 's/^cluster: //p' "$LOGS/parts-within.log")"
  stage "$began" "$FLEET_PARTS"
  wait_for 60 pods_renewed "$boot" || say "Some pods of the last time have not started again: see the status."
}

# choose_ports takes the user's ports for the ways in from the host, or free ones.
choose_ports() {
  local api consul
  mkdir -p "$RUN"
  api=$(free_port FLEET_API_PORT 16443)
  consul=$(free_port FLEET_CONSUL_PORT 18500)
  printf 'api %s\nconsul %s\n' "$api" "$consul" >"$RUN/ports"
}

open_fronts() {
  local api
  api=127.0.0.1:$(port_of api)
  front "$api" "$NODE_IP:6443"
  [[ " $FLEET_PARTS " != *" consul "* ]] || front "127.0.0.1:$(port_of consul)" "$(consul_address)"
  (umask 077 && kubeconfig_for admin "https://$api" >"$KUBECONFIG_HOST.new")
  [[ -z ${SUDO_UID:-} ]] || chown "$SUDO_UID" "$KUBECONFIG_HOST.new" # who called sudo is who uses it
  mv "$KUBECONFIG_HOST.new" "$KUBECONFIG_HOST"
}

port_of() { awk -v n="$1" '$1 == n {print $2}' "$RUN/ports"; }

# down [--keep]
down() {
  if [[ ! -e $STATE/.movie-fleet-cluster ]]; then
    leave
    say "There is no cluster in $STATE."
    return 0
  fi
  case ${1:-} in
    "") node_end KILL && forget && leave && say "The cluster is gone. Built programs stay in $FLEET_CACHE." ;;
    --keep) node_end TERM && say "Stopped. Data, images and credentials stay in $STATE." ;;
    *) die "down: unknown option $1, only --keep" ;;
  esac
}

# forget removes everything that a cluster wrote, and nothing else.
forget() {
  rm -rf "$RUN" "$LOGS" "$DATA" "$BIN" "$PKI" "$STATE/credentials" "$STATE/warm" "$STATE/settings" \
    "$KUBECONFIG_HOST" "$KUBECONFIG_HOST.new"
}

leave() {
  rm -f "$STATE/.movie-fleet-cluster" "$STATE/.lock"
  rmdir "$STATE" 2>/dev/null || true
}
