package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// maxSamples bounds the messages of failures that are kept; all failures are counted.
const maxSamples = 10

// report is what came of a load; its JSON is for programs.
type report struct {
	Target    string      `json:"target"`
	Rate      int         `json:"rate"` // calls a second that were due
	Began     time.Time   `json:"began"`
	Seconds   float64     `json:"seconds"` // until the last answer
	Sent      int         `json:"sent"`
	OK        int         `json:"ok"`
	Failed    int         `json:"failed"`  // everything but OK, and what was not sent
	NotSent   int         `json:"notSent"` // too many calls without an answer
	Latency   latency     `json:"latencyMs"`
	Revisions []*revision `json:"revisions"`
	Failures  []failure   `json:"failures"` // the first few

	mu         sync.Mutex
	byRevision map[string]*revision
	times      []time.Duration
}

// revision is what one revision answered; "" is for calls that no revision answered.
type revision struct {
	Revision string         `json:"revision"`
	Codes    map[string]int `json:"codes"`
	First    time.Time      `json:"first"` // answer
	Last     time.Time      `json:"last"`
	Latency  latency        `json:"latencyMs"`

	times []time.Duration
}

// latency is in milliseconds, from when a call was due to its answer.
type latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

type failure struct {
	At       time.Time `json:"at"`
	Revision string    `json:"revision"`
	Code     string    `json:"code"`
	Message  string    `json:"message"`
}

func newReport(o options) *report {
	return &report{
		Target: o.target + o.rest, Rate: o.rate, Began: time.Now(),
		byRevision: map[string]*revision{}, Failures: []failure{},
	}
}

func (r *report) skip() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.NotSent++
	r.Failed++
}

func (r *report) add(o outcome, due, answered time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Sent++
	if o.ok {
		r.OK++
	} else {
		r.Failed++
		if len(r.Failures) < maxSamples {
			r.Failures = append(r.Failures, failure{At: answered, Revision: o.revision, Code: o.code, Message: o.message})
		}
	}
	v := r.byRevision[o.revision]
	if v == nil {
		v = &revision{Revision: o.revision, Codes: map[string]int{}, First: answered}
		r.byRevision[o.revision] = v
	}
	v.Codes[o.code]++
	v.Last = answered
	v.times = append(v.times, answered.Sub(due))
	r.times = append(r.times, answered.Sub(due))
}

func (r *report) progress(after time.Duration) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("load: %4.0f s  answered %d  failed %d  revisions %s", after.Seconds(), r.Sent, r.Failed,
		strings.Join(slices.Sorted(maps.Keys(r.byRevision)), " "))
}

// finish computes what needs all calls. Revisions stand in the order in which they appeared.
func (r *report) finish(took time.Duration) {
	r.Seconds = took.Seconds()
	r.Latency = percentiles(r.times)
	r.Revisions = slices.SortedFunc(maps.Values(r.byRevision), func(a, b *revision) int { return a.First.Compare(b.First) })
	for _, v := range r.Revisions {
		v.Latency = percentiles(v.times)
	}
}

func percentiles(times []time.Duration) latency {
	if len(times) == 0 {
		return latency{}
	}
	slices.Sort(times)
	// The nearest rank: the smallest time that at least this share of calls did not exceed.
	at := func(percent int) float64 {
		rank := (len(times)*percent + 99) / 100
		return float64(times[rank-1].Microseconds()) / 1000
	}
	return latency{P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}

// write puts the table on stdout and JSON into the file, or JSON alone on stdout.
func (r *report) write(jsonFile string, stdout io.Writer) error {
	if jsonFile != "-" {
		if err := r.table(stdout); err != nil {
			return err
		}
	}
	if jsonFile == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	text = append(text, '\n')
	if jsonFile == "-" {
		_, err = stdout.Write(text)
		return err
	}
	return os.WriteFile(jsonFile, text, 0o644)
}

func (r *report) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) } // Flush tells of an error
	line("REVISION\tCODE\tCALLS\tFIRST\tLAST\tP50 ms\tP90 ms\tP99 ms\tMAX ms")
	for _, v := range r.Revisions {
		for _, code := range slices.Sorted(maps.Keys(v.Codes)) {
			name := v.Revision
			if name == "" {
				name = "-"
			}
			line("%s\t%s\t%d\t%s\t%s\t%.1f\t%.1f\t%.1f\t%.1f", name, code, v.Codes[code], r.since(v.First), r.since(v.Last),
				v.Latency.P50, v.Latency.P90, v.Latency.P99, v.Latency.Max)
		}
	}
	line("all\t\t%d\t\t\t%.1f\t%.1f\t%.1f\t%.1f", r.Sent, r.Latency.P50, r.Latency.P90, r.Latency.P99, r.Latency.Max)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of %d calls failed (%d were not sent), %d a second were due, %.1f s in all\n",
		r.Failed, r.Sent+r.NotSent, r.NotSent, r.Rate, r.Seconds)
	for _, f := range r.Failures {
		_, _ = fmt.Fprintf(w, "  %s  %s  revision %q: %s\n", r.since(f.At), f.Code, f.Revision, strings.TrimSpace(f.Message))
	}
	return err
}

// since is a moment on the load's own clock.
func (r *report) since(t time.Time) string { return fmt.Sprintf("%.2fs", t.Sub(r.Began).Seconds()) }
