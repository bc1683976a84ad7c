package evidence

import (
	"fmt"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

const (
	// blindAfter is how long readings may be too slow to be used.
	blindAfter = 10 * time.Second
	// follow is how long callers are given to follow a weight, before they are said to bring the canary too little.
	follow = 10 * time.Second
)

// blind says in sentences what cannot be seen, and which signals it concerns.
func (b *Book) blind() (sentences, names []string) {
	say := func(signal int, format string, args ...any) {
		sentences = append(sentences, fmt.Sprintf(format, args...))
		names = append(names, b.release.Params.Signals[signal].Name)
	}
	s := b.state
	if s.Slow != "" && s.SlowFor >= blindAfter {
		say(0, "for %s all readings were too slow to compare revisions: %s; see whether the operator or the nodes are short of CPU", s.SlowFor.Round(time.Second), s.Slow)
	}
	if s.Trouble != "" {
		say(0, "%s", s.Trouble)
	}
	for i, g := range b.release.Params.Signals {
		if !b.byCallers(i) {
			b.unread(i, say)
			b.absent(i, g.Name, say)
		}
	}
	if due, late := b.due(); late && verdict.Hangs(due, s.Step.Canary) && b.starved() == "" {
		say(0, "the canary ended %d of about %.0f requests due to it at weight %d: they hang, or callers do not follow weights; see its logs and what calls it",
			s.Step.Canary, due, s.Position.Percent)
	}
	return sentences, names
}

// unread speaks of pages of the canary, and of stable's where none can be read; once, since a page holds all signals.
func (b *Book) unread(signal int, say func(int, string, ...any)) {
	for i := range signal {
		if !b.byCallers(i) {
			return
		}
	}
	for _, u := range b.state.Unread {
		switch {
		case u.Revision == b.release.Canary:
			say(signal, "the metrics of the canary's pod %s cannot be read: %s; its port admin has to serve them", u.Pod, u.Err)
		case b.comparing() && b.state.Read[1] == 0:
			say(signal, "the metrics of no pod of the stable revision can be read: %s: %s", u.Pod, u.Err)
			return
		}
	}
}

// absent speaks of signals that pages do not give.
func (b *Book) absent(signal int, name string, say func(int, string, ...any)) {
	for _, a := range b.state.Absent {
		if a.Signal != signal || (a.Revision == b.release.Stable && !b.comparing()) {
			continue
		}
		which, remedy := "the canary", "name its counters in spec.signals.metrics.requests"
		if a.Revision == b.release.Stable {
			which = "the stable revision"
		}
		if name == signals.Latency {
			remedy = "name its histogram in spec.signals.metrics.durations, and as the objective's bound one of its buckets"
		}
		say(signal, "no pod of %s shows %s in its metrics: %s", which, name, remedy)
	}
}

// comparing is true while both revisions are to have requests.
func (b *Book) comparing() bool {
	return b.state.Position.Percent > 0 && b.state.Position.Percent < all && !b.release.Params.Alone
}

// due is how many requests of this step were the canary's; late is true when callers have had time to follow.
func (b *Book) due() (due float64, late bool) {
	s := b.state.Step
	late = b.comparing() && !b.release.Uneven && b.state.ReadAt.Sub(s.From) >= follow
	return verdict.Due(s.Canary+s.Stable, float64(b.state.Position.Percent)/all), late
}

// starved speaks of a canary that callers cannot bring its share. Where only servers count, it may be callers that do not
// follow weights: that is no fault of the canary's.
func (b *Book) starved() string {
	due, late := b.due()
	if !late || b.state.Source != callers || !verdict.Starved(due, b.state.Step.Canary) {
		return ""
	}
	return fmt.Sprintf("callers brought the canary %d of about %.0f requests due to it at weight %d: they cannot reach it",
		b.state.Step.Canary, due, b.state.Position.Percent)
}
