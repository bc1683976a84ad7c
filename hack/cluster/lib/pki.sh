# shellcheck shell=bash
# Keys, certificates and kubeconfigs of the cluster, made once for each state directory.

pki_create() {
  [[ ! -e $PKI/complete ]] || return 0
  rm -rf "$PKI"
  (umask 077 && mkdir -p "$PKI" && cd "$PKI" && pki_write) || die "openssl could not make the cluster's certificates in $PKI"
  touch "$PKI/complete"
}

pki_write() {
  authority ca
  authority front-proxy-ca
  openssl genrsa -out sa.key 2048 2>/dev/null
  openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
  local names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
  names+=,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:$NODE_IP
  certificate apiserver /CN=kube-apiserver ca serverAuth "$names"
  certificate kubelet-serving "/O=system:nodes/CN=system:node:$NODE" ca serverAuth "DNS:$NODE,IP:$NODE_IP"
  certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client ca clientAuth
  certificate front-proxy-client /CN=front-proxy-client front-proxy-ca clientAuth
  identity admin /O=system:masters/CN=admin
  identity kube-controller-manager /CN=system:kube-controller-manager
  identity kube-scheduler /CN=system:kube-scheduler
  identity kube-proxy /CN=system:kube-proxy
  identity kubelet "/O=system:nodes/CN=system:node:$NODE"
}

private_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

authority() {
  private_key "$1"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$1" -days 3650 -out "$1.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature
}

# certificate NAME SUBJECT AUTHORITY USAGE [ALTERNATIVE-NAMES]. A certificate that is there is whole; several may be
# made at once.
certificate() {
  private_key "$1" &&
    printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n%s' "$4" "${5:+subjectAltName=$5}" >"$1.ext" &&
    openssl req -new -key "$1.key" -subj "$2" |
    openssl x509 -req -CA "$3.crt" -CAkey "$3.key" -set_serial "0x$(openssl rand -hex 16)" -days 3650 \
      -extfile "$1.ext" -out "$1.crt.new" 2>/dev/null &&
    rm "$1.ext" && mv "$1.crt.new" "$1.crt"
}

# identity NAME SUBJECT: a client certificate in a kubeconfig for use inside the node.
identity() {
  certificate "$1" "$2" ca clientAuth &&
    kubeconfig_for "$1" "https://$NODE_IP:6443" >"$1.kubeconfig.new" &&
    mv "$1.kubeconfig.new" "$1.kubeconfig"
}

kubeconfig_for() {
  cat <<EOF
apiVersion: v1
kind: Config
clusters: [{name: fleet, cluster: {server: "$2", certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$PKI/$1.crt"), client-key-data: $(base64 -w0 "$PKI/$1.key")}}]
contexts: [{name: fleet, context: {cluster: fleet, user: $1}}]
current-context: fleet
EOF
}
