# shellcheck shell=bash
# The node: one set of namespaces that a single process holds. See node/launch.sh and node/init.sh.

# node_alive tells our init from a stranger that has got its process id since.
node_alive() {
  [[ -s $RUN/init.pid ]] && grep -qz "^$CLUSTER\$" "/proc/$(<"$RUN/init.pid")/cmdline" 2>/dev/null
}

require_node() { node_alive || die "no cluster is up in $STATE: run 'make cluster-up'"; }

node_launch() {
  mkdir -p "$RUN/pids" "$RUN/fronts" "$LOGS" "$DATA"
  rm -f "$RUN"/{booted,*.pid} "$RUN"/pids/* "$RUN"/fronts/*
  cgroup_create
  export RUN LOGS DATA CLUSTER CLUSTER_HOME NODE NODE_IP SERVICE_CIDR
  setsid "$CLUSTER_HOME/node/launch.sh" >"$LOGS/node.log" 2>&1 </dev/null 9>&- &
  echo $! >"$RUN/unshare.pid"
  disown
  wait_for 10 node_booted_or_ended
  [[ -e $RUN/booted ]] || die "the node did not boot; $LOGS/node.log says: $(tail -n 3 "$LOGS/node.log")"
  # The node's first process has another id in here than in there: it is unshare's only child.
  tr -d ' ' <"/proc/$(<"$RUN/unshare.pid")/task/$(<"$RUN/unshare.pid")/children" >"$RUN/init.pid"
}

node_booted_or_ended() { [[ -e $RUN/booted || ! -e /proc/$(<"$RUN/unshare.pid") ]]; }

# in_node COMMAND...: runs a command inside the node, in its cgroup and with a clean environment.
in_node() (
  cgroup_join
  exec nsenter -t "$(<"$RUN/init.pid")" -m -n -p -i -u -C -- \
    env -i PATH="$BIN:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" "$@"
)

# node_start NAME COMMAND...: starts a daemon in the node; its log is $LOGS/NAME.log.
node_start() {
  local name=$1
  shift
  # shellcheck disable=SC2016 # expanded inside
  in_node bash -c 'log=$1 pid=$2; shift 2; setsid "$@" >>"$log" 2>&1 </dev/null & echo $! >"$pid"' \
    start "$LOGS/$name.log" "$RUN/pids/$name" "$@" 9>&-
}

# node_running NAME: a process id inside the node is written where node_start started it.
node_running() {
  [[ -s $RUN/pids/$1 ]] && in_node test -e "/proc/$(<"$RUN/pids/$1")"
}

# node_stop NAME: asks the daemon to end, and insists after ten seconds.
node_stop() {
  node_running "$1" || return 0
  # shellcheck disable=SC2016 # expanded inside
  in_node bash -c '
    kill -TERM "$1"
    for ((i = 0; i < 100; i++)); do [[ -e /proc/$1 ]] || exit 0; sleep 0.1; done
    kill -KILL "$1"' stop "$(<"$RUN/pids/$1")"
  rm -f "$RUN/pids/$1"
}

# node_end SIGNAL: ends the node with everything in it.
node_end() {
  local unshare=
  [[ ! -s $RUN/unshare.pid ]] || unshare=$(<"$RUN/unshare.pid")
  if node_alive; then
    kill -"$1" "$(<"$RUN/init.pid")"
    wait_for 15 node_gone "$unshare" || die "the node's processes do not end: see 'ps -ef | grep $CLUSTER'"
  elif [[ $unshare ]] && grep -qz -e "^$CLUSTER_HOME/node/launch.sh\$" -e "^$CLUSTER\$" "/proc/$unshare/cmdline" 2>/dev/null; then
    kill -KILL "$unshare" # interrupted before its child was known
  fi
  cgroup_remove
}

node_gone() { ! node_alive && [[ ! -e /proc/$1 ]]; }
