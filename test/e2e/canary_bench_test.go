//go:build e2e && bench

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// fault is a kind of bad release, tried some times.
type fault struct {
	name   string
	spec   string
	rate   int
	weight int32
	times  int
	// seconds is how long requests come: until the verdict, and some more to see that none is sent after it.
	seconds int
	// median and p90 bound the time from the first bad request to weight 0; 0 is no bound.
	median, p90 time.Duration
	// trial bounds the time from its first share to weight 0, for what fails no request.
	trial time.Duration
}

// outcome is one try.
type outcome struct {
	onTrial         time.Duration // from its first share to weight 0
	toZero, toQuiet time.Duration
	failed          int
	rejected        bool
	reason          string
}

// repeat is how often the short tries are made; BENCH_REPEAT changes it.
func repeat() int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_REPEAT")); err == nil && n > 0 {
		return n
	}
	return 5
}

// lanes are what is tried. They run side by side, each on an application of its own, so that the whole takes half an hour.
func lanes(n int) [][]fault {
	return [][]fault{
		{
			{"100 % errors", "error=1", 100, 10, 2 * n, 25, 2 * time.Second, 3 * time.Second, 0},
			{"100 % errors", "error=1", 10, 10, n, 60, 0, 0, 0},
			{"10× latency", "latency=200ms", 100, 10, n, 40, 0, 0, 0},
			{"crash every 8 s", "crashAfter=8s", 100, 10, 1, 60, 0, 0, 24 * time.Second},
			{"never opens its port", "neverReady", 100, 10, 1, 40, 0, 0, 0},
		},
		{
			{"10 % errors", "error=0.1", 100, 10, n, 45, 10 * time.Second, 0, 0},
			{"2 % errors", "error=0.02", 100, 10, 1, 200, 0, 0, 0},
			{"hang", "hang=1", 100, 10, n, 40, 0, 0, 0},
			{"not found to everything", "notFound", 100, 10, n, 40, 0, 0, 0},
		},
		{
			{"100 % errors", "error=1", 100, 1, n, 45, 6 * time.Second, 0, 0},
			{"10× latency", "latency=200ms", 100, 1, n, 70, 0, 0, 0},
			{"not found to everything", "notFound", 100, 1, n, 70, 0, 0, 0},
		},
		{
			{"10 % errors", "error=0.1", 100, 1, n, 90, 30 * time.Second, 0, 0},
			{"hang", "hang=1", 100, 1, n, 70, 0, 0, 0},
		},
	}
}

// TestBenchConviction measures how fast bad releases are off, and prints a table.
func TestBenchConviction(t *testing.T) {
	var table lines
	t.Run("lanes", func(t *testing.T) {
		for i, faults := range lanes(repeat()) {
			weight := faults[0].weight
			r := newTrial(t, fmt.Sprintf("bench%d", i), &v1alpha1.RolloutPolicy{
				Steps: []int32{weight, 50}, MinStep: seconds(10), Bake: seconds(5), StartDeadline: seconds(20),
			})
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				r := r.on(t, "metadata")
				w := r.watch()
				for _, f := range faults {
					table.add(r.bench(w, f))
				}
			})
		}
	})
	table.print("release", "requests/s", "weight", "tries", "first bad answer to weight 0: median, p90", "first share to weight 0", "last request after weight 0", "failed requests: median, max", "reasons")
}

// on is the same application with releases of another service, as a subtest sees it.
func (r *trial) on(t *testing.T, target string) *trial {
	return &trial{fleet: r.in(t), target: target, nonce: r.nonce}
}

// lines are the rows of a table that several tries fill.
type lines struct {
	mu   sync.Mutex
	rows []string
}

func (l *lines) add(row string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Println(row)
	l.rows = append(l.rows, row)
}

func (l *lines) print(columns ...string) {
	fmt.Printf("\n| %s |\n|%s\n%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)), strings.Join(l.rows, "\n"))
}

// bench tries one fault and returns its line.
func (r *trial) bench(w *watcher, f fault) string {
	var zero, quiet, trial []time.Duration
	var failed []int
	reasons := map[string]int{}
	for range f.times {
		o := r.once(w, f)
		zero, quiet, failed, trial = append(zero, o.toZero), append(quiet, o.toQuiet), append(failed, o.failed), append(trial, o.onTrial)
		reasons[o.reason]++
	}
	slices.Sort(zero)
	slices.Sort(quiet)
	slices.Sort(failed)
	slices.Sort(trial)
	if longest := trial[len(trial)-1]; f.trial > 0 && longest > f.trial {
		r.t.Errorf("%s at %d requests/s, weight %d: had requests for %s, want at most %s", f.name, f.rate, f.weight, longest, f.trial)
	}
	median, p90 := zero[len(zero)/2], zero[(len(zero)*9+9)/10-1]
	if f.median > 0 && median > f.median {
		r.t.Errorf("%s at %d requests/s, weight %d: median %s, want at most %s", f.name, f.rate, f.weight, median, f.median)
	}
	if f.p90 > 0 && p90 > f.p90 {
		r.t.Errorf("%s at %d requests/s, weight %d: p90 %s, want at most %s", f.name, f.rate, f.weight, p90, f.p90)
	}
	return fmt.Sprintf("| %s | %d | %d %% | %d | %s, %s | %s | %s | %d, %d | %v |", f.name, f.rate, f.weight, f.times, tenth(median), tenth(p90), tenth(trial[len(trial)/2]),
		tenth(quiet[len(quiet)-1]), failed[len(failed)/2], failed[len(failed)-1], reasons)
}

func tenth(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// once releases a fault under load and measures until it is off. A release that is never given requests has none to fail.
func (r *trial) once(w *watcher, f fault) outcome {
	r.t.Helper()
	name := "load" + strconv.Itoa(r.nonce)
	began := time.Now()
	r.send(name, f.rate, f.seconds)
	r.try(f.spec)
	canary := r.wait(w, began, time.Minute, "a canary", func(st v1alpha1.FleetServiceStatus) bool {
		return st.Canary != nil && st.Canary.Since.After(began.Add(-time.Second))
	}).status.Canary.Hash
	end := r.wait(w, began, time.Duration(f.seconds+60)*time.Second, "a verdict", func(st v1alpha1.FleetServiceStatus) bool {
		return takenBack(canary)(st) || (st.Stable != nil && st.Stable.Hash == canary)
	})
	report := r.result(name, time.Duration(f.seconds+60)*time.Second)
	at := report.of(canary)
	o := outcome{onTrial: r.onTrial(w, began, end.at), failed: report.Failed, rejected: end.status.Rejected != nil, reason: "promoted"}
	if o.rejected {
		o.reason = end.status.Rejected.Reason
	}
	if !at.FirstBadSent.IsZero() {
		first := at.FirstBad
		if f.spec == "hang=1" || strings.HasPrefix(f.spec, "latency") {
			first = at.FirstBadSent
		}
		o.toZero, o.toQuiet = max(0, end.at.Sub(first)), max(0, at.LastSent.Sub(end.at))
	}
	if !o.rejected {
		r.try("")
		r.ready("movies", 3*time.Minute)
	}
	return o
}

// onTrial is how long the canary had a share; one that never was ready had none.
func (r *trial) onTrial(w *watcher, began, end time.Time) time.Duration {
	first, ok := w.first(began, weighed(1))
	if !ok || first.at.After(end) {
		return 0
	}
	return end.Sub(first.at)
}

// TestBenchGood measures how long good releases take through 1, 5, 20, 50.
func TestBenchGood(t *testing.T) {
	var table lines
	t.Run("lanes", func(t *testing.T) {
		for i, c := range []steady{
			{100, "error=0.001", (repeat() + 1) / 2, 90 * time.Second},
			{100, "error=0.01", (repeat() + 1) / 2, 3 * time.Minute},
			{10, "error=0.001", (repeat() + 3) / 4, 10 * time.Minute},
		} {
			r := newTrial(t, fmt.Sprintf("good%d", i), &v1alpha1.RolloutPolicy{Steps: []int32{}, Bake: seconds(0)})
			r.begin(c.base, `{"steps":[1,5,20,50],"bake":"5s"}`, "metadata")
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				table.add(r.on(t, "metadata").good(c))
			})
		}
	})
	table.print("release", "requests/s", "tries", "1 % → 100 %: median, max", "bound")
}

// steady is a good release: the canary fails as often as stable does.
type steady struct {
	rate  int
	base  string
	times int
	bound time.Duration // of the median
}

// begin gives stable a base rate of errors, all at once, and after it the policy of what is measured.
func (r *trial) begin(base, policy string, services ...string) {
	r.t.Helper()
	for _, service := range services {
		r.on(r.t, service).try(base)
	}
	r.nonce++
	r.ready("movies", 3*time.Minute)
	r.kubectl("patch", "movieapp", "movies", "--type=merge", "-p", `{"spec":{"rollout":`+policy+`}}`)
}

// good releases what is as good as what runs, some times, and returns the table's line.
func (r *trial) good(c steady) string {
	r.t.Helper()
	w := r.watch()
	var took []time.Duration
	for range c.times {
		r.send("load", c.rate, int((2*c.bound + time.Minute).Seconds()))
		began := time.Now()
		r.try(c.base)
		first := r.wait(w, began, time.Minute, "a share", weighed(1))
		canary := first.status.Canary.Hash
		end := r.wait(w, began, 2*c.bound, "all requests", ended(canary))
		if end.status.Rejected != nil && end.status.Rejected.Hash == canary {
			r.t.Errorf("a good release was taken back: %s", end.status.Rejected.Message)
		}
		took = append(took, end.at.Sub(first.at))
		r.ready("movies", time.Minute)
		r.kubectl("delete", "job", "load", "--wait")
	}
	slices.Sort(took)
	median := took[len(took)/2]
	if median > c.bound {
		r.t.Errorf("%s at %d requests/s took %s, want at most %s", c.base, c.rate, median, c.bound)
	}
	return fmt.Sprintf("| good, base %s | %d | %d | %s, %s | %s |", c.base, c.rate, len(took), tenth(median), tenth(took[len(took)-1]), c.bound)
}

// ended is true of a status in which a canary has all requests, or none any more.
func ended(canary string) func(v1alpha1.FleetServiceStatus) bool {
	return func(st v1alpha1.FleetServiceStatus) bool {
		return st.Traffic != nil && st.Traffic.Revision == canary || st.Rejected != nil && st.Rejected.Hash == canary
	}
}
