package count

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

const bound = 2 * time.Second

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) // a constant

// second is what a page says so many seconds after the process began.
func second(s float64, started, handled, bad int64) calls {
	at := start.Add(time.Duration(s * float64(time.Second)))
	return calls{began: start, from: at, to: at, started: started, handled: handled, ended: signals.Total{Requests: handled, Bad: bad}}
}

func TestHangs(t *testing.T) {
	for name, c := range map[string]struct {
		pages []calls
		want  []signals.Total
	}{
		"all end": {
			[]calls{second(1, 10, 10, 0), second(2, 20, 19, 1), second(4, 40, 39, 1)},
			[]signals.Total{{Requests: 10, Bad: 0}, {Requests: 19, Bad: 1}, {Requests: 39, Bad: 1}},
		},
		"all hang, and end badly by their deadline": {
			[]calls{second(1, 10, 0, 0), second(2, 20, 0, 0), second(3, 30, 0, 0), second(4, 40, 0, 0), second(6, 60, 10, 10), second(7, 70, 20, 20), second(8, 80, 30, 30)},
			[]signals.Total{{Requests: 0, Bad: 0}, {Requests: 0, Bad: 0}, {Requests: 10, Bad: 10}, {Requests: 20, Bad: 20}, {Requests: 40, Bad: 40}, {Requests: 40, Bad: 40}, {Requests: 60, Bad: 60}},
		},
		"one hangs and then ends well: it stays bad, and counts once": {
			[]calls{second(1, 1, 0, 0), second(3, 1, 0, 0), second(4, 1, 1, 0), second(9, 1, 1, 0)},
			[]signals.Total{{Requests: 0, Bad: 0}, {Requests: 1, Bad: 1}, {Requests: 1, Bad: 1}, {Requests: 1, Bad: 1}},
		},
		"one hangs and then ends badly: it counts once": {
			[]calls{second(1, 1, 0, 0), second(3, 1, 0, 0), second(4, 1, 1, 1), second(9, 2, 2, 2)},
			[]signals.Total{{Requests: 0, Bad: 0}, {Requests: 1, Bad: 1}, {Requests: 1, Bad: 1}, {Requests: 2, Bad: 2}},
		},
		"one that hangs for good is not counted anew after each rush of others": {
			[]calls{second(1, 1, 0, 0), second(3, 1, 0, 0), second(4, 101, 100, 0), second(7, 101, 100, 0), second(8, 201, 200, 0), second(11, 201, 200, 0)},
			[]signals.Total{{Requests: 0, Bad: 0}, {Requests: 1, Bad: 1}, {Requests: 100, Bad: 1}, {Requests: 101, Bad: 1}, {Requests: 200, Bad: 1}, {Requests: 201, Bad: 1}},
		},
		"after a quiet time, another that hangs is counted": {
			[]calls{second(1, 1, 0, 0), second(3, 1, 0, 0), second(4, 1, 1, 0), second(5, 1, 1, 0), second(6, 2, 1, 0), second(8, 2, 1, 0)},
			[]signals.Total{{Requests: 0, Bad: 0}, {Requests: 1, Bad: 1}, {Requests: 1, Bad: 1}, {Requests: 1, Bad: 1}, {Requests: 1, Bad: 1}, {Requests: 2, Bad: 2}},
		},
		"slow but within the bound": {
			[]calls{second(1, 10, 0, 0), second(2, 20, 5, 0), second(3, 30, 12, 0), second(4, 40, 22, 0)},
			[]signals.Total{{Requests: 0, Bad: 0}, {Requests: 5, Bad: 0}, {Requests: 12, Bad: 0}, {Requests: 22, Bad: 0}},
		},
		"first read long after it began: what was open may have been told of before, as requests": {
			[]calls{second(100, 1000, 990, 5), second(101, 1010, 1000, 5), second(102, 1020, 1010, 5)},
			[]signals.Total{{Requests: 1000, Bad: 5}, {Requests: 1000, Bad: 5}, {Requests: 1010, Bad: 5}},
		},
		"another process under the same name": {
			[]calls{second(1, 10, 0, 0), second(3, 30, 0, 0), second(4, 2, 2, 1), second(5, 3, 3, 1)},
			[]signals.Total{{Requests: 0, Bad: 0}, {Requests: 10, Bad: 10}, {Requests: 2, Bad: 1}, {Requests: 3, Bad: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h hangs
			var got []signals.Total
			for _, page := range c.pages {
				got = append(got, h.with(bound, page))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("with (-want +got):\n%s", diff)
			}
		})
	}
}

// call is a call of the simulated server, in milliseconds.
type call struct {
	began, ends int
	bad         bool
}

// TestHangsAgainstTheTruth: whatever the calls do, and whenever one looks, sums never fall, bad ones are within the
// requests, no more are bad than truly ended badly or hung, and each request counts once.
func TestHangsAgainstTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) call {
			began := rapid.IntRange(0, 20_000).Draw(t, "began")
			return call{began, began + rapid.OneOf(rapid.IntRange(0, 500), rapid.IntRange(0, 12_000), rapid.Just(1_000_000)).Draw(t, "takes"), rapid.Bool().Draw(t, "bad")}
		}), 1, 60).Draw(t, "calls")
		var h hangs
		var before signals.Total
		for now := rapid.IntRange(0, 1000).Draw(t, "first"); now < 40_000; now += rapid.IntRange(50, 5000).Draw(t, "later") {
			truth := tally(all, now)
			got := h.with(bound, truth.calls)
			if got.Requests < before.Requests || got.Bad < before.Bad || got.Bad > got.Requests {
				t.Fatalf("at %d ms: told %+v after %+v, want sums that never fall, and bad ones within all", now, got, before)
			}
			if got.Requests < truth.ended.Requests || got.Requests > truth.ended.Requests+truth.hung || got.Bad > truth.bad {
				t.Fatalf("at %d ms: told %+v, but %d ended, %d of all are bad, and %d hang", now, got, truth.ended.Requests, truth.bad, truth.hung)
			}
			before = got
		}
		// In the end, when all is quiet, nothing is missed that hangs.
		truth := tally(all, 60_000)
		h.with(bound, truth.calls)
		if got := h.with(bound, tally(all, 63_000).calls); got.Requests != int64(len(all)) || got.Bad < truth.hung {
			t.Fatalf("in the end told %+v, want all %d requests, and the %d that hang among the bad ones", got, len(all), truth.hung)
		}
	})
}

type truth struct {
	calls

	// hung are open for longer than the bound now, bad ended badly or have ever been open for longer.
	hung, bad int64
}

func tally(all []call, now int) truth {
	at := start.Add(time.Duration(now) * time.Millisecond)
	limit := int(bound.Milliseconds())
	tr := truth{calls: calls{began: start, from: at, to: at}}
	for _, c := range all {
		if c.began > now {
			continue
		}
		tr.started++
		ended, hung := c.ends <= now, min(now, c.ends)-c.began >= limit
		switch {
		case ended:
			tr.ended.Requests++
			if c.bad {
				tr.ended.Bad++
			}
		case hung:
			tr.hung++
		}
		if hung || (ended && c.bad) {
			tr.bad++
		}
	}
	tr.handled = tr.ended.Requests
	return tr
}
