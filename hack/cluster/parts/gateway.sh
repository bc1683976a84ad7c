# shellcheck shell=bash
# Traefik as the way in for callers outside the fleet, told what to do by the Gateway API. Routes attach to
# the Gateway edge in namespace edge, from any namespace.

EDGE_IP=10.96.0.80 # of the Service edge/edge, which leads here

gateway_address() { echo "$EDGE_IP:80"; }

gateway_hint() {
  printf '%-15s %s\n' Gateway "edge/edge; to reach it from this machine: hack/cluster/cluster front 8080 edge/edge:80"
}

gateway_apply() {
  part_identity traefik &&
    kubectl apply --server-side --force-conflicts -f "$BIN/gateway-api.yaml" && # too large for an annotation
    kubectl wait --for=condition=Established --timeout=10s -f "$BIN/gateway-api.yaml" &&
    sed -e "s#@NODE_IP@#$NODE_IP#" -e "s#@EDGE_IP@#$EDGE_IP#" "$CLUSTER_HOME/manifests/gateway.yaml" | kubectl apply -f -
}

# Traefik would hold a change back for up to two seconds after another one: here it acts at once.
gateway_up() {
  for_nobody "$PKI/traefik.kubeconfig"
  in_node sysctl -qw net.ipv4.ip_unprivileged_port_start=80 # of the node's own network
  node_start gateway env HOME=/nonexistent KUBECONFIG=/run/traefik.kubeconfig "${AS_NOBODY[@]}" traefik --global.checknewversion=false --global.sendanonymoususage=false \
    --log.level=WARN --log.nocolor --entrypoints.http.address="$NODE_IP:80" \
    --entrypoints.admin.address="$NODE_IP:8079" --ping.entrypoint=admin --metrics.prometheus.entrypoint=admin \
    --providers.providersthrottleduration=100ms \
    --providers.kubernetesgateway --providers.kubernetesgateway.statusaddress.ip="$EDGE_IP"
}

# gateway_ready: Traefik lives, and it has taken the Gateway on.
gateway_ready() {
  in_node bash -c "exec 3<>/dev/tcp/$NODE_IP/80" &&
    kubectl wait -n edge gateway/edge --for=condition=Programmed --timeout=1s
}
