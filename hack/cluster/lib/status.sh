# shellcheck shell=bash
# What a person wants to know about the cluster.

status() {
  local name
  node_alive || { say "No cluster is up in $STATE: run 'make cluster-up'."; return 1; }
  wait_for 10 api_ready || die "the cluster is up but its API server does not answer: run 'make cluster-up', it starts it again"
  kubectl get nodes --no-headers | awk '{printf "node            %-18s %s, Kubernetes %s\n", $1, $2, $NF}'
  printf '%-15s %-18s %s\n' pods "$(pods_ready)" "$(pods_trouble)"
  kubernetes_stopped | while read -r name; do
    echo "$name has stopped, see $LOGS/$name.log: 'make cluster-up' starts the cluster again"
  done
  parts_status
  parts_hints
  printf '\nexport KUBECONFIG=%s\n' "$KUBECONFIG_HOST"
  type -P kubectl >/dev/null || echo "export PATH=\$PATH:$BIN   # has kubectl"
}

pods_ready() {
  kubectl get pods -A --no-headers 2>/dev/null |
    awk '{split($3, r, "/"); if ($4 == "Completed") next; n++; if (r[1] == r[2]) ok++} END {printf "%d of %d ready", ok, n}'
}

pods_trouble() {
  kubectl get pods -A --no-headers 2>/dev/null |
    awk '{split($3, r, "/"); if (r[1] != r[2] && $4 != "Completed") printf "%s%s/%s %s", s, $1, $2, $4; s = ", "}'
}
