# shellcheck shell=bash
# Consul, one server with access control: applications write with a token, anybody on the node's
# network may read, so that the page can be looked at without a login.

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

# consul_prepare writes what each may do, on the first start only. The application's token comes last:
# where it is, everything is.
consul_prepare() {
  local manager fleet view='node_prefix "" {policy = "read"} agent_prefix "" {policy = "read"}'
  manager=$(uuid consul-management) fleet=$(uuid consul-fleet)
  ! consul_with "$fleet" acl token read -self >/dev/null 2>&1 || return 0
  consul_policy "$manager" view "service_prefix \"\" {policy = \"read\"} $view"
  consul_policy "$manager" fleet "service_prefix \"\" {policy = \"write\"} $view"
  consul_with "$manager" acl token update -id anonymous -policy-name view >/dev/null
  consul_with "$manager" acl token create -description 'Services and operator' -policy-name fleet -secret "$fleet" >/dev/null
}

consul_policy() {
  consul_with "$1" acl policy read -name "$2" >/dev/null 2>&1 ||
    consul_with "$1" acl policy create -name "$2" -rules "$3" >/dev/null
}

consul_hint() { printf '%-15s %s\n' "Consul page" "http://127.0.0.1:$(port_of consul)/ui"; }
