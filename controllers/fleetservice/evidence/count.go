package evidence

import (
	"slices"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

const (
	// warmUp is how long a process may be slow after its start without being blamed for it.
	warmUp = 10 * time.Second
	// longestWait is how long a look waits for a page that it began with.
	longestWait = 10 * time.Second
	// mostCounted bounds what a hostile page can add to a look, so that sums do not overflow; it is more than a look may
	// hold, and such a look is refused.
	mostCounted = 1 << 40
	// rounding is by how much a container's start is reported too early: it is known to the second.
	rounding = time.Second
)

// totals are what a page says, by signal in the order of the release's; nil where it does not give one.
type totals []*verdict.Counts

func (t totals) at(i int) verdict.Counts {
	if i < len(t) && t[i] != nil {
		return *t[i]
	}
	return verdict.Counts{}
}

// orElse fills in what the page gives no more by what it said before.
func (t totals) orElse(before totals) totals {
	for i := range t {
		if t[i] == nil && i < len(before) {
			t[i] = before[i]
		}
	}
	return t
}

// counter is what a pod said last.
type counter struct {
	// At is the reading, Began the process's start.
	At    time.Time `json:"at"`
	Began time.Time `json:"began"`
	Said  totals    `json:"said"`
	// Again is stable's second window.
	Again totals `json:"again,omitempty"`
	// Split is what it said by partition; nil where it does not tell, which is not the same as no events.
	Split split `json:"split,omitzero"`
	// Waits is true while the pod says that it waits for what it needs.
	Waits bool `json:"waits,omitempty"`
	// In is true while the pod is counted since the open look began.
	In bool `json:"in,omitempty"`
}

// caller is what a caller said last, by revision.
type caller struct {
	At   time.Time         `json:"at"`
	Said map[string]totals `json:"said"`
}

// waits is true while a page that the open look began with cannot be read, for a while. Where callers count everything,
// no page of a pod is needed.
func (b *Book) waits(r signals.Reading) bool {
	needed := false
	for i := range b.release.Params.Signals {
		needed = needed || !b.byCallers(i)
	}
	return needed && r.At.Sub(b.state.Open.Began) < longestWait && slices.ContainsFunc(r.Pods, func(p signals.PodReading) bool {
		c := b.state.Pods[p.UID]
		return p.Err != "" && c != nil && c.In
	})
}

// count takes the differences to the last reading into the open look; where requests moved in between, apart. Pods that
// are gone add nothing and are forgotten.
func (b *Book) count(r signals.Reading, moved bool) {
	pods := make(map[string]*counter, len(r.Pods))
	cold, outage := false, b.outage(r)
	for _, p := range r.Pods {
		before := b.state.Pods[p.UID]
		if p.Err == "" {
			pods[p.UID] = b.countPod(p, before, r.At, moved, outage)
			cold = cold || b.state.ReadAt.Before(p.Began.Add(warmUp))
		} else if before != nil {
			before.In = false
			pods[p.UID] = before
			b.state.Open.leave(p.Name)
		}
	}
	b.state.Pods = pods
	b.countCallers(r, moved, cold)
}

// outage is true while consumers of both revisions say that they wait for the same thing. Tries fail by whole batches
// then, of which each side meets others: by chance it is more in the canary's, and often.
func (b *Book) outage(r signals.Reading) bool {
	waits := map[string]map[string]bool{}
	for _, p := range r.Pods {
		if p.Waits == "" || p.Err != "" {
			continue
		}
		if waits[p.Waits] == nil {
			waits[p.Waits] = map[string]bool{}
		}
		waits[p.Waits][p.Revision] = true
	}
	for _, who := range waits {
		if who[b.release.Canary] && who[b.release.Stable] {
			return true
		}
	}
	return false
}

// countPod takes in a pod. One that was there before the release counts from its first reading, one that began since from
// zero, so that its first answers are seen; so does a container that began anew.
func (b *Book) countPod(p signals.PodReading, before *counter, at time.Time, moved, outage bool) *counter {
	now := &counter{At: at, Began: p.Began, Said: b.totals(p.Totals), Again: b.totals(p.Again), Split: b.splitOf(p.Split), Waits: p.Waits != ""}
	if p.Again == nil {
		now.Again = b.totals(p.Totals)
	}
	base, warm := counter{Split: split{}}, false
	switch {
	case before == nil && p.Began.Before(b.release.Began):
		b.countSplit(p, &counter{}, now, nil, nil)
		return b.side(now, p.Revision)
	case before == nil:
		now.In = !p.Began.Before(b.state.Open.Began.Add(-rounding))
	case p.Began.After(before.Began):
		now.In = before.In
	default:
		base, now.In = *before, before.In
		warm = !before.At.Before(p.Began.Add(warmUp))
		now.Said, now.Again = now.Said.orElse(before.Said), now.Again.orElse(before.Again)
	}
	into := &b.state.Open.Apart
	if now.In && !moved {
		into = &b.state.Open.Together
	}
	counted := b.since(base.Said, now.Said, warm)
	if outage || b.release.Params.Alone && (base.Waits || now.Waits) { // where nothing else meets it, an outage for all that can be told
		counted = make(row, len(counted))
	}
	b.countSplit(p, &base, now, counted, into)
	switch p.Revision {
	case b.release.Canary:
		into.Canary.add(p.Name, counted)
	case b.release.Stable:
		into.Stable.add(p.Name, counted)
		into.Again.add(p.Name, b.since(base.Again, now.Again, warm))
	}
	return b.side(now, p.Revision)
}

// side drops the second window where there is none.
func (b *Book) side(c *counter, revision string) *counter {
	if revision != b.release.Stable {
		c.Again = nil
	}
	return c
}

// countCallers takes in the callers. Nobody says when a caller began, so that its first reading counts nothing; but a
// revision that a known caller had not called counts from zero. Callers do not know pods: while any of these warms up, on
// either side, latency is left out of both.
func (b *Book) countCallers(r signals.Reading, moved, cold bool) {
	known := make(map[string]*caller, len(r.Callers))
	for _, c := range r.Callers {
		before := b.state.Callers[c.UID]
		if c.Err != "" {
			if before != nil {
				known[c.UID] = before
			}
			continue
		}
		now := &caller{At: r.At, Said: map[string]totals{}}
		for _, revision := range []string{b.release.Canary, b.release.Stable} {
			if said, calls := c.Revisions[revision]; calls {
				now.Said[revision] = b.totals(said)
			}
		}
		known[c.UID] = now
		if before != nil {
			b.countCaller(*before, now, moved, cold)
		}
	}
	b.state.Callers = known
}

// countCaller takes the differences to a caller's last page into the open look; apart where requests moved since then.
func (b *Book) countCaller(before caller, now *caller, moved, cold bool) {
	into := &b.state.Open.Together
	if moved || before.At.Before(b.state.Step.From) {
		into = &b.state.Open.Apart
	}
	canary, stable := b.release.Canary, b.release.Stable
	now.Said[canary] = now.Said[canary].orElse(before.Said[canary])
	now.Said[stable] = now.Said[stable].orElse(before.Said[stable])
	into.CalledCanary.add(b.since(before.Said[canary], now.Said[canary], !cold))
	into.CalledStable.add(b.since(before.Said[stable], now.Said[stable], !cold))
	if into.Called == nil {
		into.Called = make([]bool, len(b.release.Params.Signals))
	}
	for i, said := range now.Said[stable] {
		into.Called[i] = into.Called[i] || said != nil
	}
}

func (b *Book) totals(said map[string]signals.Total) totals {
	t := make(totals, len(b.release.Params.Signals))
	for i, s := range b.release.Params.Signals {
		if v, gives := said[s.Name]; gives {
			t[i] = &verdict.Counts{Requests: v.Requests, Bad: v.Bad}
		}
	}
	return t
}

// since is what was counted between two sayings. A counter that went down began anew: its value is what was counted.
func (b *Book) since(then, now totals, warm bool) row {
	d := make(row, len(b.release.Params.Signals))
	for i, s := range b.release.Params.Signals {
		from, to := then.at(i), now.at(i)
		anew := to.Requests < from.Requests
		if s.Name == signals.Latency && (anew || !warm) {
			continue
		}
		if anew {
			from = verdict.Counts{}
		}
		n := min(max(to.Requests-from.Requests, 0), mostCounted)
		d[i] = verdict.Counts{Requests: n, Bad: min(max(to.Bad-from.Bad, 0), n)}
	}
	return d
}
