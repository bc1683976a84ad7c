# shellcheck shell=bash
# Kubernetes itself: what each component is told, and when it may start.

kubectl() { "$BIN/kubectl" --kubeconfig "$KUBECONFIG_HOST" "$@"; }

start_containerd() {
  write_container_network
  write_containerd_config
  node_start containerd containerd --config "$RUN/containerd.toml"
}

write_container_network() {
  mkdir -p "$RUN/cni"
  cat >"$RUN/cni/10-fleet.conflist" <<EOF
{"cniVersion": "1.0.0", "name": "fleet", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam",
            "ranges": [[{"subnet": "$POD_CIDR"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
EOF
}

# No OOM score is lowered and no AppArmor profile loaded: both need rights that a container may lack.
write_containerd_config() {
  cat >"$RUN/containerd.toml" <<EOF
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "$PAUSE_IMAGE"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
      BinaryName = "$BIN/runc"
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["$BIN"]
    conf_dir = "$RUN/cni"
EOF
}

# etcd does not wait for the disk: a development cluster may lose its last second in a power cut.
start_etcd() {
  node_start etcd etcd --name default --data-dir /var/lib/etcd --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380
}

start_apiserver() {
  node_start kube-apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 \
    --bind-address="$NODE_IP" --advertise-address="$NODE_IP" --secure-port=6443 \
    --service-cluster-ip-range="$SERVICE_CIDR" --allow-privileged=true \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --kubelet-client-certificate="$PKI/kubelet-client.crt" --kubelet-client-key="$PKI/kubelet-client.key" \
    --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
    --requestheader-client-ca-file="$PKI/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$PKI/front-proxy-client.crt" --proxy-client-key-file="$PKI/front-proxy-client.key"
}

api_ready() { [[ $(kubectl get --raw /readyz --request-timeout=2s) == ok ]]; }

# A start is a burst of requests that the usual limits would stretch over seconds.
API_RATE=(--kube-api-qps=200 --kube-api-burst=400)

# start_controllers comes after the API server is ready: the controller manager ends for good if it
# meets one that has not made its own roles yet.
start_controllers() {
  local own=$PKI/kube-controller-manager.kubeconfig
  node_start kube-controller-manager kube-controller-manager --kubeconfig="$own" \
    --authentication-kubeconfig="$own" --authorization-kubeconfig="$own" \
    --bind-address=127.0.0.1 --leader-elect=false --use-service-account-credentials=true "${API_RATE[@]}" \
    --root-ca-file="$PKI/ca.crt" --service-account-private-key-file="$PKI/sa.key" \
    --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key"
  own=$PKI/kube-scheduler.kubeconfig
  node_start kube-scheduler kube-scheduler --kubeconfig="$own" \
    --authentication-kubeconfig="$own" --authorization-kubeconfig="$own" \
    --bind-address=127.0.0.1 --leader-elect=false "${API_RATE[@]}"
}

start_kubelet() {
  write_kubelet_config
  node_start kubelet kubelet --config="$RUN/kubelet.yaml" --kubeconfig="$PKI/kubelet.kubeconfig" \
    --hostname-override="$NODE" --node-ip="$NODE_IP"
}

write_kubelet_config() {
  : >"$RUN/resolv.conf" # what CoreDNS gets: there is no name server outside
  cat >"$RUN/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $PKI/kubelet-serving.crt
tlsPrivateKeyFile: $PKI/kubelet-serving.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
resolvConf: $RUN/resolv.conf
maxOpenFiles: $(ulimit -Hn | sed 's/unlimited/1000000/')
maxPods: 250
nodeLeaseDurationSeconds: 20 # renewed four times in that: a start waits for the next one
oomScoreAdj: 0
serializeImagePulls: false
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
EOF
}

# Connection tracking settings of 0 leave the machine's own alone.
start_kube_proxy() {
  cat >"$RUN/kube-proxy.yaml" <<EOF
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: $POD_CIDR
clientConnection: {kubeconfig: $PKI/kube-proxy.kubeconfig}
hostnameOverride: $NODE
nodePortAddresses: [primary]
oomScoreAdj: 0
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
EOF
  node_start kube-proxy kube-proxy --config="$RUN/kube-proxy.yaml"
}

# node_lease changes each time the kubelet reports.
node_lease() {
  kubectl get lease -n kube-node-lease "$NODE" -o jsonpath='{.spec.renewTime}' 2>/dev/null || true
}

# node_ready_since LEASE: after a warm start "Ready" may be yesterday's, as long as the lease is. A node
# that had no lease is new, and its state is too.
node_ready_since() {
  [[ -z $1 || $(node_lease) != "$1" ]] &&
    kubectl get node "$NODE" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' | grep -q True
}

start_dns() {
  sed -e "s#@IMAGE@#$COREDNS_IMAGE#" -e "s#@IP@#$DNS_IP#" "$CLUSTER_HOME/manifests/coredns.yaml" |
    kubectl apply -f - >/dev/null
  printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$DNS_IP" | in_node tee /run/resolv.conf >/dev/null
}

# dns_ready asks for a name: after a warm start the pod's state may be yesterday's.
dns_ready() { in_node getent hosts kubernetes.default.svc.cluster.local; }

# pods_renewed BOOT succeeds when no container claims to run since before BOOT.
pods_renewed() {
  kubectl get pods -A -o json |
    jq -e --arg boot "$1" '[.items[].status.containerStatuses[]?.state.running.startedAt | select(. and . < $boot)] == []'
}

# kubernetes_stopped prints the components that have ended: nothing starts them again by itself.
kubernetes_stopped() {
  local name
  for name in containerd etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy; do
    node_running "$name" || echo "$name"
  done
}

# namespace_usable NAMESPACE: pods are refused until the namespace's service account is there.
namespace_usable() { kubectl get serviceaccount default -n "$1"; }
