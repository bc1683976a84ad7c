//go:build e2e && bench

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/test/bench/table"
)

// slowly makes a consumer take so little that a flood makes it lag.
func slowly(spec map[string]any) {
	spec["config"] = map[string]any{"ingest": map[string]any{"batchEvents": 2}}
}

// flood is how many events a second one slow consumer cannot take.
const flood = 10_000

// answers are how long the operator took to do something, try by try.
type answers []time.Duration

// TestBenchIngestor measures how long the operator takes from lag to more consumers, and from the first event that a bad
// release has failed to its partitions given back.
func TestBenchIngestor(t *testing.T) {
	must(t, "hack/cluster/cluster", "up", "--with", "kafka")
	f := newFleet(t, "benchingest")
	f.applyApp(sample(t, nil))
	f.ready("movies", 3*time.Minute)
	kafka := f.kafka()
	var unknown, known answers
	for range (repeat() + 1) / 2 {
		f.applyIngestor(slowly)
		f.settled()
		w := f.follow("ratings")
		unknown = append(unknown, f.scaleOut(kafka, w))
		f.calm()
		known = append(known, f.scaleOut(kafka, w))
		f.drained()
		f.kubectl("delete", "ratingingestor", "ratings", "--timeout=90s")
	}
	unknown.row(t, "lag to a second pod, nothing known of a consumer", 25*time.Second)
	known.row(t, "lag to a second pod, a consumer's rate known", 25*time.Second)

	f.applyIngestor(func(spec map[string]any) {
		spec["scaling"].(map[string]any)["minReplicas"] = 2
		spec["rollout"].(map[string]any)["rewind"] = false // which begins when all is given back
	})
	f.settled()
	stop := f.produce("steady", 500, 3600)
	defer stop()
	w := f.follow("ratings")
	for _, fault := range []string{"event=1", "event=0.1"} {
		var judged, returned answers
		var affected []string
		for n := range repeat() {
			j, r, count := f.takenBack(kafka, w, fault, n)
			judged, returned, affected = append(judged, j), append(returned, r), append(affected, count)
		}
		judged.row(t, fault+": first failed event to the verdict", 5*time.Second)
		returned.row(t, fault+": first failed event to all partitions given back", 10*time.Second)
		table.Row(t, fault+": failed of read events", strings.Join(affected, ", "))
	}
}

// row holds the median to a bound.
func (a answers) row(t *testing.T, what string, bound time.Duration) {
	t.Helper()
	slices.Sort(a)
	median := a[len(a)/2].Round(100 * time.Millisecond)
	table.Within(t, fmt.Sprintf("%s, median of %d (longest %s)", what, len(a), a[len(a)-1].Round(100*time.Millisecond)), median, bound, median <= bound)
}

// settled waits until the ingestor serves with its newest spec.
func (f *fleet) settled() {
	f.t.Helper()
	f.eventually(5*time.Minute, "the ingestor is settled", func() (bool, string) {
		ri := &v1alpha1.RatingIngestor{}
		f.get(ri, "ratingingestor", "ratings")
		ready := condition(ri.Status.Conditions, v1alpha1.ConditionReady)
		fs := f.service("ratings")
		is := ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == ri.Generation && fs.Status.Phase == "Serving"
		return is, fmt.Sprintf("%s: %s; %s", ready.Reason, ready.Message, fs.Status.Phase)
	})
}

// scaleOut floods the topic and measures from the first event to the second pod.
func (f *fleet) scaleOut(kafka *kadm.Client, w *watcher) time.Duration {
	f.t.Helper()
	before := f.records(kafka, "ratings")
	stop := f.produce("flood", flood, 60)
	defer stop()
	began := f.grown(kafka, "ratings", before)
	more := f.wait(w, began, time.Minute, "a second pod", func(st v1alpha1.FleetServiceStatus) bool { return st.Replicas > 1 })
	return more.at.Sub(began)
}

// calm waits until all is read and the flood is forgotten, and takes the pods away that were added.
func (f *fleet) calm() {
	f.t.Helper()
	f.drained()
	f.patchIngestor(`{"scaling":{"maxReplicas":1}}`)
	f.settled()
	f.patchIngestor(`{"scaling":{"maxReplicas":4}}`)
	f.settled()
	if pods := f.service("ratings").Status.Replicas; pods != 1 {
		f.t.Fatalf("%d pods while nothing comes, want 1", pods)
	}
}

// drained waits until all is read, and nothing has come for a minute.
func (f *fleet) drained() {
	f.t.Helper()
	f.ingests(5*time.Minute, "nothing waiting", func(st v1alpha1.RatingIngestorStatus) bool { return st.Lag == 0 && st.ProducedPerSecond == "0" })
}

// takenBack releases a fault and measures from the first event that it fails to the verdict, and until every partition is
// read by the release before it. Count is how many events it failed of those that it read.
func (f *fleet) takenBack(kafka *kadm.Client, w *watcher, fault string, n int) (judged, returned time.Duration, count string) {
	f.t.Helper()
	letters, patched := f.records(kafka, "ratings.dlq"), time.Now()
	f.patchIngestor(fmt.Sprintf(`{"env":[{"name":"FLEET_FAULT","value":%q},{"name":"TRIAL","value":"%d"}]}`, fault, n))
	failed := f.grown(kafka, "ratings.dlq", letters)
	verdict := f.wait(w, patched, 2*time.Minute, "a verdict", func(st v1alpha1.FleetServiceStatus) bool {
		return st.Rejected != nil && st.Rejected.At.After(patched.Add(-time.Second))
	})
	back := f.givenBack(kafka, verdict.status.Rejected.Hash)
	f.patchIngestor(`{"env":null}`)
	f.settled()
	return verdict.at.Sub(failed), back.Sub(failed), verdict.status.Rejected.Signals[0].Canary
}

// closely is how often Kafka is asked for what is measured.
const closely = 20 * time.Millisecond

// grown waits until a topic has more records than before and returns when that was seen.
func (f *fleet) grown(kafka *kadm.Client, topic string, before int64) time.Time {
	f.t.Helper()
	f.asks(closely, 2*time.Minute, topic+" grows", func() (bool, string) {
		now := f.records(kafka, topic)
		return now > before, fmt.Sprintf("%d records, %d before", now, before)
	})
	return time.Now()
}

// givenBack waits until no consumer of a revision is in the group, and the others have all partitions.
func (f *fleet) givenBack(kafka *kadm.Client, revision string) time.Time {
	f.t.Helper()
	f.asks(closely, time.Minute, "others than "+revision+" have all partitions", func() (bool, string) {
		groups, err := kafka.DescribeGroups(f.t.Context(), "rating")
		if err == nil {
			err = groups.Error()
		}
		if err != nil {
			f.t.Fatalf("describe the group: %v", err)
		}
		partitions, gone := 0, true
		for _, m := range groups["rating"].Members {
			gone = gone && !strings.Contains(m.ClientID, revision)
			if c, ok := m.Assigned.AsConsumer(); ok {
				for _, topic := range c.Topics {
					partitions += len(topic.Partitions)
				}
			}
		}
		return gone && partitions == 12, fmt.Sprintf("it has left: %t; %d of 12 partitions have a consumer", gone, partitions)
	})
	return time.Now()
}

// produce sends events from a pod, so many a second and for so many seconds, or until it is stopped.
func (f *fleet) produce(name string, rate, seconds int) (stop func()) {
	f.t.Helper()
	name = "ratingproducer-" + name
	f.kubectl("delete", "pod", name, "--ignore-not-found", "--wait")
	cmd := exec.Command("bash", "-c", fmt.Sprintf(`go run ./hack/events --count %d --movies 5000 |
		hack/cluster/cluster kubectl -n %s run %s --image=localhost/fleet/ratingproducer:dev --image-pull-policy=IfNotPresent \
		--restart=Never -i --quiet --pod-running-timeout=2m --override-type=strategic --overrides "$(sed s/@NAME@/%[3]s/ hack/demo/ratingproducer.json)" \
		-- --rate %[4]d -`, rate*seconds, f.namespace, name, rate))
	cmd.Dir, cmd.Stderr, cmd.SysProcAttr = root, os.Stderr, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // ended by stop as a rule; one that fails says why, and its topic does not grow
	}()
	return func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
		f.kubectl("delete", "pod", name, "--ignore-not-found", "--wait", "--grace-period=1")
	}
}
