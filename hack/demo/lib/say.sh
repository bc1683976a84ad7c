# shellcheck shell=bash
# Messages to the person who watches.

say() { printf '%s\n' "$@"; }

# title TEXT: a new part of a story.
title() { printf '\n── %s\n' "$*"; }

# step TEXT: what is done next, with the time since the start.
step() { printf '%4d s  %s\n' $((SECONDS - BEGAN)) "$*"; }

die() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}

# took SINCE: the time since, in words.
took() {
  local -i t=$((SECONDS - $1))
  if ((t >= 60)); then printf '%d min %d s' $((t / 60)) $((t % 60)); else printf '%d s' "$t"; fi
}

# shown COMMAND...: prints a command as a user would type it, then runs it.
shown() {
  printf '        $ %s\n' "$*"
  "$@" | sed 's/^/          /'
}
