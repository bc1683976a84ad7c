package main

import (
	"cmp"
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
	// FailedBySecond counts all failures by when they were sent, in order of time.
	FailedBySecond []failedSecond `json:"failedBySecond"`

	mu         sync.Mutex
	slow       time.Duration
	byRevision map[string]*revision
	bySecond   map[failedSecond]int
	times      []time.Duration
}

// revision is what one revision answered; "" is for calls that no revision is known to have got.
type revision struct {
	Revision string         `json:"revision"`
	Codes    map[string]int `json:"codes"`
	First    time.Time      `json:"first"` // answer
	Last     time.Time      `json:"last"`
	LastSent time.Time      `json:"lastSent"` // when the last call that it got was sent
	// Bad are calls that failed or were slower than --slow. The first of them to be answered was sent at FirstBadSent.
	Bad          int       `json:"bad"`
	FirstBad     time.Time `json:"firstBad,omitzero"`
	FirstBadSent time.Time `json:"firstBadSent,omitzero"`
	Latency      latency   `json:"latencyMs"`

	times []time.Duration
}

// failedSecond is how many calls of one second failed in one way. Calls that were not sent have the code "not sent".
type failedSecond struct {
	Second   int    `json:"second"` // since the load began
	Revision string `json:"revision"`
	Code     string `json:"code"`
	Calls    int    `json:"calls"`
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
		slow: o.slow, byRevision: map[string]*revision{}, bySecond: map[failedSecond]int{}, Failures: []failure{},
	}
}

func (r *report) skip(due time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.NotSent++
	r.fail("", "not sent", due)
}

func (r *report) fail(revision, code string, sent time.Time) {
	r.Failed++
	r.bySecond[failedSecond{Second: int(sent.Sub(r.Began) / time.Second), Revision: revision, Code: code}]++
}

func (r *report) add(o outcome, due, sent, answered time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Sent++
	if o.ok {
		r.OK++
	} else {
		r.fail(o.revision, o.code, sent)
		if len(r.Failures) < maxSamples {
			r.Failures = append(r.Failures, failure{At: answered, Revision: o.revision, Code: o.code, Message: o.message})
		}
	}
	v := r.byRevision[o.revision]
	if v == nil {
		v = &revision{Revision: o.revision, Codes: map[string]int{}, First: answered}
		r.byRevision[o.revision] = v
	}
	v.add(o.code, due, sent, answered)
	if !o.ok || (r.slow > 0 && answered.Sub(sent) > r.slow) {
		v.addBad(sent, answered)
	}
	r.times = append(r.times, answered.Sub(due))
}

func (v *revision) add(code string, due, sent, answered time.Time) {
	v.Codes[code]++
	v.Last = answered
	if sent.After(v.LastSent) {
		v.LastSent = sent
	}
	v.times = append(v.times, answered.Sub(due))
}

func (v *revision) addBad(sent, answered time.Time) {
	if v.Bad == 0 {
		v.FirstBad, v.FirstBadSent = answered, sent
	}
	v.Bad++
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
	r.FailedBySecond = make([]failedSecond, 0, len(r.bySecond))
	for of, calls := range r.bySecond {
		of.Calls = calls
		r.FailedBySecond = append(r.FailedBySecond, of)
	}
	slices.SortFunc(r.FailedBySecond, func(a, b failedSecond) int {
		return cmp.Or(cmp.Compare(a.Second, b.Second), cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Code, b.Code))
	})
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
	for _, v := range r.Revisions {
		if v.Bad > 0 {
			_, _ = fmt.Fprintf(w, "revision %q: %d bad calls, the first sent at %s and answered at %s; the last call of all was sent to it at %s\n",
				v.Revision, v.Bad, r.since(v.FirstBadSent), r.since(v.FirstBad), r.since(v.LastSent))
		}
	}
	for _, f := range r.Failures {
		_, _ = fmt.Fprintf(w, "  %s  %s  revision %q: %s\n", r.since(f.At), f.Code, f.Revision, strings.TrimSpace(f.Message))
	}
	return err
}

// since is a moment on the load's own clock.
func (r *report) since(t time.Time) string { return fmt.Sprintf("%.2fs", t.Sub(r.Began).Seconds()) }
