# shellcheck shell=bash
# Messages to the person at the terminal.

say() { printf '%s\n' "$*" >&2; }

# die MESSAGE...: what is wrong, where, and how to put it right.
die() {
  say "cluster: $*"
  exit 1
}

# wait_for SECONDS COMMAND...: asks ten times a second until COMMAND succeeds. COMMAND is silent in a
# process of its own: an interrupt meanwhile must find this one able to speak.
wait_for() {
  local -i deadline=$((SECONDS + $1))
  shift
  until ("$@") >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}
