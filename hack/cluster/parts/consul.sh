# shellcheck shell=bash
# Consul, one server with access control: each service writes under its own name with a token of its own, and the
# operator with another; anybody on the node's network may read, so that the page can be looked at without a login.

consul_address() { echo "$NODE_IP:8500"; }

consul_up() {
  own_directory /var/lib/consul
  consul_config | in_node install -m 0400 -o nobody -g nogroup /dev/stdin /run/consul.json
  node_start consul "${AS_NOBODY[@]}" consul agent -config-file=/run/consul.json
}

consul_config() {
  cat <<EOF
{
  "server": true, "bootstrap_expect": 1, "node_name": "consul", "datacenter": "dc1",
  "data_dir": "/var/lib/consul", "bind_addr": "$NODE_IP", "client_addr": "$NODE_IP", "log_level": "warn",
  "ports": {"dns": -1, "grpc": -1, "grpc_tls": -1, "serf_wan": -1},
  "ui_config": {"enabled": true}, "connect": {"enabled": true},
  "performance": {"raft_multiplier": 1}, "leave_on_terminate": false, "disable_update_check": true,
  "acl": {"enabled": true, "default_policy": "deny", "tokens": {"initial_management": "$(uuid consul-management)"}}
}
EOF
}

# consul_ready is true once a leader is chosen and the management token acts.
consul_ready() { consul_with "$(uuid consul-management)" catalog services; }

# consul_with TOKEN COMMAND...: the Consul command line inside the node.
consul_with() { in_node env CONSUL_HTTP_ADDR="http://$NODE_IP:8500" CONSUL_HTTP_TOKEN="$1" consul "${@:2}"; }

# consul_prepare lets anybody look.
consul_prepare() {
  consul_policy view "$(<"$CLUSTER_HOME/policies/consul-view.hcl")"
  consul_as_manager acl token update -id anonymous -policy-name view >/dev/null
}

consul_as_manager() { consul_with "$(uuid consul-management)" "$@"; }

# consul_grant NAME RULES: makes the token called NAME, whose policy of the same name has these rules, and prints it.
consul_grant() {
  local token
  token=$(uuid "consul-$1")
  consul_policy "$1" "$2"
  consul_with "$token" acl token read -self >/dev/null 2>&1 ||
    consul_as_manager acl token create -description "$1" -policy-name "$1" -secret "$token" >/dev/null
  echo "$token"
}

consul_policy() {
  consul_as_manager acl policy update -name "$1" -rules "$2" >/dev/null 2>&1 ||
    consul_as_manager acl policy create -name "$1" -rules "$2" >/dev/null
}

consul_hint() { printf '%-15s %s\n' "Consul page" "http://127.0.0.1:$(port_of consul)/ui"; }
