# shellcheck shell=bash
# Parts are what a company would have as managed services beside its cluster: here they run in the
# node's network namespace, on the node's address. One file each in parts/, which defines
#
#   NAME_up       starts it; returns when it has been started, not when it answers
#   NAME_ready    succeeds once it answers with the credentials that applications get
#   NAME_address  HOST:PORT for applications
#
# and may define NAME_prepare, which runs once it answers. `deps stop NAME` and `deps start NAME` take
# it away and bring it back; its data stays.

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

part_start() {
  node_running "$1" || "$1_up"
  wait_for 30 "$1_ready" || die "$1 does not answer; $LOGS/$1.log says: $(tail -n 3 "$LOGS/$1.log")"
  ! declare -F "$1_prepare" >/dev/null || "$1_prepare"
}

# parts_start starts all at once.
parts_start() {
  local part job jobs=()
  for part in $FLEET_PARTS; do
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
    printf '%-12s %-18s %s\n' "$part" "$("${part}_address")" "$(part_state "$part")"
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
