package count

import (
	"slices"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals/scrape"
)

// forgetAfter is how long a pod that is read no more is remembered.
const forgetAfter = time.Minute

// memory is what must be known of a pod's earlier readings.
type memory struct {
	// first and again find open calls in the first and the second page of a reading.
	first, again hangs
	// began tells one process from the next.
	began time.Time
	// shows are the metrics that its pages have shown, so that another metric does not take their place in a reading that
	// fails.
	shows []string
	// failed is true while its last page could not be read or believed, and err says why.
	failed bool
	err    string
	asked  time.Time
}

// remember finds what is known of pods, and forgets pods that are gone.
func (r *Reader) remember(pods []PodTarget) map[string]*memory {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	known := make(map[string]*memory, len(pods))
	for _, p := range pods {
		m := r.pods[p.UID]
		if m == nil || p.Began.After(m.began) {
			m = &memory{began: p.Began}
			r.pods[p.UID] = m
		}
		m.asked = now
		known[p.UID] = m
	}
	for uid, m := range r.pods {
		if now.Sub(m.asked) > forgetAfter {
			delete(r.pods, uid)
		}
	}
	return known
}

// take takes in a pod's first page of a reading.
func (m *memory) take(meaning Meaning, page scrape.Page) (said server, believed bool) {
	err := page.Err
	if err == nil {
		said, err = meaning.read(page.Families)
	}
	m.failed, m.err = err != nil, ""
	if err != nil {
		m.err = err.Error()
		return server{}, false
	}
	for name := range said.outcomes {
		m.show(name)
	}
	for name := range said.slow {
		m.show(name)
	}
	return said, true
}

func (m *memory) show(name string) {
	if !slices.Contains(m.shows, name) {
		m.shows = append(m.shows, name)
	}
}
