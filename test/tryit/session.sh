#!/usr/bin/env bash
# session
#
# The beginning of the script that a test makes of a document. It is the first process of a network and a process
# namespace of its own: ports are free, nothing is reached outside, and its end ends all that it started.
set -euo pipefail
ip link set lo up

server=''
log=$SERVER_LOG # of what it starts

# serve PATTERN COMMAND: what the document starts in a terminal of its own, instead of what it started there before. It
# has begun when it prints the pattern.
serve() {
	end_server
	: >"$log"
	setsid bash -c "$2" >>"$log" 2>&1 &
	server=$!
	until grep -q "$1" "$log"; do
		kill -0 "$server" 2>/dev/null || { echo "this ended: $2" >&2; cat "$log" >&2; exit 1; }
		sleep 0.1
	done
}

end_server() {
	[[ -n $server ]] || return 0
	kill -TERM -- "-$server"
	wait "$server" || true
	server=''
}
