package evidence

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// A history is what happens to a service between readings: requests, pods that come, go and begin anew, pages and readings
// that fail, changes of weight, other operators.
type history struct {
	w        *world
	position Position
	pods     int
	// ended is what pods of canary and stable have counted in all.
	ended [2]verdict.Counts
}

func newHistory(callers int) *history {
	h := &history{w: newWorld(2, 2), position: at(10)}
	for q := range callers {
		h.w.calling("caller" + string(rune('a'+q)))
	}
	return h
}

// step lets something happen.
func (h *history) step(t *rapid.T) {
	h.w.after(time.Duration(rapid.Int64Range(500, 3000).Draw(t, "ms")) * time.Millisecond)
	h.w.slow = ""
	for _, p := range h.w.pods {
		p.err = ""
	}
	switch rapid.IntRange(0, 12).Draw(t, "event") {
	case 0:
		h.pods++
		h.w.start("x"+string(rune('a'+h.pods)), rapid.SampledFrom([]string{"new", "old"}).Draw(t, "revision"), h.w.now)
	case 1:
		if len(h.w.pods) > 2 {
			h.w.pods = h.w.pods[1:]
		}
	case 2:
		p := h.w.pods[0]
		p.began, p.said[signals.Errors] = h.w.now, signals.Total{}
	case 3:
		rapid.SampledFrom(h.w.pods).Draw(t, "unread").err = "timeout"
	case 4:
		h.w.slow = "took 1 s"
	case 5:
		h.position = Position{Percent: rapid.SampledFrom([]int32{1, 10, 50}).Draw(t, "weight"), Since: h.w.now}
	}
	h.requests(t)
}

func (h *history) requests(t *rapid.T) {
	for _, p := range h.w.pods {
		n := rapid.Int64Range(0, 60).Draw(t, "requests")
		bad := rapid.Int64Range(0, n/4).Draw(t, "bad")
		h.w.ends(p.uid, n, bad)
		for _, c := range h.w.callers {
			c.sees(p.revision, n/int64(len(h.w.callers)), bad/int64(len(h.w.callers)))
		}
		side := 0
		if p.revision == "old" {
			side = 1
		}
		h.ended[side].Requests += n
		h.ended[side].Bad += bad
	}
}

// A restart of the operator between any two readings changes nothing but the last digits of the evidence.
func TestRestartsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(rapid.IntRange(0, 2).Draw(t, "callers"))
		lasting, restarted := begin(t, release()), begin(t, release())
		for range rapid.IntRange(1, 25).Draw(t, "readings") {
			h.step(t)
			if rapid.Bool().Draw(t, "restart") {
				restarted = reload(t, restarted)
			}
			lasting.Add(h.w.reading(), h.position)
			restarted.Add(h.w.reading(), h.position)
		}
		if lasting.compared() != restarted.compared() || lasting.state.Canary.at(0) != restarted.state.Canary.at(0) {
			t.Fatalf("after restarts compared %v, canary %v; without %v, %v",
				restarted.compared(), restarted.state.Canary, lasting.compared(), lasting.state.Canary)
		}
		was, is := lasting.verdict.LogE(), restarted.verdict.LogE()
		if math.Abs(is-was) > 1e-3*(1+math.Abs(was)) {
			t.Fatalf("after restarts log E = %g, without %g", is, was)
		}
	})
}

// What is lost between a save and a restart is read again from the counters: nothing is lost or counted twice.
func TestWhatWasNotSavedIsCountedAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, b := newWorld(2, 2), begin(t, release())
		b.Add(w.reading(), at(10))
		saved := reload(t, b)
		sum := [2]int64{}
		for range rapid.IntRange(1, 30).Draw(t, "readings") {
			f := flow{canary: rapid.Int64Range(0, 20).Draw(t, "canary"), stable: rapid.Int64Range(0, 90).Draw(t, "stable")}
			w.run(b, at(10), 1, f)
			sum[0], sum[1] = sum[0]+f.canary, sum[1]+f.stable
			switch rapid.IntRange(0, 4).Draw(t, "then") {
			case 0:
				saved = reload(t, b)
			case 1:
				b = reload(t, saved)
			}
		}
		b.Add(w.after(time.Second).reading(), at(10))
		b.Close(w.now)
		if got := b.compared(); got != sum {
			t.Fatalf("compared %v, want %v", got, sum)
		}
	})
}

// However pods come, go and begin anew, no more is counted than they counted, and no look is impossible.
func TestNothingIsCountedTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(rapid.IntRange(0, 2).Draw(t, "callers"))
		b := begin(t, release())
		for range rapid.IntRange(1, 30).Draw(t, "readings") {
			h.step(t)
			b.Add(h.w.reading(), h.position)
			if b.state.Trouble != "" {
				t.Fatalf("a look was left out: %s", b.state.Trouble)
			}
		}
		b.Close(h.w.now)
		// Where callers count, what they counted of one revision is at most what its pods did: they miss what rounding takes.
		for side, sum := range []verdict.Counts{b.state.Canary.at(0), b.state.Stable.at(0)} {
			if sum.Requests > h.ended[side].Requests || sum.Bad > h.ended[side].Bad || sum.Bad > sum.Requests {
				t.Fatalf("side %d: counted %v, its pods ended %v", side, sum, h.ended[side])
			}
		}
		if s := b.state.Step; s.Canary > h.ended[0].Requests || s.Stable > h.ended[1].Requests {
			t.Fatalf("compared %v, pods ended %v", b.compared(), h.ended)
		}
	})
}

// With one pod each and every page readable, all that happens at one weight is compared, to the last request.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, b := newWorld(1, 1), begin(t, release())
		b.Add(w.reading(), at(10))
		sum := [2]int64{}
		for range rapid.IntRange(1, 40).Draw(t, "readings") {
			f := flow{canary: rapid.Int64Range(0, 5).Draw(t, "canary"), stable: rapid.Int64Range(0, 20).Draw(t, "stable")}
			f.canaryBad, f.stableBad = rapid.Int64Range(0, f.canary).Draw(t, "bad"), rapid.Int64Range(0, f.stable).Draw(t, "bad")
			w.run(b, at(10), 1, f)
			sum[0], sum[1] = sum[0]+f.canary, sum[1]+f.stable
		}
		b.Close(w.now)
		if got := b.compared(); got != sum {
			t.Fatalf("compared %v, want %v", got, sum)
		}
	})
}
