//go:build e2e && bench

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
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
	// median and p90 bound the time from the first bad request to weight 0; 0 is no bound.
	median, p90 time.Duration
}

// seconds is how long requests come: until the verdict, and some more to see that none is sent after it.
func (f fault) seconds() int {
	switch {
	case f.spec == "error=0.02":
		return 200
	case f.weight < 10 || f.rate < 100:
		return 70
	}
	return 40
}

// outcome is one try.
type outcome struct {
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

// TestBenchConviction measures how fast bad releases are off, and prints a table.
func TestBenchConviction(t *testing.T) {
	n := repeat()
	faults := []fault{
		{"100 % errors", "error=1", 100, 10, 2 * n, 2 * time.Second, 3 * time.Second},
		{"100 % errors", "error=1", 100, 1, n, 6 * time.Second, 0},
		{"10 % errors", "error=0.1", 100, 10, n, 10 * time.Second, 0},
		{"10 % errors", "error=0.1", 100, 1, n, 30 * time.Second, 0},
		{"2 % errors", "error=0.02", 100, 10, 1, 0, 0},
		{"10× latency", "latency=200ms", 100, 10, n, 0, 0},
		{"10× latency", "latency=200ms", 100, 1, n, 0, 0},
		{"hang", "hang=1", 100, 10, n, 0, 0},
		{"hang", "hang=1", 100, 1, n, 0, 0},
		{"not found to everything", "notFound", 100, 10, n, 0, 0},
		{"not found to everything", "notFound", 100, 1, n, 0, 0},
		{"100 % errors", "error=1", 10, 10, n, 0, 0},
		{"crash every 8 s", "crashAfter=8s", 100, 10, 1, 20 * time.Second, 0},
		{"never opens its port", "neverReady", 100, 10, 1, 0, 0},
	}
	var table []string
	for _, weight := range []int32{10, 1} {
		r := newTrial(t, fmt.Sprintf("bench%d", weight), &v1alpha1.RolloutPolicy{
			Steps: []int32{weight, 50}, MinStep: seconds(10), Bake: seconds(5), StartDeadline: seconds(20),
		})
		w := r.watch()
		for _, f := range faults {
			if f.weight == weight {
				table = append(table, r.bench(w, f))
				fmt.Println(table[len(table)-1])
			}
		}
	}
	fmt.Printf("\n| release | requests/s | weight | tries | to weight 0: median, p90 | last request after weight 0 | failed requests: median, max | reasons |\n|---|---|---|---|---|---|---|---|\n%s\n", strings.Join(table, "\n"))
}

// bench tries one fault and returns its line.
func (r *trial) bench(w *watcher, f fault) string {
	var zero, quiet []time.Duration
	var failed []int
	reasons := map[string]int{}
	for range f.times {
		o := r.once(w, f)
		zero, quiet, failed = append(zero, o.toZero), append(quiet, o.toQuiet), append(failed, o.failed)
		reasons[o.reason]++
	}
	slices.Sort(zero)
	slices.Sort(quiet)
	slices.Sort(failed)
	median, p90 := zero[len(zero)/2], zero[(len(zero)*9+9)/10-1]
	if f.median > 0 && median > f.median {
		r.t.Errorf("%s at %d requests/s, weight %d: median %s, want at most %s", f.name, f.rate, f.weight, median, f.median)
	}
	if f.p90 > 0 && p90 > f.p90 {
		r.t.Errorf("%s at %d requests/s, weight %d: p90 %s, want at most %s", f.name, f.rate, f.weight, p90, f.p90)
	}
	return fmt.Sprintf("| %s | %d | %d %% | %d | %s, %s | %s | %d, %d | %v |", f.name, f.rate, f.weight, f.times, tenth(median), tenth(p90),
		tenth(quiet[len(quiet)-1]), failed[len(failed)/2], failed[len(failed)-1], reasons)
}

func tenth(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// once releases a fault under load and measures until it is off. A release that is never given requests has none to fail.
func (r *trial) once(w *watcher, f fault) outcome {
	r.t.Helper()
	name := "load" + strconv.Itoa(r.nonce)
	began := time.Now()
	r.send(name, f.rate, f.seconds())
	r.try(f.spec)
	canary := r.wait(w, began, time.Minute, "a canary", func(st v1alpha1.FleetServiceStatus) bool {
		return st.Canary != nil && st.Canary.Since.After(began.Add(-time.Second))
	}).status.Canary.Hash
	end := r.wait(w, began, time.Duration(f.seconds()+60)*time.Second, "a verdict", func(st v1alpha1.FleetServiceStatus) bool {
		return takenBack(canary)(st) || (st.Stable != nil && st.Stable.Hash == canary)
	})
	report := r.result(name, 3*time.Minute)
	at := report.of(canary)
	o := outcome{failed: report.Failed, rejected: end.status.Rejected != nil, reason: "promoted"}
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

// TestBenchGood measures how long good releases take through 1, 5, 20, 50.
func TestBenchGood(t *testing.T) {
	r := newTrial(t, "good", &v1alpha1.RolloutPolicy{Bake: seconds(5)})
	w := r.watch()
	var table []string
	for _, c := range []struct {
		rate  int
		base  string
		bound time.Duration
	}{{100, "error=0.001", 90 * time.Second}, {100, "error=0.01", 3 * time.Minute}, {10, "error=0.001", 10 * time.Minute}} {
		var took []time.Duration
		r.try(c.base) // stable has the same base rate
		r.send("warm", 200, 100)
		r.ready("movies", 4*time.Minute)
		r.result("warm", 3*time.Minute)
		r.send("load", c.rate, int((c.bound+2*time.Minute).Seconds())*repeat()/2)
		for range (repeat() + 1) / 2 {
			began := time.Now()
			r.try(c.base)
			first := r.wait(w, began, time.Minute, "a share", weighed(1))
			canary := first.status.Canary.Hash
			end := r.wait(w, began, 2*c.bound, "all requests", func(st v1alpha1.FleetServiceStatus) bool {
				return st.Traffic != nil && st.Traffic.Revision == canary || st.Rejected != nil && st.Rejected.Hash == canary
			})
			if end.status.Rejected != nil {
				t.Errorf("a good release was taken back: %s", end.status.Rejected.Message)
			}
			took = append(took, end.at.Sub(first.at))
			r.ready("movies", time.Minute)
		}
		slices.Sort(took)
		median := took[len(took)/2]
		if median > c.bound {
			t.Errorf("%s at %d requests/s took %s, want at most %s", c.base, c.rate, median, c.bound)
		}
		table = append(table, fmt.Sprintf("| good, base %s | %d | %d | %s, %s | %s |", c.base, c.rate, len(took), tenth(median), tenth(took[len(took)-1]), c.bound))
		fmt.Println(table[len(table)-1])
		r.kubectl("delete", "job", "load", "--wait")
	}
	fmt.Printf("\n| release | requests/s | tries | 1 %% → 100 %%: median, max | bound |\n|---|---|---|---|---|\n%s\n", strings.Join(table, "\n"))
}
