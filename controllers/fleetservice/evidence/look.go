package evidence

import (
	"maps"
	"slices"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// source says who counts.
type source string

const (
	servers source = "servers"
	callers source = "callers"
)

// row holds counts by signal, in the order of the release's signals. An empty one is all zero.
type row []verdict.Counts

func (r row) at(i int) verdict.Counts {
	if i < len(r) {
		return r[i]
	}
	return verdict.Counts{}
}

func (r *row) add(d row) {
	sums := make(row, max(len(*r), len(d)))
	for i := range sums {
		a, c := r.at(i), d.at(i)
		sums[i] = verdict.Counts{Requests: a.Requests + c.Requests, Bad: a.Bad + c.Bad}
	}
	*r = sums
}

func (r row) filled(signals int) row {
	full := make(row, signals)
	copy(full, r)
	return full
}

// byPod holds counts by a pod's name.
type byPod map[string]row

func (m *byPod) add(pod string, d row) {
	if *m == nil {
		*m = byPod{}
	}
	sum := (*m)[pod]
	sum.add(d)
	(*m)[pod] = sum
}

// move takes a pod's counts away and gives them to another.
func (m byPod) move(pod string, to *byPod) {
	if r, there := m[pod]; there {
		to.add(pod, r)
		delete(m, pod)
	}
}

func (m byPod) total(i int) verdict.Counts {
	var sum verdict.Counts
	for _, r := range m {
		sum.Requests, sum.Bad = sum.Requests+r.at(i).Requests, sum.Bad+r.at(i).Bad
	}
	return sum
}

// tallies are what was counted of both revisions by everybody who counts.
type tallies struct {
	// Canary and Stable are what the pods of the two revisions counted; Again is stable's second window.
	Canary byPod `json:"canary,omitempty"`
	Stable byPod `json:"stable,omitempty"`
	Again  byPod `json:"again,omitempty"`
	// Parts is what the canary's pods counted by partition, by pod.
	Parts map[string]split `json:"parts,omitempty"`
	// CalledCanary and CalledStable are what callers counted.
	CalledCanary row `json:"calledCanary,omitempty"`
	CalledStable row `json:"calledStable,omitempty"`
	// Called says by signal whether callers count it.
	Called []bool `json:"called,omitempty"`
}

func (t tallies) called(i int) bool { return i < len(t.Called) && t.Called[i] }

// either says of which signals one of two says yes: what callers count is not counted again by a pod.
func either(a, b []bool) []bool {
	if len(b) > len(a) {
		a, b = b, a
	}
	out := slices.Clone(a)
	for i := range b {
		out[i] = out[i] || b[i]
	}
	return out
}

// requests are those that ended, by one source's count.
func (t tallies) requests(by source) (canary, stable int64) {
	if by == callers {
		return t.CalledCanary.at(0).Requests, t.CalledStable.at(0).Requests
	}
	return t.Canary.total(0).Requests, t.Stable.total(0).Requests
}

// look is what was counted since the last look closed.
type look struct {
	Began time.Time `json:"began"`
	// Together was counted over the same time, Apart over other times.
	Together tallies `json:"together"`
	Apart    tallies `json:"apart"`
}

// leave sets apart what a pod counted, since its page cannot be read at the end of the look.
func (l *look) leave(pod string) {
	l.Together.Canary.move(pod, &l.Apart.Canary)
	l.Together.Stable.move(pod, &l.Apart.Stable)
	l.Together.Again.move(pod, &l.Apart.Again)
	l.Together.movePart(pod, &l.Apart)
}

// look makes a verdict's look of tallies. It lists every pod of the canary: their number decides whether one of them can
// be told from the revision.
func (b *Book) look(t tallies, by source) verdict.Look {
	names := slices.Collect(maps.Keys(t.Canary))
	names = append(names, b.state.Present...)
	l := verdict.Look{Canary: b.pods(names, t.Canary, t.CalledCanary, t, by, b.state.Canary)}
	if by == servers { // callers know no partitions
		l.Parts = b.parts(t)
	}
	if b.release.Params.Alone {
		return l
	}
	l.Stable = b.pods(slices.Collect(maps.Keys(t.Stable)), t.Stable, t.CalledStable, t, by, b.state.Stable)
	for i := range b.release.Params.Signals {
		// Callers count both revisions in one scrape: there is no other window.
		again := t.CalledStable.at(i)
		if by == servers || !t.called(i) {
			again = t.Again.total(i)
		}
		l.Again = append(l.Again, again)
	}
	return l
}

// pods are what the named pods of one revision counted, or what callers counted, shared out to them. before are the
// revision's sums so far.
func (b *Book) pods(names []string, own byPod, called row, t tallies, by source, before row) []verdict.Pod {
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 && by == callers {
		names = []string{string(callers)}
	}
	signals := len(b.release.Params.Signals)
	pods := make([]verdict.Pod, len(names))
	for q, name := range names {
		pods[q] = verdict.Pod{Name: name, Counts: own[name].filled(signals)}
	}
	for i := range signals {
		if by == callers && t.called(i) {
			shareOut(called.at(i), pods, i, before.at(i))
		}
	}
	return pods
}

func total(pods []verdict.Pod, signals int) row {
	sum := make(row, signals)
	for _, p := range pods {
		sum.add(p.Counts)
	}
	return sum
}
