# shellcheck shell=bash
# The cluster that the demo runs on: the local one, or the user's own by KUBE_CONTEXT.

own_cluster() { [[ -n $KUBE_CONTEXT ]]; }

kubectl() {
  if own_cluster; then
    command kubectl --context "$KUBE_CONTEXT" "$@"
  else
    "$CLUSTER" kubectl "$@"
  fi
}

helm() {
  local helm
  helm=$(make --no-print-directory -s tool-helm)
  if own_cluster; then
    "$helm" --kube-context "$KUBE_CONTEXT" "$@"
  else
    "$helm" --kubeconfig "$("$CLUSTER" kubeconfig)" "$@"
  fi
}

# cluster_up: the local cluster with MariaDB and Consul beside it; or both as pods on the user's own.
cluster_up() {
  if own_cluster; then
    command -v kubectl >/dev/null || die "KUBE_CONTEXT is set, so kubectl must be on your PATH"
    kubectl get --raw /readyz >/dev/null || die "the API server of context $KUBE_CONTEXT does not answer"
    return
  fi
  [[ $EUID == 0 ]] || die "the local cluster needs root: run 'sudo make demo', or set KUBE_CONTEXT to use a cluster of yours"
  "$CLUSTER" setup
  "$CLUSTER" up --with jaeger
}

# images_up: the images are built here; they reach the local cluster by import, and yours by pull or by your own hand.
images_up() {
  make --no-print-directory -s test-images
  if own_cluster; then
    own_images
  else
    "$CLUSTER" load dist/test-images/*.tar
  fi
}

own_images() {
  case $KUBE_CONTEXT in
    kind-*) kind load image-archive --name "${KUBE_CONTEXT#kind-}" dist/test-images/*.tar ;;
    k3d-*) k3d image import --cluster "${KUBE_CONTEXT#k3d-}" dist/test-images/*.tar ;;
    minikube) local t && for t in dist/test-images/*.tar; do minikube image load "$t"; done ;;
    *) say "        The images are in dist/test-images; they must be on your nodes under their names (localhost/fleet/…)." ;;
  esac
}

# parts_up: the Secrets with the addresses of MariaDB and Consul; on your own cluster the parts themselves too.
parts_up() {
  if own_cluster; then
    kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
    PASSWORD=$(own_password) && sed "s/@PASSWORD@/$PASSWORD/g" hack/demo/parts.yaml | kubectl apply -n "$NAMESPACE" -f - >/dev/null
    kubectl -n "$NAMESPACE" rollout status deployment/mariadb deployment/consul deployment/jaeger --timeout=5m
  else
    "$CLUSTER" secrets "$NAMESPACE" movies >/dev/null
  fi
}

# own_password: the one that is in use, or a new one.
own_password() {
  kubectl -n "$NAMESPACE" get secret rating-mysql -o jsonpath='{.data.password}' 2>/dev/null | base64 -d | grep . ||
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# ports_free PORT...: what the demo will listen on must be free, or be the demo's own from last time; said before any work.
ports_free() {
  local port ours=''
  own_cluster || ours=$("$CLUSTER" front 2>/dev/null) || true # there is no cluster yet
  for port in "$@"; do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || continue
    [[ $ours != *":$port "* ]] || continue
    die "port $port on 127.0.0.1 is taken, and the demo needs it: end what listens there (ss -ltnp 'sport = :$port' names it)"
  done
}

# reach LISTEN NAMESPACE/SERVICE:PORT: an address on this machine for a Service object.
reach() {
  if own_cluster; then
    forward "$@"
  else
    "$CLUSTER" front "$1" "$2" >/dev/null
  fi
}

# forward: kubectl port-forward in the background, ended with this script.
forward() {
  local target=${2#*/}
  kubectl -n "${2%%/*}" port-forward "service/${target%:*}" "$1:${target#*:}" >/dev/null &
  FORWARDS+=($!)
  # shellcheck disable=SC2064 # the list as it is now
  trap "kill ${FORWARDS[*]} 2>/dev/null || true" EXIT
}
FORWARDS=()
