# shellcheck shell=bash disable=SC2034 # used by the other files
# Where things are and what they are called. Everything a user may set begins with FLEET_.

FLEET_CACHE=${FLEET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/movie-fleet}
STATE=$(realpath -m "${FLEET_CLUSTER_DIR:-$CHECKOUT/.cluster}")
RUN=$STATE/run
LOGS=$STATE/log
DATA=$STATE/data
BIN=$STATE/bin
PKI=$STATE/pki
KUBECONFIG_HOST=$STATE/kubeconfig

# One name a state directory: clusters beside each other share nothing.
CLUSTER=fleet-$(sha256sum <<<"$STATE" | cut -c1-8)
NODE=fleet

# Addresses inside the cluster's own network namespace; the host never sees them.
NODE_IP=10.89.0.2
POD_CIDR=10.88.0.0/16
SERVICE_CIDR=10.96.0.0/16
DNS_IP=10.96.0.10

# The parts that run beside Kubernetes, the services that get a database of their own, and those that get
# a token of Consul and a user of Kafka. A cluster remembers what it was started with.
if [[ -r $STATE/settings ]]; then
  # shellcheck source=/dev/null
  . "$STATE/settings"
fi
FLEET_PARTS=${FLEET_PARTS-mariadb consul}
FLEET_DATABASES=${FLEET_DATABASES:-metadata rating auth}
FLEET_SERVICES=${FLEET_SERVICES:-metadata rating movie auth}

save_settings() {
  printf "%s=\${%s-'%s'}\n" FLEET_PARTS FLEET_PARTS "$FLEET_PARTS" \
    FLEET_DATABASES FLEET_DATABASES "$FLEET_DATABASES" FLEET_SERVICES FLEET_SERVICES "$FLEET_SERVICES" >"$STATE/settings"
}
