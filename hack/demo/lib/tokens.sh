# shellcheck shell=bash
# The story of a rating posted with a token, and of the trace of a request.

VISITOR=ann@example.com
JAEGER_PORT=16686

# tokens: the service auth joins the application, and everybody tells Jaeger of their requests.
tokens() {
  title "A rating posted with a token, and a request's trace through movie, metadata, rating and MySQL"
  ports_free 8182 8184 "$JAEGER_PORT"
  step "kubectl patch movieapp movies: the service auth, tokens for writers, traces of all requests"
  kubectl -n "$NAMESPACE" patch movieapp movies --type merge -p "$(tokens_wanted)" >/dev/null
  follow 300 guarded || die "auth is not Ready after 5 minutes: kubectl -n $NAMESPACE describe fleetservices"
  by_steps
  reach_tokens
  without_token
  with_token
  traced
}

# tokens_wanted moves this change at once, for nobody sends requests that a canary could be judged by; later ones go by steps.
tokens_wanted() {
  cat <<EOF
{"spec": {"auth": {}, "rollout": {"steps": []},
  "telemetry": {"traces": {"endpoint": "http://$(traces_address)", "ratio": "1"}},
  "services": {"metadata": {"rollout": null}, "auth": {"replicas": 2, "bindings": {"mysql": {"secretRef": {"name": "auth-mysql"}}, "consul": {"secretRef": {"name": "movies-auth-consul"}}}}}}}
EOF
}

traces_address() { if own_cluster; then echo "jaeger.$NAMESPACE.svc:4317"; else "$CLUSTER" deps status jaeger | awk '{print $2}'; fi; }

# guarded: is auth there, and everything Ready at the newest spec?
guarded() {
  ready_at "$(kubectl -n "$NAMESPACE" get movieapp movies -o jsonpath='{.spec.image.tag}')" &&
    kubectl -n "$NAMESPACE" get fleetservice movies-auth -o json |
    jq -e '.status.observedGeneration == .metadata.generation and any(.status.conditions[]?; .type == "Ready" and .status == "True")' >/dev/null
}

reach_tokens() {
  reach_fleet
  reach 8182 "$NAMESPACE/movies-rating:8182"
  reach 8184 "$NAMESPACE/movies-auth:8184"
  if own_cluster; then
    reach "$JAEGER_PORT" "$NAMESPACE/jaeger:$JAEGER_PORT"
  else
    reach "$JAEGER_PORT" "$(traces_address | cut -d: -f1):$JAEGER_PORT"
  fi
  wait_until 20 curl -sf -o /dev/null --max-time 2 http://127.0.0.1:8184/.well-known/jwks.json || die "auth does not answer on 127.0.0.1:8184"
}

without_token() {
  say "" "        Nobody rates without a token:" "        \$ curl -X PUT 127.0.0.1:8182/v1/ratings/movie/alien -d '{\"value\": 5}'"
  curl -sS --max-time 10 -X PUT http://127.0.0.1:8182/v1/ratings/movie/alien -d '{"value": 5}' | sed 's/^/          /'
  say ""
}

# with_token: a user's password is the user's choice; here it is made up, and given to auth's own command in its pod.
with_token() {
  local password token answer
  password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
  say "" "        $VISITOR becomes a user, logs in and rates:" "        \$ kubectl exec … -- /auth user add $VISITOR"
  user "$password" | sed 's/^/          /'
  say "        \$ curl -X POST 127.0.0.1:8184/v1/token -d '{\"username\": \"$VISITOR\", \"password\": …}'"
  answer=$(jq -n --arg name "$VISITOR" --arg password "$password" '{username: $name, password: $password}' |
    curl -sS --max-time 10 -X POST http://127.0.0.1:8184/v1/token -d @-)
  token=$(jq -er .token <<<"$answer") || die "auth gave no token: $answer"
  say "          $(cut -c1-40 <<<"$token")…"
  say "        \$ curl -X PUT -H 'Authorization: Bearer …' 127.0.0.1:8182/v1/ratings/movie/alien -d '{\"value\": 5}'"
  curl -sS --fail-with-body --max-time 10 -X PUT http://127.0.0.1:8182/v1/ratings/movie/alien -d '{"value": 5}' -H @- <<<"Authorization: Bearer $token" |
    sed 's/^/          /' || die "the rating was refused"
  say ""
}

# user PASSWORD: adds the visitor, or gives a new password to the one of an earlier telling.
user() {
  local pod
  pod=$(kubectl -n "$NAMESPACE" get pods -l fleet.movieexample.com/service=movies-auth,fleet.movieexample.com/revision \
    --field-selector=status.phase=Running -o json | jq -er '.items[0].metadata.name') || die "no pod of auth runs"
  kubectl -n "$NAMESPACE" exec -i "$pod" -- /auth user add "$VISITOR" <<<"$1" 2>&1 ||
    kubectl -n "$NAMESPACE" exec -i "$pod" -- /auth user passwd "$VISITOR" <<<"$1"
}

# traced asks for a movie under a trace of our own and shows what Jaeger heard of it.
traced() {
  local id
  id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  say "" "        One request, as Jaeger shows it:"
  shown curl -sS --max-time 10 -H "traceparent: 00-$id-00000000000000ff-01" http://127.0.0.1:8183/v1/movies/alien
  say ""
  wait_until 30 trace_whole "$id" || die "Jaeger has no whole trace $id: curl 127.0.0.1:$JAEGER_PORT/api/traces/$id"
  trace "$id" | jq -r '.data[0] as $t |
    def children($of): [$t.spans[] | select(any(.references[]?; .spanID == $of))] | sort_by(.startTime)[];
    def tree($indent): "          \($indent)\($t.processes[.processID].serviceName): \(.operationName)  \(.duration / 1000) ms",
      (.spanID as $id | children($id) | tree($indent + "  "));
    children("00000000000000ff") | tree("")'
  say "" "        All of it: curl '127.0.0.1:$JAEGER_PORT/api/traces/$id?prettyPrint=true'"
}

trace() { curl -sf --max-time 5 "http://127.0.0.1:$JAEGER_PORT/api/traces/$1"; }

# trace_whole: have all three services told of it, and of what they asked the database?
trace_whole() {
  trace "$1" | jq -e '.data[0] as $t | ([$t.processes[].serviceName] | contains(["metadata", "movie", "rating"])) and
    ([$t.spans[] | select(any(.tags[]; .key | startswith("db."))) | $t.processes[.processID].serviceName] | contains(["metadata", "rating"]))' >/dev/null
}
