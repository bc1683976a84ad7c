#!/bin/bash
# Starts the node: joins its cgroup, then makes its namespaces and becomes their first process's parent.
# The cgroup namespace comes first and by itself: its root is the group the process is in at that
# moment, and under cgroup version 2 the process must then move on into a child of that root.
set -euo pipefail
while read -r _ dir; do echo $$ >"$dir/cgroup.procs"; done <"$RUN/cgroups"
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --cgroup bash -euo pipefail -c '
  . "$CLUSTER_HOME/lib/cgroup.sh"
  cgroup_join
  while read -r version dir; do
    [[ $version != v2 ]] || delegate_controllers "$dir"
  done <"$RUN/cgroups"
  exec unshare --mount --propagation private --net --pid --ipc --uts --fork --kill-child --mount-proc \
    -- "$CLUSTER_HOME/node/init.sh" "$CLUSTER"
' "$CLUSTER" # by which 'down' knows it
