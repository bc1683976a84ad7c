package main

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestWhatACanaryCosts drives a load in which the canary gets calls from 1.5 s to 2.5 s, is slow in the second half of that
// and fails twice; one call never reaches anybody.
func TestWhatACanaryCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
		canary := func() outcome {
			switch since := time.Since(began); since {
			case 1600 * time.Millisecond, 2 * time.Second:
				return outcome{revision: "canary", code: "Internal", message: "broken"}
			default:
				if since > 2*time.Second {
					time.Sleep(300 * time.Millisecond)
				}
				return outcome{revision: "canary", code: "OK", ok: true}
			}
		}
		o := options{rate: 10, duration: 4 * time.Second, slow: 200 * time.Millisecond, movies: []string{"1"}, quiet: true}
		r := drive(t.Context(), o, func(context.Context, string) outcome {
			switch since := time.Since(began); {
			case since == 3*time.Second:
				return outcome{code: "Unavailable", message: "nobody there"}
			case since >= 1500*time.Millisecond && since <= 2500*time.Millisecond:
				return canary()
			default:
				return outcome{revision: "stable", code: "OK", ok: true}
			}
		}, nil)

		want := []*revision{
			{Revision: "stable", Codes: map[string]int{"OK": 28}, First: at(0), Last: at(3900), LastSent: at(3900)},
			{
				Revision: "canary", Codes: map[string]int{"OK": 9, "Internal": 2}, First: at(1500), Last: at(2800), LastSent: at(2500),
				Bad: 7, FirstBad: at(1600), FirstBadSent: at(1600),
			},
			{
				Revision: "", Codes: map[string]int{"Unavailable": 1}, First: at(3000), Last: at(3000), LastSent: at(3000),
				Bad: 1, FirstBad: at(3000), FirstBadSent: at(3000),
			},
		}
		if diff := cmp.Diff(want, r.Revisions, cmpopts.IgnoreFields(revision{}, "Latency", "times")); diff != "" {
			t.Errorf("revisions (-want +got):\n%s", diff)
		}
		seconds := []failedSecond{
			{Second: 1, Revision: "canary", Code: "Internal", Calls: 1},
			{Second: 2, Revision: "canary", Code: "Internal", Calls: 1},
			{Second: 3, Revision: "", Code: "Unavailable", Calls: 1},
		}
		if diff := cmp.Diff(seconds, r.FailedBySecond); diff != "" {
			t.Errorf("failures by second (-want +got):\n%s", diff)
		}
		if r.Failed != 3 {
			t.Errorf("failed = %d, want 3: slow answers are bad and have not failed", r.Failed)
		}
	})
}

// A call that hangs is answered when it is given up: how late that was must not hide when the revision last got one.
func TestTheFirstBadCallIsKnownByItsSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		o := options{rate: 10, duration: time.Second, movies: []string{"1"}, quiet: true}
		r := drive(t.Context(), o, func(context.Context, string) outcome {
			time.Sleep(2 * time.Second)
			return outcome{revision: "hangs", code: "DeadlineExceeded"}
		}, nil)
		v := r.Revisions[0]
		got := []time.Duration{v.FirstBadSent.Sub(began), v.FirstBad.Sub(began), v.LastSent.Sub(began), v.Last.Sub(began)}
		want := []time.Duration{0, 2 * time.Second, 900 * time.Millisecond, 2900 * time.Millisecond}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("first bad sent, first bad answered, last sent, last answered (-want +got):\n%s", diff)
		}
	})
}

func TestAGoodRevisionHasNoFirstBadCall(t *testing.T) {
	text, err := json.Marshal(revision{Revision: "good"})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"firstBad", "firstBadSent"} {
		if _, there := got[field]; there {
			t.Errorf("%s of a revision without bad calls stands in %s, want it left out", field, text)
		}
	}
}

func TestPercentiles(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Millisecond)
	}
	for name, tc := range map[string]struct {
		times []time.Duration
		want  latency
	}{
		"none":    {nil, latency{}},
		"one":     {[]time.Duration{5 * time.Millisecond}, latency{5, 5, 5, 5}},
		"hundred": {hundred, latency{50, 90, 99, 100}},
	} {
		if diff := cmp.Diff(tc.want, percentiles(tc.times)); diff != "" {
			t.Errorf("percentiles of %s (-want +got):\n%s", name, diff)
		}
	}
}
