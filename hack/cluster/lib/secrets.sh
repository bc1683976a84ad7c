# shellcheck shell=bash
# Service Binding Secrets: how applications in the cluster learn of the parts beside it.

# apply_secrets [NAMESPACE [APP]]
apply_secrets() {
  local namespace=${1:-movies} app=${2:-movies} name
  require_node
  [[ " $FLEET_PARTS " != *" consul "* ]] || consul_ready >/dev/null 2>&1 ||
    die "Consul does not answer, and gives each service a token: hack/cluster/cluster deps start consul"
  kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace" >/dev/null
  {
    [[ " $FLEET_PARTS " != *" consul "* ]] || consul_secrets "$namespace" "$app"
    [[ " $FLEET_PARTS " != *" mariadb "* ]] || for name in $FLEET_DATABASES; do mysql_secret "$name"; done
    [[ " $FLEET_PARTS " != *" kafka "* ]] || for name in $(kafka_users); do kafka_secret "$name"; done
  } | kubectl apply -n "$namespace" -f -
  wait_for 20 namespace_usable "$namespace" ||
    die "namespace $namespace has no service account after 20 s; see $LOGS/kube-controller-manager.log"
}

# consul_secrets NAMESPACE APP: APP-consul for callers, who may look; APP-consul-admin for the operator; and
# APP-SERVICE-consul for each service, which Consul knows as NAMESPACE-APP-SERVICE.
consul_secrets() {
  local service name token rules=$CLUSTER_HOME/policies
  token=$(consul_grant view "$(<"$rules/consul-view.hcl")")
  consul_secret "$2-consul" "$token"
  token=$(consul_grant "operator-$1" "$(sed "s/@NAMESPACE@/$1/" "$rules/consul-operator.hcl")")
  consul_secret "$2-consul-admin" "$token"
  for service in $FLEET_SERVICES; do
    name=$1-$2-$service
    token=$(consul_grant "$name" "$(sed "s/@NAME@/$name/" "$rules/consul-service.hcl")")
    consul_secret "$2-$service-consul" "$token"
  done
}

# consul_secret NAME TOKEN
consul_secret() {
  secret "$1" consul <<EOF
  scheme: http
  host: "$NODE_IP"
  port: "8500"
  token: "$2"
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
