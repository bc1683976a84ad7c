# shellcheck shell=bash disable=SC2034 # used by the other files
# Where things are. What a user may set stands in the usage.

FLEET_CACHE=${FLEET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/movie-fleet}
CLUSTER=hack/cluster/cluster
KUBE_CONTEXT=${KUBE_CONTEXT:-}
NAMESPACE=movies
OPERATOR_NAMESPACE=movie-fleet-system
LOAD_RATE=${LOAD_RATE:-200}
LOAD_SECONDS=${LOAD_SECONDS:-180}
CANARY_SECONDS=${CANARY_SECONDS:-200}
EVENTS=${EVENTS:-1500000}
STREAM_RATE=${STREAM_RATE:-500}
STREAM_SECONDS=${STREAM_SECONDS:-90}
INGEST_FAULT=${INGEST_FAULT:-event=0.1}
BEGAN=$SECONDS
