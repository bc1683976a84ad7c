# shellcheck shell=bash
# metrics-server: what the pods use, for autoscalers and `kubectl top`. It reads the kubelet every ten
# seconds, the least that it accepts.

metrics-server_address() { echo "$NODE_IP:4443"; }

metrics-server_apply() {
  part_identity metrics-server && metrics-server_certificate &&
    sed -e "s#@NODE_IP@#$NODE_IP#" -e "s#@CA@#$(base64 -w0 "$PKI/ca.crt")#" \
      "$CLUSTER_HOME/manifests/metrics-server.yaml" | kubectl apply -f - &&
    wait_for 10 metrics-server_allowed
}

# metrics-server_allowed: it ends for good if it may not read this when it starts.
metrics-server_allowed() {
  kubectl auth can-i get configmaps/extension-apiserver-authentication -n kube-system --as=metrics-server
}

metrics-server_certificate() {
  [[ -e $PKI/metrics-server-serving.crt ]] || (umask 077 && cd "$PKI" &&
    certificate metrics-server-serving /CN=metrics-server ca serverAuth DNS:metrics-server.kube-system.svc)
}

metrics-server_up() {
  local own=/run/metrics-server.kubeconfig
  for_nobody "$PKI"/{metrics-server.kubeconfig,metrics-server-serving.crt,metrics-server-serving.key,ca.crt}
  node_start metrics-server "${AS_NOBODY[@]}" metrics-server --kubeconfig="$own" \
    --authentication-kubeconfig="$own" --authorization-kubeconfig="$own" \
    --bind-address="$NODE_IP" --secure-port=4443 --metric-resolution=10s --kubelet-request-timeout=5s \
    --tls-cert-file=/run/metrics-server-serving.crt \
    --tls-private-key-file=/run/metrics-server-serving.key \
    --kubelet-certificate-authority=/run/ca.crt --kubelet-preferred-address-types=InternalIP
}

# metrics-server_ready is true once figures of the node come through the API server. A node that has just
# booted is measured after two looks.
metrics-server_ready() { kubectl top node "$NODE"; }
