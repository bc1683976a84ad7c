//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// raters is how many users rate, again and again, each one of so many films: enough for every partition to have events,
// whichever of them a canary gets.
const (
	raters = 2000
	films  = 60
)

// TestIngestor brings consumers up beside their service, streams events through Kafka, and releases them three times: a
// release that reads along first and is bad is taken back with no event affected; one that dead-letters what it reads is taken
// back with the count of affected events, and what it has read is read again; a good one goes through. At the end every rating
// that was sent is in the database, those that were sent once too.
func TestIngestor(t *testing.T) {
	must(t, "hack/cluster/cluster", "up", "--with", "kafka")
	f := newFleet(t, "ingest")
	f.applyApp(sample(t, nil))
	f.ready("movies", 3*time.Minute)
	readAndWrite(f)
	f.applyIngestor()
	f.ingests(2*time.Minute, "Ready", func(st v1alpha1.RatingIngestorStatus) bool {
		return condition(st.Conditions, v1alpha1.ConditionReady).Status == metav1.ConditionTrue && st.Partitions == 12
	})
	run := fmt.Sprint("e2e", time.Now().Unix()) // the database outlives the test
	f.stream("events", run, 100)
	f.ingests(2*time.Minute, "the events taken", func(st v1alpha1.RatingIngestorStatus) bool {
		return st.LastCommit != nil && st.ConsumedPerSecond != "0"
	})

	good := f.service("ratings").Status.Stable.Hash
	readsAlong(f, good)
	f.patchIngestor(`{"config":{"recordTypes":["series"]}}`) // whose movies are no records
	f.eventually(time.Minute, "the release reads", func() (bool, string) {
		st := f.service("ratings").Status
		reads := st.Rejected != nil || (st.Canary != nil && st.Traffic != nil && st.Traffic.Other == st.Canary.Hash)
		return reads, fmt.Sprintf("%s %+v", st.Phase, st.Traffic)
	})
	f.stream("once", run+"-once", 1) // what it puts aside of these nobody sends again
	f.eventually(3*time.Minute, "the release is taken back", func() (bool, string) {
		st := f.service("ratings").Status
		return st.Rejected != nil && st.Canary == nil && st.Stable.Hash == good, fmt.Sprintf("%s %+v", st.Phase, st.Rejected)
	})
	rejected := f.service("ratings").Status.Rejected
	if rejected.Reason != v1alpha1.ReasonWorse || !rejected.Quarantined || len(rejected.Signals) == 0 || strings.HasPrefix(rejected.Signals[0].Canary, "0/") {
		t.Errorf("rejected = %+v, want Worse with the count of affected events", rejected)
	}
	t.Logf("taken back with %s events bad: %s", rejected.Signals[0].Canary, rejected.Message)
	f.eventually(2*time.Minute, "its partitions are back where it began", func() (bool, string) {
		r := f.service("ratings").Status.Rewind
		return r != nil && r.Phase != "Pending", fmt.Sprintf("%+v", r)
	})
	if r := f.service("ratings").Status.Rewind; r.Phase != "Done" || !strings.Contains(r.Message, "read again") {
		t.Errorf("rewind = %+v, want it done with the partitions that are read again", r)
	} else {
		t.Logf("rewound: %s", r.Message)
	}

	f.patchIngestor(`{"config":{"recordTypes":null,"ingest":{"batchEvents":1000}}}`)
	f.eventually(5*time.Minute, "the good release has all partitions", func() (bool, string) {
		st := f.service("ratings").Status
		return st.Stable.Hash != good && st.Canary == nil && st.Previous == nil, fmt.Sprintf("%s %+v", st.Phase, st.Rollout)
	})
	f.kubectl("delete", "job", "events", "--wait", "--timeout=60s")
	f.kubectl("wait", "--for=condition=Complete", "job/once", "--timeout=2m")
	f.ingests(2*time.Minute, "nothing waiting", func(st v1alpha1.RatingIngestorStatus) bool { return st.Lag == 0 })
	rating := f.front("movies-rating", 8082)
	f.eventually(30*time.Second, "every rating in the database", func() (bool, string) {
		got, once := f.rated(rating, run), f.rated(rating, run+"-once")
		return got == raters && once == raters, fmt.Sprintf("%d and %d of %d", got, once, raters)
	})
	f.kubectl("delete", "ratingingestor", "ratings", "--timeout=90s")
	f.eventually(time.Minute, "no consumer left", func() (bool, string) {
		left := f.kubectl("get", "pods", "-l", v1alpha1.LabelService+"=ratings", "-o", "name")
		return left == "", left
	})
}

// applyIngestor applies the sample, with quick steps, changed as the test needs.
func (f *fleet) applyIngestor(changes ...func(spec map[string]any)) {
	f.t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "config/samples/ratingingestor.yaml"))
	if err != nil {
		f.t.Fatal(err)
	}
	object := map[string]any{}
	if err := yaml.UnmarshalStrict(raw, &object); err != nil {
		f.t.Fatal(err)
	}
	spec := object["spec"].(map[string]any)
	spec["rollout"] = map[string]any{"minStep": "2s", "maxStepDuration": "2m", "bake": "5s", "rewind": true}
	for _, change := range changes {
		change(spec)
	}
	manifest, err := yaml.Marshal(object)
	if err != nil {
		f.t.Fatal(err)
	}
	if out, err := f.apply(string(manifest)); err != nil {
		f.t.Fatalf("apply the RatingIngestor: %v: %s", err, out)
	}
}

func (f *fleet) patchIngestor(spec string) {
	f.t.Helper()
	f.kubectl("patch", "ratingingestor", "ratings", "--type=merge", "-p", `{"spec":`+spec+`}`)
}

// ingests waits until something holds of the ingestor.
func (f *fleet) ingests(within time.Duration, what string, holds func(v1alpha1.RatingIngestorStatus) bool) {
	f.t.Helper()
	f.eventually(within, what, func() (bool, string) {
		ri := &v1alpha1.RatingIngestor{}
		f.get(ri, "ratingingestor", "ratings")
		ready := condition(ri.Status.Conditions, v1alpha1.ConditionReady)
		return holds(ri.Status), fmt.Sprintf("%s: %s; lag %d, %s/s taken", ready.Reason, ready.Message, ri.Status.Lag, ri.Status.ConsumedPerSecond)
	})
}

// rated is how many ratings the films of a run have, as rating at an address says.
func (f *fleet) rated(rating, run string) (count int64) {
	f.t.Helper()
	conn, err := grpc.NewClient(rating, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	request := &ratingv1.BatchGetAggregatedRatingRequest{RecordType: "movie"}
	for n := range films {
		request.RecordIds = append(request.RecordIds, film(run, n))
	}
	answer, err := ratingv1.NewRatingServiceClient(conn).BatchGetAggregatedRating(f.t.Context(), request)
	if err != nil {
		f.t.Fatalf("read the ratings of %s: %v", run, err)
	}
	for _, r := range answer.GetRatings() {
		count += r.GetCount()
	}
	return count
}

func film(run string, n int) string { return fmt.Sprintf("%s-%d", run, n%films) }

// stream sends the ratings of all users so many times, one after the other, from inside the cluster, by a Job of that name.
func (f *fleet) stream(job, run string, times int) {
	f.t.Helper()
	var events strings.Builder
	for n := range raters {
		fmt.Fprintf(&events, "    {\"eventType\":\"put\",\"userId\":\"e2e-%d\",\"recordId\":%q,\"recordType\":\"movie\",\"value\":4}\n", n, film(run, n))
	}
	if out, err := f.apply(strings.NewReplacer("@JOB@", job, "@TIMES@", fmt.Sprint(times), "@EVENTS@", events.String()).Replace(producer)); err != nil {
		f.t.Fatalf("start the producer: %v: %s", err, out)
	}
}

const producer = `apiVersion: v1
kind: ConfigMap
metadata: {name: @JOB@}
data:
  events.json: |
@EVENTS@---
apiVersion: batch/v1
kind: Job
metadata: {name: @JOB@}
spec:
  completions: @TIMES@
  parallelism: 1
  template:
    spec:
      restartPolicy: OnFailure
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: producer
        image: localhost/fleet/ratingproducer:dev
        imagePullPolicy: IfNotPresent
        args: [/events/events.json]
        env: [{name: SERVICE_BINDING_ROOT, value: /bindings}]
        volumeMounts: [{name: kafka, mountPath: /bindings/kafka, readOnly: true}, {name: events, mountPath: /events, readOnly: true}]
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      volumes:
      - {name: kafka, secret: {secretName: ratingproducer-kafka}}
      - {name: events, configMap: {name: @JOB@}}
`
