package count

import (
	"fmt"
	"slices"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// choice says which of the meaning's metrics count in a reading. It is the same for all pods: what one of them shows, the
// others have at zero, since many programs do not show a counter before they count.
type choice struct {
	Meaning

	// counted are the counters; none where no pod shows any.
	counted []counter
	// timed is the histogram; empty where no pod shows any.
	timed string
}

// choose finds the first metric of each kind that any pod shows or has shown, or all where somebody chose them.
func (m Meaning) choose(pods []PodTarget, known map[string]*memory) choice {
	shown := func(name string) bool {
		return slices.ContainsFunc(pods, func(p PodTarget) bool { return slices.Contains(known[p.UID].shows, name) })
	}
	c := choice{Meaning: m}
	for _, counter := range m.counters {
		if shown(counter.name) && (m.summed || len(c.counted) == 0) {
			c.counted = append(c.counted, counter)
		}
	}
	if i := slices.IndexFunc(m.durations, shown); i >= 0 && m.bound > 0 {
		c.timed = m.durations[i]
	}
	return c
}

// pod makes a pod's reading of what its pages say.
func (c choice) pod(target PodTarget, known *memory, p pages, said server) signals.PodReading {
	reading := signals.PodReading{UID: target.UID, Name: target.Name, Revision: target.Revision, Began: target.Began, Err: known.err}
	if known.failed {
		return reading
	}
	reading.Partitions, reading.Split, reading.Waits = said.partitions, c.split(said), said.waits
	page := p.first[target.UID]
	reading.Totals = c.totals(said, &known.first, calls{began: target.Began, from: page.From, to: page.To})
	if page, read := p.again[target.UID]; read && page.Err == nil {
		if said, err := c.read(page.Families); err == nil {
			reading.Again = c.totals(said, &known.again, calls{began: target.Began, from: page.From, to: page.To})
		}
	}
	return reading
}

// totals are a page's sums by signal.
func (c choice) totals(said server, open *hangs, at calls) map[string]signals.Total {
	totals := map[string]signals.Total{}
	if len(c.counted) > 0 {
		var failed, refused signals.Total
		for _, counter := range c.counted {
			o := said.outcomes[counter.name]
			failed, refused = plus(failed, o.failed), plus(refused, o.refused)
		}
		if said.tells && slices.ContainsFunc(c.counted, func(k counter) bool { return k.name == grpcHandled }) {
			at.started, at.handled, at.ended = said.started, said.handled, failed
			failed = open.with(c.hang, at)
		}
		totals[signals.Errors], totals[signals.Refusals] = failed, refused
	}
	if slow := said.slow[c.timed]; c.timed != "" && slow.unusable == (Findings{}) {
		totals[signals.Latency] = slow.late
	}
	return totals
}

func plus(a, b signals.Total) signals.Total {
	return signals.Total{Requests: a.Requests + b.Requests, Bad: a.Bad + b.Bad}
}

// findings are what neither the pods' pages nor the callers' can tell. Pages that cannot be read are no finding.
func (c choice) findings(pods []PodTarget, servers map[string]server, callers []caller) Findings {
	switch {
	case len(servers) == 0:
		return Findings{}
	case len(c.counted) == 0 && !counted(callers, signals.Errors):
		return Findings{v1alpha1.ReasonNotCounted, fmt.Sprintf("no answers are counted: no pod shows %s in its metrics; name the program's own counters in signals.metrics.requests", c.counterNames())}
	case c.bound == 0 || counted(callers, signals.Latency):
		return Findings{}
	}
	for _, p := range pods {
		if s := servers[p.UID].slow[c.timed]; s.unusable != (Findings{}) {
			return Findings{s.unusable.Reason, fmt.Sprintf("revision %s: %s", p.Revision, s.unusable.Unmeasurable)}
		}
	}
	for _, k := range callers {
		if c.timed == "" && k.unusable != (Findings{}) {
			return k.unusable
		}
	}
	if c.timed == "" {
		return Findings{v1alpha1.ReasonNotCounted, fmt.Sprintf("latency is not counted: no pod shows %s in its metrics; name the program's own histogram in signals.metrics.durations", c.durationNames())}
	}
	return Findings{}
}

// counted tells whether any caller counts a signal.
func counted(callers []caller, signal string) bool {
	for _, c := range callers {
		for _, said := range c.revisions {
			if _, is := said[signal]; is {
				return true
			}
		}
	}
	return false
}
