# shellcheck shell=bash
# Ways in from the host: each is a listener on 127.0.0.1 that hands connections into the node. They end
# with the node. $RUN/fronts/LISTEN holds "PID TARGET".

# free_port VARIABLE FIRST: the port that the user set, or the first free one from FIRST on.
free_port() {
  local -i port=${!1:-$2}
  if [[ ${!1:-} ]]; then
    port_free "$port" || die "port $port of $1 is taken on 127.0.0.1: choose another one"
  fi
  while ! port_free "$port"; do port+=1; done
  echo "$port"
}

port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# front LISTEN TARGET: TARGET is HOST:PORT inside, or NAMESPACE/SERVICE:PORT.
front() {
  local listen=$1 target
  [[ $listen == *:* ]] || listen=127.0.0.1:$listen
  target=$(front_target "$2")
  front_unchanged "$listen" "$target" && return 0
  front_close "$listen"
  port_free "${listen##*:}" || die "port ${listen##*:} is taken on 127.0.0.1: choose another one"
  setsid "$BIN/front" "$(<"$RUN/init.pid")" "$listen=$target" >>"$LOGS/front.log" 2>&1 </dev/null 9>&- &
  echo "$! $target" >"$RUN/fronts/$listen"
  disown
  wait_for 5 front_listens "$listen" || {
    rm -f "$RUN/fronts/$listen"
    die "cannot listen on $listen: $(tail -n 1 "$LOGS/front.log")"
  }
}

front_target() {
  local address service=${1#*/}
  [[ $1 == */*:* ]] || { echo "$1"; return; }
  address=$(kubectl get service -n "${1%%/*}" "${service%:*}" -o jsonpath='{.spec.clusterIP}') ||
    die "front: no Service for $1 (want NAMESPACE/SERVICE:PORT)"
  [[ $address != None ]] || die "front: the Service of $1 is headless, it has no address"
  echo "$address:${1##*:}"
}

front_unchanged() {
  [[ -s $RUN/fronts/$1 ]] && [[ $(cut -d' ' -f2 "$RUN/fronts/$1") == "$2" ]] && front_listens "$1"
}

front_listens() { [[ -e /proc/$(cut -d' ' -f1 "$RUN/fronts/$1") ]] && ! port_free "${1##*:}"; }

# front_close ends the listener by its inner process, which the outer one waits for.
front_close() {
  local pid child
  [[ -s $RUN/fronts/$1 ]] || return 0
  pid=$(cut -d' ' -f1 "$RUN/fronts/$1")
  if [[ $(cat "/proc/$pid/comm" 2>/dev/null) == nsenter ]]; then
    child=$(tr -d ' ' <"/proc/$pid/task/$pid/children")
    kill "$child" 2>/dev/null || true
    wait_for 5 test ! -e "/proc/$pid" || die "front: $1 does not close"
  fi
  rm -f "$RUN/fronts/$1"
}

fronts() {
  local file
  for file in "$RUN"/fronts/*; do
    [[ -e $file ]] || continue
    printf '%s -> %s\n' "$(basename "$file")" "$(cut -d' ' -f2 "$file")"
  done
}
