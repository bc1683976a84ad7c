package evidence

import (
	"slices"
	"strings"
	"testing"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

func TestJudge(t *testing.T) {
	soon := Question{Next: 20, MaxStep: 10 * time.Minute}
	early := Question{Next: 20, Early: true, MaxStep: 10 * time.Minute}
	for _, c := range []struct {
		name    string
		seconds int
		flow    flow
		ask     Question
		action  verdict.Action
		reason  verdict.Reason
		message string
	}{
		{"nothing yet", 0, flow{}, soon, verdict.Hold, verdict.Unproven,
			"errors: 0 of 0 bad against 0 of 0 bad; weight 20 needs E=20 and has 1: no request was counted in this step"},
		{"a little", 2, flow{10, 0, 90, 1}, soon, verdict.Hold, verdict.Unproven,
			"errors: 0 of 20 bad against 2 of 180 bad; weight 20 needs E=20 and has 2.27: about 12s more at this traffic"},
		{"enough, too early", 20, flow{10, 0, 90, 1}, early, verdict.Hold, verdict.TooEarly,
			"errors: 0 of 200 bad against 20 of 1800 bad: weight 20 is harmless, E=5251 ≥ 20, and comes when this step has lasted long enough"},
		{"enough", 20, flow{10, 0, 90, 1}, soon, verdict.Promote, verdict.Bounded,
			"errors: 0 of 200 bad against 20 of 1800 bad: weight 20 is harmless, E=5251 ≥ 20"},
		{"worse", 4, flow{10, 3, 90, 0}, soon, verdict.Rollback, verdict.Worse,
			"errors: 12 of 40 bad against 0 of 360 bad: E=67141 ≥ 100 (odds ×1.5 tolerated)"},
		{"suspicious", 2, flow{10, 1, 90, 0}, soon, verdict.Hold, verdict.Suspicious,
			"errors: 2 of 20 bad against 0 of 180 bad: E=15.7 speaks against it, from 10 on no more is given; E=100 takes it back"},
		{"as bad as stable", 60, flow{10, 1, 90, 9}, Question{}, verdict.Hold, verdict.Complete,
			"errors: 60 of 600 bad against 540 of 5400 bad: nothing speaks against it"},
		{"stable has no requests", 60, flow{10, 0, 0, 0}, soon, verdict.Hold, verdict.Unproven,
			"errors: 0 of 600 bad against 0 of 0 bad: no request reached the stable revision in this step, so there is nothing to compare with"},
		{"this traffic is too little", 60, flow{0, 0, 1, 0}, Question{Next: 20, MaxStep: time.Minute}, verdict.Hold, verdict.Unproven,
			"errors: 0 of 0 bad against 0 of 60 bad; weight 20 needs E=20 and has 1: this traffic does not show it"},
		{"this traffic needs longer than a step", 20, flow{1, 0, 9, 0}, Question{Next: 100, MaxStep: time.Minute}, verdict.Hold, verdict.Unproven,
			"errors: 0 of 20 bad against 0 of 180 bad; weight 100 needs E=20 and has 1.09: about 1h42m6s at this traffic, more than the 1m0s of a step"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := newWorld(1, 1), begin(t, release())
			b.Add(w.reading(), at(10))
			w.run(b, at(10), c.seconds, c.flow)
			j := b.Judge(c.ask)
			if j.Action != c.action || j.Reason != c.reason {
				t.Errorf("Judge(%v) = %s %s, want %s %s", c.ask, j.Action, j.Reason, c.action, c.reason)
			}
			if j.Message != c.message {
				t.Errorf("Judge(%v) says\n%s, want\n%s", c.ask, j.Message, c.message)
			}
			if j.Clear != (j.LogE < clearBelow) || j.Requests != int64(c.seconds)*(c.flow.canary+c.flow.stable) {
				t.Errorf("Judge(%v): clear %v at log E %g, %d requests", c.ask, j.Clear, j.LogE, j.Requests)
			}
		})
	}
}

func TestNumbersOfAJudgement(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release())
	b.Add(w.reading(), at(10))
	w.run(b, at(10), 10, flow{10, 0, 90, 0})
	j := b.Judge(Question{Next: 50, MaxStep: 10 * time.Minute})
	if j.Requests != 1000 || j.CanaryRequests != 100 || j.MeasuredShare != 10 || j.MeasuredPercent != "10" || j.CountedBy != "servers" {
		t.Errorf("Judge() counts %d requests, %d at the canary (%g, %q) by %s, want 1000, 100 (10, \"10\") by servers",
			j.Requests, j.CanaryRequests, j.MeasuredShare, j.MeasuredPercent, j.CountedBy)
	}
	want := SignalSummary{Name: signals.Errors, Canary: signals.Total{Requests: 100}, Stable: signals.Total{Requests: 900}, Against: "1", ForNext: j.Signals[0].ForNext}
	if len(j.Signals) != 1 || j.Signals[0] != want || want.ForNext == "" {
		t.Errorf("Judge() shows signals %v, want %v with evidence for the next weight", j.Signals, want)
	}
	if j.TimeLeft <= 0 || j.TimeLeft > 2*time.Minute || j.SmallestEffect == "" {
		t.Errorf("Judge() foretells %s and an effect of %q, want a time up to 2m and an effect", j.TimeLeft, j.SmallestEffect)
	}
	if later := b.Judge(Question{Next: 30}); later.Signals[0].ForNext != j.Signals[0].ForNext {
		t.Errorf("for weight 30, which the release does not have, evidence is %s, want that for 50, %s", later.Signals[0].ForNext, j.Signals[0].ForNext)
	}
	if none := b.Judge(Question{}); none.Signals[0].ForNext != "" || none.TimeLeft != 0 {
		t.Errorf("Judge() without a question for more: %v %s, want nothing about a next weight", none.Signals, none.TimeLeft)
	}
}

func TestOneFailedRequestConvictsNobody(t *testing.T) {
	for _, weight := range []int32{1, 10, 50} {
		for _, pods := range []int{1, 2, 5} {
			w, b := newWorld(1, pods), begin(t, release())
			b.Add(w.reading(), at(weight))
			w.run(b, at(weight), 1, flow{1, 1, 1_000_000, 0})
			for range 200 {
				if j := b.Judge(Question{Next: 20}); j.Action == verdict.Rollback {
					t.Fatalf("weight %d, %d pods: one failed request: %s", weight, pods, j.Message)
				}
				w.run(b, at(weight), 1, flow{1, 0, 1_000_000, 0})
			}
		}
	}
}

func TestADeadCanaryIsConvictedAtOnce(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release(signals.Errors, signals.Refusals, signals.Latency))
	b.Add(w.reading(), at(10))
	w.run(b, at(10), 1, flow{10, 10, 90, 0})
	if j := b.Judge(Question{Next: 20}); j.Action != verdict.Rollback {
		t.Errorf("10 of 10 bad against 0 of 90, after one look: Judge() = %s %s (%s), want Rollback", j.Action, j.Reason, j.Message)
	}
}

func TestBlind(t *testing.T) {
	for _, c := range []struct {
		name    string
		signals []string
		callers bool
		flow    flow
		change  func(w *world)
		percent int32
		want    []string // parts of the sentences, one each
	}{
		{name: "nothing", flow: flow{10, 0, 90, 0}, percent: 10},
		{name: "a page of the canary", flow: flow{10, 0, 90, 0}, percent: 10,
			change: func(w *world) { w.pod("cb").err = "connection refused" },
			want:   []string{"canary's pod cb cannot be read: connection refused"}},
		{name: "a page of stable is one of many", flow: flow{10, 0, 90, 0}, percent: 10,
			change: func(w *world) { w.pod("sb").err = "connection refused" }},
		{name: "all pages of stable", flow: flow{}, percent: 10,
			change: func(w *world) { w.pod("sa").err, w.pod("sb").err = "timeout", "timeout" },
			want:   []string{"no pod of the stable revision can be read: sa: timeout"}},
		{name: "with all requests, stable need not be read", flow: flow{10, 0, 0, 0}, percent: 100,
			change: func(w *world) { w.pod("sa").err, w.pod("sb").err = "timeout", "timeout" }},
		{name: "a signal that nobody gives", signals: []string{signals.Errors, signals.Latency}, flow: flow{10, 0, 90, 0}, percent: 10,
			want: []string{"no pod of the canary shows latency", "no pod of the stable revision shows latency"}},
		{name: "a signal that the canary does not give any more", flow: flow{}, percent: 10,
			change: func(w *world) { w.pod("ca").mute, w.pod("cb").mute = true, true },
			want:   []string{"no pod of the canary shows errors in its metrics: name its counters"}},
		{name: "callers need no page of the canary", flow: flow{10, 0, 90, 0}, percent: 10, callers: true,
			change: func(w *world) { w.pod("ca").err = "connection refused" }},
		{name: "too little ends at the canary", flow: flow{1, 0, 99, 0}, percent: 10,
			want: []string{"the canary ended 12 of about 120 requests due to it at weight 10: they hang, or callers do not follow"}},
		{name: "a third ends", flow: flow{4, 0, 96, 0}, percent: 10},
		{name: "callers bring it too little: starved, not blind", flow: flow{1, 0, 99, 0}, percent: 10, callers: true},
		{name: "slow", flow: flow{10, 0, 90, 0}, percent: 10,
			change: func(w *world) { w.slow = "the reading took 1.2s" },
			want:   []string{"too slow to compare revisions: the reading took 1.2s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := newWorld(2, 2), begin(t, release(c.signals...))
			if c.callers {
				w.calling("caller")
			}
			b.Add(w.reading(), at(c.percent))
			if c.callers {
				w.run(b, at(c.percent), 1, c.flow)
			}
			if c.change != nil {
				c.change(w)
			}
			seconds := 12
			if c.callers {
				seconds = 11
			}
			w.run(b, at(c.percent), seconds, c.flow)
			b.Close(w.now)
			j := b.Judge(Question{Next: 20})
			if len(j.Blind) != len(c.want) || (j.Reason == verdict.Blind) != (len(c.want) > 0) {
				t.Fatalf("Judge() = %s, blind for %q, want blind for %q", j.Reason, j.Blind, c.want)
			}
			for i, part := range c.want {
				if !strings.Contains(j.Blind[i], part) || !strings.Contains(j.Message, part) {
					t.Errorf("blind for %q, message %q, want it to say %q", j.Blind[i], j.Message, part)
				}
			}
		})
	}
}

// Callers take a second to follow a weight: what was due in it is no reason to be blind.
func TestCallersAreGivenTimeToFollow(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release())
	b.Add(w.reading(), at(10))
	w.run(b, at(10), 2, flow{0, 0, 20_000, 0})
	w.run(b, at(10), 7, flow{100, 0, 900, 0})
	if j := b.Judge(Question{Next: 20}); len(j.Blind) > 0 {
		t.Errorf("9 s after the weight was given Judge() is blind: %q, want that it waits", j.Blind)
	}
}

// Blindness ends with its cause, and never keeps a bad canary.
func TestBlindIsNotForEver(t *testing.T) {
	w, b := newWorld(1, 2), begin(t, release())
	b.Add(w.reading(), at(10))
	w.slow = "took 1 s"
	w.run(b, at(10), 5, flow{10, 0, 90, 0})
	if j := b.Judge(Question{Next: 20}); j.Reason == verdict.Blind {
		t.Errorf("after 5 s of slow readings Judge() = Blind, want that it waits")
	}
	w.run(b, at(10), 7, flow{10, 0, 90, 0})
	if j := b.Judge(Question{Next: 20}); j.Reason != verdict.Blind {
		t.Fatalf("after 12 s of slow readings Judge() = %s, want Blind", j.Reason)
	}
	w.slow = ""
	w.run(b, at(10), 1, flow{10, 0, 90, 0})
	if j := b.Judge(Question{Next: 20}); j.Reason == verdict.Blind {
		t.Errorf("after a quick reading Judge() = %s (%s), want to see again", j.Reason, j.Message)
	}
	w.pod("cb").err = "timeout"
	w.run(b, at(10), 20, flow{10, 10, 90, 0})
	if j := b.Judge(Question{Next: 20}); j.Action == verdict.Promote || j.Clear {
		t.Errorf("one page of two away, all of the other's requests bad: Judge() = %s %s (%s), want a suspicion", j.Action, j.Reason, j.Message)
	}
}

func TestStarved(t *testing.T) {
	for _, c := range []struct {
		name    string
		callers bool
		seconds int
		flow    flow
		want    string
	}{
		{"callers bring nearly nothing", true, 12, flow{1, 0, 99, 0}, "callers brought the canary 12 of about 120 requests due to it at weight 10: they cannot reach it"},
		{"callers bring half", true, 12, flow{5, 0, 95, 0}, ""},
		{"callers had no time to follow", true, 9, flow{1, 0, 99, 0}, ""},
		{"too little is due", true, 12, flow{0, 0, 20, 0}, ""},
		{"servers cannot tell", false, 12, flow{1, 0, 99, 0}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := newWorld(1, 1), begin(t, release())
			if c.callers {
				w.calling("caller")
			}
			b.Add(w.reading(), at(10))
			w.run(b, at(10), c.seconds, c.flow)
			b.Close(w.now)
			if j := b.Judge(Question{Next: 20}); j.Starved != c.want {
				t.Errorf("Judge().Starved = %q, want %q", j.Starved, c.want)
			}
		})
	}
}

// Where nothing answers beside it, the canary is judged by its objective alone.
func TestAlone(t *testing.T) {
	r := release()
	r.Params.Alone = true
	for _, c := range []struct {
		name   string
		flow   flow
		action verdict.Action
		words  string
	}{
		{"good", flow{10, 0, 0, 0}, verdict.Promote, "weight 20 is harmless"},
		{"bad", flow{10, 2, 0, 0}, verdict.Rollback, "1 % allowed, nothing to compare with"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := newWorld(1, 1), begin(t, r)
			b.Add(w.reading(), at(10))
			w.run(b, at(10), 40, c.flow)
			if j := b.Judge(Question{Next: 20}); j.Action != c.action || !strings.Contains(j.Message, c.words) {
				t.Errorf("Judge() = %s (%s), want %s with %q", j.Action, j.Message, c.action, c.words)
			}
		})
	}
}

// TestOutageAlone: what fails while a consumer waits for its database, or fails within the same reading, is held against nobody
// where there is nothing to compare with; beside stable it is, which an outage stops too.
func TestOutageAlone(t *testing.T) {
	for _, c := range []struct {
		name   string
		alone  bool
		waits  string
		reason verdict.Reason
	}{
		{"alone, waiting", true, signals.Database, verdict.Complete},
		{"alone, and it says nothing of waiting", true, "", verdict.Worse},
		{"beside stable", false, signals.Database, verdict.Worse},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := release()
			r.Params.Alone = c.alone
			w, b := newWorld(1, 1), begin(t, r)
			b.Add(w.reading(), at(50))
			w.run(b, at(50), 5, flow{100, 0, 100, 0})
			w.pod("ca").waits = c.waits
			for range 10 {
				w.run(b, at(50), 1, flow{500, 500, 100, 0})
				b = reload(t, b)
			}
			w.pod("ca").waits = ""
			w.run(b, at(50), 1, flow{500, 500, 100, 0}) // counted since the reading before, at which it waited
			w.run(b, at(50), 5, flow{100, 0, 100, 0})
			if j := b.Judge(Question{}); j.Reason != c.reason {
				t.Errorf("Judge() = %s (%s), want %s", j.Reason, j.Message, c.reason)
			}
		})
	}
}

func TestOnePodIsNamed(t *testing.T) {
	w, b := newWorld(1, 2), begin(t, release())
	b.Add(w.reading(), at(10))
	for range 30 {
		w.ends("cb", 5, 0)
		w.run(b, at(10), 1, flow{5, 4, 90, 0})
	}
	j := b.Judge(Question{Next: 20})
	if j.Reason != verdict.OnePod || !slices.Equal(j.Pods, []string{"ca"}) || !strings.Contains(j.Message, "rests on pod ca alone: delete it") {
		t.Errorf("one bad pod of two: Judge() = %s %v (%s), want OnePod [ca], named", j.Reason, j.Pods, j.Message)
	}
}
