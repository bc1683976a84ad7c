# shellcheck shell=bash
# The story of rating events: how they come in, how consumers are added, and a release of theirs that is taken back.

# ingest: the first events wait when the consumers come, more than one of them works off in time; the others come at a steady
# rate, so that every consumer has some while a release is tried.
ingest() {
  title "$EVENTS rating events wait on Kafka; consumers; a release of theirs that cannot take one event in ten"
  events_up
  step "hack/events --count $EVENTS | ratingproducer -"
  produce first "$EVENTS" 0 >/dev/null
  step "kubectl apply -f config/samples/ratingingestor.yaml, to work off a backlog in 5 s"
  kubectl -n "$NAMESPACE" apply -f config/samples/ratingingestor.yaml >/dev/null
  kubectl -n "$NAMESPACE" patch ratingingestor ratings --type merge -p '{"spec": {"scaling": {"drainSeconds": 5}, "env": null}}' >/dev/null
  lagging 300 || die "the events are not consumed: kubectl -n $NAMESPACE describe ratingingestor ratings"
  step "all of them are in the database, each once:"
  consumed
  follow 120 ingestor_ready || die "the ingestor is not Ready: kubectl -n $NAMESPACE describe ratingingestor ratings"
  bad_ingestor
  ingestor_status
}

# events_up: Kafka beside the fleet, and who may send and read what.
events_up() {
  step "Kafka joins the cluster"
  if own_cluster; then
    kubectl -n "$NAMESPACE" apply -f hack/demo/kafka.yaml >/dev/null
    kubectl -n "$NAMESPACE" rollout status deployment/kafka --timeout=5m >/dev/null
    kubectl -n "$NAMESPACE" wait --for=condition=complete job/kafka-topics --timeout=2m >/dev/null
  else
    "$CLUSTER" setup --with kafka >/dev/null
    "$CLUSTER" up --with kafka >/dev/null
    "$CLUSTER" secrets "$NAMESPACE" movies >/dev/null
  fi
}

bad_ingestor() {
  say ""
  step "$STREAM_RATE events a second go on; kubectl patch ratingingestor ratings: FLEET_FAULT=$INGEST_FAULT"
  produce stream "$((STREAM_RATE * STREAM_SECONDS))" "$STREAM_RATE" >/dev/null &
  local stream=$!
  ingestor_env "[{\"name\": \"FLEET_FAULT\", \"value\": \"$INGEST_FAULT\"}, {\"name\": \"RELEASE\", \"value\": \"$(date +%s)\"}]"
  follow 180 ingestor_taken_back || die "the bad release was not taken back: kubectl -n $NAMESPACE describe fleetservice ratings"
  step "taken back; its partitions are read by the old revision again. The evidence stands in the resource:"
  kubectl -n "$NAMESPACE" get fleetservice ratings -o json | jq -r '.status.rejected |
    "        \(.hash) \(.reason): \(.message)", (.signals[]? | "        \(.name): canary \(.canary) bad, stable \(.stable) bad, evidence against it \(.against)")'
  step "what it had read is read again by the old one, from where it began with its partitions (rollout.rewind):"
  wait_until 120 ingestor_rewound || die "the partitions did not go back: kubectl -n $NAMESPACE describe fleetservice ratings"
  kubectl -n "$NAMESPACE" get fleetservice ratings -o json | jq -r '.status.rewind | "        \(.phase): \(.message)"'
  ingestor_env '[]'
  follow 120 ingestor_ready || die "the ingestor is not Ready: kubectl -n $NAMESPACE describe ratingingestor ratings"
  wait "$stream" || die "the events were not sent"
  lagging 120 || die "the events are not consumed: kubectl -n $NAMESPACE describe ratingingestor ratings"
  say "" "        Every event is in the database. What the bad release put aside is on the topic ratings.dlq too, each with its cause." \
    "        The pods that run now count (the bad release's own are gone; what it had applied was a duplicate when read again):"
  consumed
}

# produce NAME COUNT RATE: sends events by ratingproducer in a pod, which is gone afterwards.
produce() {
  kubectl -n "$NAMESPACE" delete pod "ratingproducer-$1" --ignore-not-found --wait >/dev/null
  go run ./hack/events --count "$2" |
    kubectl -n "$NAMESPACE" run "ratingproducer-$1" --image=localhost/fleet/ratingproducer:dev --image-pull-policy=IfNotPresent \
      --restart=Never --rm -i --quiet --pod-running-timeout=2m --override-type=strategic --overrides "$(sed "s/@NAME@/ratingproducer-$1/" hack/demo/ratingproducer.json)" -- --rate "$3" -
}

# lagging SECONDS: tells how far consumers are until nothing waits any more, and did not for longer than the operator takes
# from one look to the next: an earlier look says nothing of the last events.
lagging() {
  local -i deadline=$((SECONDS + $1)) empty=$SECONDS lag
  local line commit told=
  while ((SECONDS < deadline)); do
    read -r lag commit line < <(kubectl -n "$NAMESPACE" get ratingingestor ratings -o json | jq -r '.status |
      "\(.lag) \(.lastCommit // "none") \(.lag) events wait, \(.ready // "0") pods ready, \(.members // [] | length) members; \(.producedPerSecond // 0)/s come, \(.consumedPerSecond // 0)/s are consumed"')
    [[ $line == "$told" ]] || step "$line"
    told=$line
    [[ $lag == 0 && $commit != none ]] || empty=$SECONDS
    ((SECONDS - empty < 8)) || return 0
    sleep 2
  done
  return 1
}

# consumed: what became of the events of all partitions, as all pods that run count it.
consumed() {
  local pod
  for pod in $(kubectl -n "$NAMESPACE" get pods -l fleet.movieexample.com/service=ratings --field-selector=status.phase=Running -o json | jq -r '.items[].metadata.name'); do
    kubectl get --raw "/api/v1/namespaces/$NAMESPACE/pods/$pod:8095/proxy/metrics" | grep '^ingest_events_total' || true
  done | sed 's/,partition="[0-9]*"//' | awk '{n[$1] += $2} END {for (m in n) if (n[m] > 0) printf "          %s %d\n", m, n[m]}' | sort
}

# ingestor_env JSON: another revision of the ingestor.
ingestor_env() {
  kubectl -n "$NAMESPACE" patch ratingingestor ratings --type merge -p "{\"spec\":{\"env\":$1}}" >/dev/null
}

ingestor_ready() {
  kubectl -n "$NAMESPACE" get ratingingestor ratings -o json |
    jq -e '.status.observedGeneration == .metadata.generation and any(.status.conditions[]?; .type == "Ready" and .status == "True")' >/dev/null
}

ingestor_taken_back() {
  kubectl -n "$NAMESPACE" get fleetservice ratings -o json |
    jq -e '.status.observedGeneration == .metadata.generation and any(.status.conditions[]?; .type == "RolledBack" and .status == "True")' >/dev/null
}

ingestor_rewound() {
  kubectl -n "$NAMESPACE" get fleetservice ratings -o json | jq -e '.status.rewind.phase // "" | IN("Done", "Failed")' >/dev/null
}

ingestor_status() {
  kubectl -n "$NAMESPACE" get ratingingestors,fleetservices | sed 's/^/        /'
}
