# shellcheck shell=bash
# Jaeger, all in one and in memory: takes spans by OTLP, and gives them out by its query API. It has no login.

JAEGER_QUERY_PORT=16686

# jaeger_address is where services send their spans.
jaeger_address() { echo "$NODE_IP:4317"; }

jaeger_up() {
  node_start jaeger env HOME=/nonexistent SPAN_STORAGE_TYPE=memory "${AS_NOBODY[@]}" jaeger --log-level=warn \
    --memory.max-traces=20000 --collector.otlp.grpc.host-port="$(jaeger_address)" \
    --query.http-server.host-port="$NODE_IP:$JAEGER_QUERY_PORT" --admin.http.host-port="$NODE_IP:14269"
}

jaeger_ready() {
  in_node bash -c "exec 3<>/dev/tcp/$NODE_IP/4317" && in_node curl -sf -o /dev/null --max-time 2 "http://$NODE_IP:$JAEGER_QUERY_PORT/api/services"
}

jaeger_hint() {
  printf '%-15s %s\n' "Jaeger's API" "to reach it from this machine: hack/cluster/cluster front $JAEGER_QUERY_PORT $NODE_IP:$JAEGER_QUERY_PORT"
}
