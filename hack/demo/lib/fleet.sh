# shellcheck shell=bash
# The operator and the fleet on the cluster.

operator_up() {
  helm upgrade --install movie-fleet charts/movie-fleet --namespace "$OPERATOR_NAMESPACE" --create-namespace \
    --set image.registry=localhost/fleet,image.tag=dev --wait --timeout 3m >/dev/null
}

# fleet_up: the sample MovieApp at v1, without what earlier stories left, and at once: nobody sends requests that a canary
# could be judged by.
fleet_up() {
  kubectl -n "$NAMESPACE" delete ratingingestor ratings --ignore-not-found >/dev/null
  kubectl apply -n "$NAMESPACE" -f config/samples/movieapp.yaml >/dev/null
  kubectl -n "$NAMESPACE" patch movieapp movies --type merge -p '{"spec": {"auth": null, "telemetry": null, "rollout": {"steps": []},
    "services": {"auth": null, "metadata": {"rollout": null, "env": null}}}}' >/dev/null
}

# by_steps: what comes next goes through a canary, as the sample says.
by_steps() {
  kubectl -n "$NAMESPACE" patch movieapp movies --type merge -p '{"spec": {"rollout": {"steps": [1, 5, 20, 50]}}}' >/dev/null
}

# release TAG: asks for another version of the whole application.
release() {
  step "kubectl patch movieapp movies: spec.image.tag = $1"
  kubectl -n "$NAMESPACE" patch movieapp movies --type merge -p "{\"spec\":{\"image\":{\"tag\":\"$1\"}}}" >/dev/null
}

# ready_at TAG: is the fleet Ready, seen at its newest spec, and that spec at TAG?
ready_at() {
  kubectl -n "$NAMESPACE" get movieapp movies -o json |
    jq -e --arg tag "$1" '.spec.image.tag == $tag and .status.observedGeneration == .metadata.generation and
      any(.status.conditions[]?; .type == "Ready" and .status == "True")' >/dev/null
}

# follow SECONDS COMMAND...: tells what each service says, whenever it says something new, until COMMAND succeeds.
follow() {
  local -i deadline=$((SECONDS + $1))
  local lines line
  local -A told=()
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    lines=$(kubectl -n "$NAMESPACE" get fleetservices -o json | jq -r '.items[] | .metadata.name + "\t" + (.status.phase // "Pending") + "\t" +
      (first(.status.conditions[]? | select(.type == "Ready") | .message) // "")') || lines=
    while IFS= read -r line; do
      [[ -z $line || -n ${told[$line]:-} ]] && continue
      told[$line]=1
      step "$(awk -F'\t' '{printf "%-16s %-10s %s", $1, $2, $3}' <<<"$line")"
    done <<<"$lines"
    sleep 0.5
  done
}

fleet_status() {
  kubectl -n "$NAMESPACE" get movieapps,fleetservices | sed 's/^/        /'
}

# load_start NAME VIA [SECONDS]: a Job that asks movie for details, LOAD_RATE a second for LOAD_SECONDS.
load_start() {
  kubectl -n "$NAMESPACE" delete job "$1" --ignore-not-found --wait >/dev/null
  sed -e "s/@NAME@/$1/; s/@RATE@/$LOAD_RATE/; s/@SECONDS@/${3:-$LOAD_SECONDS}/; s|@TARGET@|$(load_target "$2")|" hack/demo/load.yaml |
    kubectl -n "$NAMESPACE" apply -f - >/dev/null
}

load_target() {
  case $1 in
    consul) echo "consul:///$NAMESPACE-movies-movie" ;;
    service) echo "dns:///movies-movie.$NAMESPACE.svc.cluster.local:8083" ;;
    *) die "load goes through consul or service, not '$1'" ;;
  esac
}

# load_running NAME: has it begun to send?
load_running() {
  [[ $(kubectl -n "$NAMESPACE" get job "$1" -o jsonpath='{.status.ready}') == 1 ]]
}

load_ended() {
  kubectl -n "$NAMESPACE" get job "$1" -o json | jq -e 'any(.status.conditions[]?; (.type == "Complete" or .type == "Failed") and .status == "True")' >/dev/null
}

# load_report NAME: the table it printed; fails when a request failed.
load_report() {
  kubectl -n "$NAMESPACE" logs "job/$1" | grep -v '^{' | sed 's/^/        /'
  kubectl -n "$NAMESPACE" get job "$1" -o json | jq -e 'any(.status.conditions[]?; .type == "Complete" and .status == "True")' >/dev/null
}

# wait_until SECONDS COMMAND...: without a word.
wait_until() {
  local -i deadline=$((SECONDS + $1))
  shift
  until "$@" 2>/dev/null; do
    ((SECONDS < deadline)) || return 1
    sleep 0.3
  done
}
