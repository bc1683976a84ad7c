package evidence

import (
	"maps"
	"slices"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// source says who counts.
type source string

const (
	servers source = "servers"
	callers source = "callers"
)

// tally are counts by signal.
type tally map[string]verdict.Counts

func (t tally) add(signal string, d verdict.Counts) { t[signal] = plus(t[signal], d) }

// look is what was counted since the last look closed.
type look struct {
	Began time.Time `json:"began"`
	// Canary, Stable and Again are what each pod of the two revisions counted, by UID; Again is stable's second window.
	Canary map[string]tally `json:"canary,omitempty"`
	Stable map[string]tally `json:"stable,omitempty"`
	Again  tally            `json:"again,omitempty"`
	// CalledCanary and CalledStable are what callers counted.
	CalledCanary tally `json:"calledCanary,omitempty"`
	CalledStable tally `json:"calledStable,omitempty"`
}

func newLook(began time.Time) look {
	return look{
		Began: began, Canary: map[string]tally{}, Stable: map[string]tally{}, Again: tally{},
		CalledCanary: tally{}, CalledStable: tally{},
	}
}

// requests are those that ended, by one source's count.
func (l look) requests(by source) (canary, stable int64) {
	if by == callers {
		return l.CalledCanary[signals.Errors].Requests, l.CalledStable[signals.Errors].Requests
	}
	for _, t := range l.Canary {
		canary += t[signals.Errors].Requests
	}
	for _, t := range l.Stable {
		stable += t[signals.Errors].Requests
	}
	return canary, stable
}

// look makes a closed look of an open one.
func (b *Book) look(l look, by source) verdict.Look {
	names := b.release.Params.Signals
	v := verdict.Look{NewWeight: b.state.NewWeight && !b.baking()}
	if by == callers {
		v.Canary = b.podsOfCallers(l)
		v.Stable = []verdict.Pod{{Name: string(callers), Counts: counts(l.CalledStable, names)}}
		return v
	}
	v.Canary, v.Stable = pods(l.Canary, names), pods(l.Stable, names)
	if len(l.Again) > 0 {
		v.Again = counts(l.Again, names)
	}
	return v
}

func pods(list map[string]tally, names []verdict.Signal) []verdict.Pod {
	var out []verdict.Pod
	for _, uid := range slices.Sorted(maps.Keys(list)) {
		out = append(out, verdict.Pod{Name: uid, Counts: counts(list[uid], names)})
	}
	return out
}

func counts(t tally, names []verdict.Signal) []verdict.Counts {
	out := make([]verdict.Counts, len(names))
	for i, s := range names {
		out[i] = t[s.Name]
	}
	return out
}

// podsOfCallers shares what callers counted of the canary out to its pods, in proportion to what these counted themselves:
// callers know revisions and not pods, and it must be seen whether one pod alone is bad. What no pod saw, such as a
// refused connection, is shared out evenly.
func (b *Book) podsOfCallers(l look) []verdict.Pod {
	names := b.release.Params.Signals
	uids := slices.Sorted(maps.Keys(l.Canary))
	if len(uids) == 0 {
		return []verdict.Pod{{Name: string(callers), Counts: counts(l.CalledCanary, names)}}
	}
	out := make([]verdict.Pod, len(uids))
	for q, uid := range uids {
		out[q] = verdict.Pod{Name: uid, Counts: make([]verdict.Counts, len(names))}
	}
	for i, s := range names {
		bad, good := make([]int64, len(uids)), make([]int64, len(uids))
		for q, uid := range uids {
			own := l.Canary[uid][s.Name]
			bad[q], good[q] = own.Bad, own.Requests-own.Bad
		}
		total := l.CalledCanary[s.Name]
		bad, good = spread(total.Bad, bad), spread(total.Requests-total.Bad, good)
		for q := range uids {
			out[q].Counts[i] = verdict.Counts{Requests: bad[q] + good[q], Bad: bad[q]}
		}
	}
	return out
}

// spread shares total out in proportion to parts, evenly where all are 0; nothing is lost to rounding.
func spread(total int64, parts []int64) []int64 {
	sum := int64(0)
	for _, p := range parts {
		sum += p
	}
	out, given := make([]int64, len(parts)), int64(0)
	for q, p := range parts {
		out[q] = total / int64(len(parts))
		if sum > 0 {
			out[q] = int64(float64(total) * float64(p) / float64(sum))
		}
		given += out[q]
	}
	for q := 0; given < total; q = (q + 1) % len(parts) {
		if sum == 0 || parts[q] > 0 {
			out[q]++
			given++
		}
	}
	return out
}
