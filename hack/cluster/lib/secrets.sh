# shellcheck shell=bash
# Service Binding Secrets: how applications in the cluster learn of the parts beside it.

# apply_secrets [NAMESPACE [APP]]
apply_secrets() {
  local namespace=${1:-movies} app=${2:-movies} name
  require_node
  kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace" >/dev/null
  {
    [[ " $FLEET_PARTS " != *" consul "* ]] || consul_secret "$app-consul"
    [[ " $FLEET_PARTS " != *" mariadb "* ]] || for name in $FLEET_DATABASES; do mysql_secret "$name"; done
    [[ " $FLEET_PARTS " != *" kafka "* ]] || for name in $(kafka_users); do kafka_secret "$name"; done
  } | kubectl apply -n "$namespace" -f -
  wait_for 20 namespace_usable "$namespace" ||
    die "namespace $namespace has no service account after 20 s; see $LOGS/kube-controller-manager.log"
}

consul_secret() {
  secret "$1" consul <<EOF
  scheme: http
  host: "$NODE_IP"
  port: "8500"
  token: "$(uuid consul-fleet)"
EOF
}

kafka_secret() {
  secret "$1-kafka" kafka <<EOF
  bootstrap-servers: "$(kafka_address)"
  security.protocol: SASL_PLAINTEXT
  sasl.mechanism: SCRAM-SHA-512
  username: $1
  password: "$(credential "kafka-$1")"
EOF
}

mysql_secret() {
  secret "$1-mysql" mysql <<EOF
  host: "$NODE_IP"
  port: "3306"
  username: $1
  password: "$(credential "mariadb-$1")"
  database: $1
EOF
}

# secret NAME TYPE: the entries come on standard input.
secret() {
  cat <<EOF
---
apiVersion: v1
kind: Secret
metadata: {name: $1}
type: servicebinding.io/$2
stringData:
  type: $2
$(cat)
EOF
}
