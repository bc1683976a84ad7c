package evidence

import (
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// Callers are preferred while they count nearly all of what stable's own pods count: then they see what servers are blind
// to, such as hangs and refused connections. Only stable's requests decide it, so that a bad canary has no say.
const (
	preferFrom  = 0.8 // share of stable's requests from which callers are preferred
	preferUntil = 0.6 // and below which they are no more, so that the source does not flip
	fade        = 0.9 // weight of earlier readings against the next
)

// count takes the differences to the last reading into the open look. Where requests moved in between, they only become
// what the next reading differs from.
func (b *Book) count(r signals.Reading, moved bool) {
	seen := map[string]map[string]signals.Total{}
	known, owned := 0.0, 0.0
	b.state.Unread = nil
	for _, p := range r.Pods {
		if p.Err != "" {
			b.state.Unread = append(b.state.Unread, unread{Revision: p.Revision, Pod: p.Name, Err: p.Err})
			keepUnread(seen, b.state.Last, "pod/"+p.UID, "again/"+p.UID)
			continue
		}
		d := b.differ("pod/"+p.UID, p.Totals, b.fresh(p.Began), seen)
		again := b.differ("again/"+p.UID, p.Again, b.fresh(p.Began), seen)
		if moved {
			continue
		}
		b.take(p, d, again, r.At)
		if p.Revision == b.release.Stable {
			owned += float64(d[signals.Errors].Requests)
		}
	}
	for _, c := range r.Callers {
		for revision, totals := range c.Revisions {
			// What a caller is seen to count first may be older than the release.
			d := b.differ("caller/"+c.UID+"/"+revision, totals, b.knowsCaller(c.UID), seen)
			if !moved {
				known += b.takeCalled(revision, d)
			}
		}
		seen["caller/"+c.UID] = map[string]signals.Total{}
	}
	b.state.Last = seen
	b.prefer(known, owned)
}

// keepUnread lets a page that cannot be read now be counted from where it was.
func keepUnread(seen, last map[string]map[string]signals.Total, keys ...string) {
	for _, key := range keys {
		if totals, known := last[key]; known {
			seen[key] = totals
		}
	}
}

// fresh is true for a process that began after the last reading, or after the release: its counters count from zero for
// us, so that its first answers are seen.
func (b *Book) fresh(began time.Time) bool {
	return !b.state.ReadAt.IsZero() && began.After(b.state.ReadAt.Add(-time.Second))
}

// knowsCaller is true where a caller was read before: a revision that it had not counted then counts from zero.
func (b *Book) knowsCaller(uid string) bool {
	_, known := b.state.Last["caller/"+uid]
	return known
}

// differ is what was counted since the last reading of a source. A counter that went down began anew: its value is the
// difference.
func (b *Book) differ(key string, totals map[string]signals.Total, fromZero bool, seen map[string]map[string]signals.Total) tally {
	if totals == nil {
		return nil
	}
	before, known := b.state.Last[key]
	seen[key] = totals
	if !known && !fromZero {
		return nil
	}
	d := tally{}
	for signal, now := range totals {
		then, had := before[signal]
		if known && !had && signal == signals.Latency && now.Requests > 0 && len(before) == 0 {
			continue
		}
		if now.Requests < then.Requests || now.Bad < then.Bad {
			then = signals.Total{}
		}
		requests, bad := now.Requests-then.Requests, now.Bad-then.Bad
		if requests > 0 {
			d[signal] = verdict.Counts{Requests: requests, Bad: min(max(bad, 0), requests)}
		}
	}
	return d
}

// take puts a pod's differences into the open look.
func (b *Book) take(p signals.PodReading, d, again tally, now time.Time) {
	into := b.state.Open.Stable
	if p.Revision == b.release.Canary {
		into = b.state.Open.Canary
	}
	if into[p.UID] == nil {
		into[p.UID] = tally{}
	}
	cold := now.Sub(p.Began) < warmUp
	for signal, c := range d {
		if signal != signals.Latency || !cold {
			into[p.UID].add(signal, c)
		}
	}
	if p.Revision != b.release.Stable {
		return
	}
	for signal, c := range again {
		if signal != signals.Latency || !cold {
			b.state.Open.Again.add(signal, c)
		}
	}
}

// takeCalled puts a caller's differences into the open look, and returns how many requests of stable it counted.
func (b *Book) takeCalled(revision string, d tally) float64 {
	var into tally
	switch revision {
	case b.release.Canary:
		into = b.state.Open.CalledCanary
	case b.release.Stable:
		into = b.state.Open.CalledStable
	default:
		return 0
	}
	for signal, c := range d {
		into.add(signal, c)
	}
	if revision == b.release.Stable {
		return float64(d[signals.Errors].Requests)
	}
	return 0
}

// prefer decides who is to be believed.
func (b *Book) prefer(known, owned float64) {
	s := &b.state
	s.Known, s.Owned = fade*s.Known+known, fade*s.Owned+owned
	bound := preferFrom
	if s.Source == callers {
		bound = preferUntil
	}
	s.Source = servers
	if s.Known > 0 && s.Known >= bound*s.Owned {
		s.Source = callers
	}
}

func (b *Book) source() source { return b.state.Source }
