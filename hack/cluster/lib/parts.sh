# shellcheck shell=bash
# Parts are what a company would have as managed services with its cluster: here they run in the node's
# network namespace, on the node's address. One file each in parts/, which defines
#
#   NAME_up       starts it; returns when it has been started, not when it answers
#   NAME_ready    succeeds once it answers with the credentials that applications get
#   NAME_address  HOST:PORT for applications
#
# and may define
#
#   NAME_prepare  runs once it answers
#   NAME_apply    applies the Kubernetes objects that belong to it, before it starts; a part that has some
#                 starts after the API server, the others beside it
#   NAME_hint     prints a line of the status, on how it is reached
#
# `deps stop NAME` and `deps start NAME` take it away and bring it back; its data and objects stay.

load_parts() {
  local part
  for part in $FLEET_PARTS; do
    [[ -r $CLUSTER_HOME/parts/$part.sh ]] || die "FLEET_PARTS: there is no part '$part', only: $(known_parts)"
    # shellcheck source=/dev/null
    . "$CLUSTER_HOME/parts/$part.sh"
  done
}

known_parts() {
  local file
  for file in "$CLUSTER_HOME"/parts/*.sh; do basename "$file" .sh; done | paste -sd' '
}

require_part() {
  [[ " $FLEET_PARTS " == *" ${1:-} "* ]] || die "there is no part '${1:-}', only: $FLEET_PARTS"
}

# add_parts [--with PART]...: asks for more parts than the cluster is said to have.
add_parts() {
  while (($# > 0)); do
    [[ $1 == --with && ${2:-} ]] || die "want --with PART, one of: $(known_parts)"
    [[ " $FLEET_PARTS " == *" $2 "* ]] || FLEET_PARTS="${FLEET_PARTS:+$FLEET_PARTS }$2"
    shift 2
  done
  load_parts
}

part_start() {
  if ! node_running "$1"; then
    ! part_has "$1" apply || "$1_apply" >>"$LOGS/$1.log" 2>&1 ||
      die "$1: its Kubernetes objects could not be applied; $LOGS/$1.log says: $(tail -n 3 "$LOGS/$1.log")"
    "$1_up"
  fi
  wait_for 60 part_settled "$1" || true
  wait_for 1 "$1_ready" || die "$1 does not answer; $LOGS/$1.log says: $(tail -n 3 "$LOGS/$1.log")"
  ! part_has "$1" prepare || "$1_prepare"
}

part_settled() { ! node_running "$1" || "$1_ready"; }

part_has() { declare -F "$1_$2" >/dev/null; }

# parts_beside and parts_within print the parts that can do without the API server, and those that cannot.
parts_beside() { for part in $FLEET_PARTS; do part_has "$part" apply || echo "$part"; done; }
parts_within() { for part in $FLEET_PARTS; do ! part_has "$part" apply || echo "$part"; done; }

# parts_start PART... starts these all at once.
parts_start() {
  local part job jobs=()
  for part in "$@"; do
    part_start "$part" &
    jobs+=($!)
  done
  for job in ${jobs[@]+"${jobs[@]}"}; do wait "$job" || return 1; done
}

part_state() {
  if ! node_running "$1"; then
    echo stopped
  elif "$1_ready" >/dev/null 2>&1; then
    echo ready
  else
    echo "not answering (see $LOGS/$1.log)"
  fi
}

parts_status() {
  local part
  for part in ${1:-$FLEET_PARTS}; do
    printf '%-15s %-18s %s\n' "$part" "$("${part}_address")" "$(part_state "$part")"
  done
}

parts_hints() {
  local part
  for part in $FLEET_PARTS; do
    ! part_has "$part" hint || "${part}_hint"
  done
}

# credential NAME: a password or token, made up on first use and kept with the cluster.
credential() {
  local file=$STATE/credentials/$1
  [[ -s $file ]] || (umask 077 && mkdir -p "$STATE/credentials" && openssl rand -hex 16 >"$file.new" && mv "$file.new" "$file")
  cat "$file"
}

# uuid NAME: the same in the form that Consul wants.
uuid() { credential "$1" | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12})$/\1-\2-\3-\4-\5/'; }

# own_directory makes a directory for a part that runs as an unprivileged user, by AS_NOBODY.
own_directory() { in_node install -d -m 0700 -o nobody -g nogroup "$1"; }
# shellcheck disable=SC2034 # used by the parts
AS_NOBODY=(setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs --)

# part_identity NAME: a client certificate of the API server's for a part, in $PKI/NAME.kubeconfig.
part_identity() { [[ -e $PKI/$1.kubeconfig ]] || (umask 077 && cd "$PKI" && identity "$1" "/CN=$1"); }

# for_nobody FILE...: gives a part its own copies, in /run inside the node.
for_nobody() {
  local file
  for file in "$@"; do
    in_node install -m 0400 -o nobody -g nogroup /dev/stdin "/run/${file##*/}" <"$file"
  done
}
