package evidence

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

const (
	// mostSaid bounds how many pages of a shadow are kept. When there are more, every other one goes.
	mostSaid = 256
	// behindFor is how long stable may be behind before it is told.
	behindFor = 10 * time.Second
)

// along aligns a shadow with stable. Both read the same events, but stable may be behind: bad data would speak against the
// one that comes to them first. So what a shadow has counted counts as soon as stable has read as far.
type along struct {
	// said are the pages of each pod of the shadow that stable has not passed, after the last one that it has.
	said map[string][]page
	// next is how far stable is.
	next map[int32]int64
}

type page struct {
	signals.PodReading

	at time.Time
}

// align replaces what a shadow says by the last that it said when it was no further than stable is now.
func (b *Book) align(r signals.Reading) signals.Reading {
	if !b.release.Along {
		return r
	}
	a := &b.along
	a.note(r.Pods, b.release.Stable)
	r.Pods = slices.Clone(r.Pods)
	said := map[string][]page{}
	for i, p := range r.Pods {
		if p.Revision != b.release.Canary {
			continue
		}
		pages := a.said[p.UID]
		if p.Err == "" {
			pages = keep(pages, page{p, r.At})
			pages = pages[max(0, a.last(pages)):]
			r.Pods[i] = b.passed(pages[0])
		}
		said[p.UID] = pages
	}
	a.said = said
	return r
}

// note takes in how far stable is. A partition that is between two pods is where it was last.
func (a *along) note(pods []signals.PodReading, stable string) {
	if a.next == nil {
		a.next = map[int32]int64{}
	}
	for _, p := range pods {
		if p.Revision != stable {
			continue
		}
		for number, partition := range p.Partitions {
			a.next[number] = max(a.next[number], partition.Next)
		}
	}
}

// keep adds a page. A process that began anew counts anew.
func keep(pages []page, p page) []page {
	if len(pages) > 0 && p.Began.After(pages[0].Began) {
		pages = nil
	}
	if len(pages) < mostSaid {
		return append(pages, p)
	}
	var thin []page
	for i := 0; i < len(pages); i += 2 {
		thin = append(thin, pages[i])
	}
	return append(thin, p)
}

// last is the index of the last page that stable has passed; -1 where there is none.
func (a *along) last(pages []page) int {
	for i, p := range slices.Backward(pages) {
		if a.records(p) == 0 {
			return i
		}
	}
	return -1
}

// records is how many stable has to read until it has passed the page; 1 of a partition of which nobody knows.
func (a *along) records(p page) (sum int64) {
	for number, partition := range p.Partitions {
		next, known := a.next[number]
		switch {
		case !known:
			sum++
		case partition.Next > next:
			sum += partition.Next - next
		}
	}
	return sum
}

// passed is the page if stable has passed it. Else it says what was counted before, or nothing.
func (b *Book) passed(p page) signals.PodReading {
	if b.along.records(p) == 0 {
		return p.PodReading
	}
	before, said := b.state.Pods[p.UID], p.PodReading
	said.Totals, said.Split = map[string]signals.Total{}, nil
	for i, s := range b.release.Params.Signals {
		if _, gives := p.Totals[s.Name]; !gives {
			continue
		}
		said.Totals[s.Name] = signals.Total{}
		if before != nil && !p.Began.After(before.Began) {
			said.Totals[s.Name] = signals.Total(before.Said.at(i))
		}
	}
	return said
}

// behind says that stable has long not read what the shadow has; empty where it has.
func (b *Book) behind() string {
	for _, uid := range slices.Sorted(maps.Keys(b.along.said)) {
		pages := b.along.said[uid]
		if len(pages) == 0 {
			continue
		}
		first, newest := pages[0], pages[len(pages)-1]
		if n := b.along.records(newest); n > 0 && newest.at.Sub(first.at) >= behindFor {
			return fmt.Sprintf("; %d records that it has read the stable revision has not: they count when it has", n)
		}
	}
	return ""
}
