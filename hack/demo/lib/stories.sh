# shellcheck shell=bash
# The stories: each can be told alone once the fleet is up.

up() {
  ports_free 8081 8082 8083 8183
  title "A real Kubernetes, MariaDB and Consul; the operator; the fleet"
  cluster_up
  step "the cluster is up; images follow (built once)"
  images_up
  step "installing the operator: helm install movie-fleet charts/movie-fleet"
  operator_up
  parts_up
  step "kubectl apply -f config/samples/movieapp.yaml"
  fleet_up
  follow 300 ready_at v1 || die "the fleet is not Ready after 5 minutes: kubectl -n $NAMESPACE describe fleetservices"
  by_steps
  step "the fleet serves"
  fleet_status
  reach_fleet
}

reach_fleet() {
  reach 8081 "$NAMESPACE/movies-metadata:8081"
  reach 8082 "$NAMESPACE/movies-rating:8082"
  reach 8083 "$NAMESPACE/movies-movie:8083"
  reach 8183 "$NAMESPACE/movies-movie:8183"
}

seed() {
  title "A dozen movies, and one of them back: by gRPC, then by REST"
  [[ -z $(kubectl -n "$NAMESPACE" get movieapp movies -o jsonpath='{.spec.auth}') ]] ||
    die "the fleet asks for tokens now, and seeding rates for others: 'make demo-up' takes that back"
  reach_fleet
  wait_until 20 curl -sf -o /dev/null --max-time 2 -w '' "http://127.0.0.1:8183/v1/movies/none" || true
  go run ./hack/seed | sed 's/^/        /'
  shown curl -sS --max-time 10 http://127.0.0.1:8183/v1/movies/seven-samurai
  say ""
}

rollout() {
  title "v2, under $LOAD_RATE requests a second through Consul and as many through the Service object"
  load_start load-consul consul
  load_start load-service service
  wait_until 60 load_running load-consul || die "the load does not start: kubectl -n $NAMESPACE describe job load-consul"
  wait_until 60 load_running load-service || die "the load does not start: kubectl -n $NAMESPACE describe job load-service"
  release v2
  follow 400 ready_at v2 || die "v2 is not out after 7 minutes: kubectl -n $NAMESPACE describe fleetservices"
  step "v2 serves"
  wait_until $((LOAD_SECONDS + 60)) load_ended load-consul || die "the load does not end"
  wait_until 60 load_ended load-service || die "the load does not end"
  local failed=0
  say "" "        Callers through Consul:"
  load_report load-consul || failed=1
  say "" "        Callers through the Service object:"
  load_report load-service || failed=1
  ((failed == 0)) || die "requests failed during the rollout"
  fleet_status
}

broken() {
  title "A release that dies two seconds after its start"
  release broken
  follow 120 taken_back || die "the broken release was not taken back: kubectl -n $NAMESPACE describe fleetservices"
  step "taken back; the old revision served all the time"
  fleet_status
  say "" "        Why, in the resource itself:"
  kubectl -n "$NAMESPACE" get movieapp movies -o json |
    jq -r '.status.conditions[] | select(.type == "Ready" or .type == "Stalled" or .type == "Available") | "        \(.type)=\(.status) \(.reason): \(.message)"'
  say "" "        The spec goes back to v2, and all is well:"
  release v2
  follow 120 ready_at v2 || die "the fleet is not Ready"
  fleet_status
}

# canary: what this is all for. A quarter of the requests comes after 1 %, so that 5 % errors would be felt there.
canary() {
  title "A release of metadata whose answers fail in 5 %, under $LOAD_RATE requests a second, and then a fixed one"
  load_start load-canary consul "$CANARY_SECONDS"
  wait_until 60 load_running load-canary || die "the load does not start: kubectl -n $NAMESPACE describe job load-canary"
  fault error=0.05
  follow 300 convicted || die "the bad release was not taken back: kubectl -n $NAMESPACE describe fleetservice movies-metadata"
  step "taken back; the evidence stands in the resource:"
  kubectl -n "$NAMESPACE" get fleetservice movies-metadata -o json | jq -r '.status.rejected |
    "        \(.hash) \(.reason): \(.message)", (.signals[]? | "        \(.name): canary \(.canary) bad, stable \(.stable) bad, evidence against it \(.against)")'
  fault ''
  follow 400 promoted || die "the fixed release is not out: kubectl -n $NAMESPACE describe fleetservice movies-metadata"
  step "the fixed release has all requests"
  fleet_status
  say "" "        Its way, as events:"
  kubectl -n "$NAMESPACE" get events --field-selector involvedObject.name=movies-metadata -o json |
    jq -r '.items | sort_by(.eventTime // .firstTimestamp) | .[] | select(.reason | IN("RolloutStarted", "WeightRaised", "TakenBack", "Promoted")) | "        \(.reason): \(.note // .message)"' | tail -8
  wait_until "$((CANARY_SECONDS + 60))" load_ended load-canary || die "the load does not end"
  say "" "        What callers of movie saw of all that:"
  load_report load-canary || say "        (requests that the bad release failed before it was off)"
}

# fault SPEC: metadata gets the fault switch; every call is another revision.
fault() {
  FAULTS=$((${FAULTS:-0} + 1))
  step "kubectl patch movieapp movies: metadata with FLEET_FAULT='$1'"
  kubectl -n "$NAMESPACE" patch movieapp movies --type merge \
    -p "{\"spec\":{\"services\":{\"metadata\":{\"rollout\":{\"steps\":[1,25,50]},\"env\":[{\"name\":\"FLEET_FAULT\",\"value\":\"$1\"},{\"name\":\"RELEASE\",\"value\":\"$(date +%s)-$FAULTS\"}]}}}}" >/dev/null
}

convicted() {
  kubectl -n "$NAMESPACE" get fleetservice movies-metadata -o json |
    jq -e '.status.observedGeneration == .metadata.generation and any(.status.conditions[]?; .type == "RolledBack" and .status == "True")' >/dev/null
}

promoted() {
  kubectl -n "$NAMESPACE" get fleetservice movies-metadata -o json |
    jq -e '.status.observedGeneration == .metadata.generation and .status.canary == null and any(.status.conditions[]?; .type == "Ready" and .status == "True")' >/dev/null
}

taken_back() {
  kubectl -n "$NAMESPACE" get fleetservices -o json |
    jq -e '[.items[] | select(any(.status.conditions[]?; .type == "RolledBack" and .status == "True"))] | length >= 2' >/dev/null &&
    kubectl -n "$NAMESPACE" get movieapp movies -o json | jq -e 'any(.status.conditions[]?; .type == "Stalled" and .status == "True")' >/dev/null
}

next() {
  title "What to try next"
  own_cluster || say "        export KUBECONFIG=$("$CLUSTER" kubeconfig)" "        export PATH=\$PATH:$(dirname "$("$CLUSTER" kubeconfig)")/bin" ""
  cat <<EOF | sed 's/^/        /'
kubectl -n $NAMESPACE get movieapps,fleetservices
kubectl -n $NAMESPACE describe fleetservice movies-rating       # what runs, why, since when
kubectl -n $NAMESPACE get events --sort-by=.lastTimestamp
kubectl explain movieapp.spec
kubectl -n $NAMESPACE patch movieapp movies --type merge -p '{"spec":{"services":{"rating":{"replicas":3}}}}'
kubectl -n $NAMESPACE delete deployment -l fleet.movieexample.com/service=movies-movie   # it comes back
curl http://127.0.0.1:8183/v1/movies/alien                      # movie by REST; gRPC on 127.0.0.1:8083
EOF
  own_cluster || "$CLUSTER" status | grep 'Consul page' | sed 's/^/        /'
  say "        make demo-rollout, demo-broken, demo-canary, demo-tokens, demo-ingest: the stories again; make demo-down: remove everything"
}

load_once() {
  load_start load-once "$1"
  wait_until $((LOAD_SECONDS + 120)) load_ended load-once || die "the load does not end: kubectl -n $NAMESPACE describe job load-once"
  load_report load-once
}

down() {
  if own_cluster; then
    kubectl delete namespace "$NAMESPACE" --ignore-not-found --timeout=3m
    helm uninstall movie-fleet --namespace "$OPERATOR_NAMESPACE" --ignore-not-found
    kubectl delete namespace "$OPERATOR_NAMESPACE" --ignore-not-found --timeout=3m
    kubectl delete crd movieapps.fleet.movieexample.com ratingingestors.fleet.movieexample.com fleetservices.fleet.movieexample.com --ignore-not-found
  else
    "$CLUSTER" down
  fi
}
