package count

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/scrape"
)

// slowest is how long a reading of both revisions may take to be comparable.
const slowest = 600 * time.Millisecond

// forgetAfter is how long the open calls of a pod that is read no more are remembered.
const forgetAfter = time.Minute

// PodTarget is a pod of the service.
type PodTarget struct {
	UID, Name, Revision string
	Began               time.Time
	Address             string
}

// CallerTarget is a pod that calls the service.
type CallerTarget struct{ UID, Name, Address string }

// Request says what is to be read.
type Request struct {
	Pods           []PodTarget
	Canary, Stable string
	Callers        []CallerTarget
	// Upstreams are the names by which callers know the service.
	Upstreams []string
	Meaning   Meaning
}

// Findings are what is wrong with the objectives.
type Findings struct {
	// Unmeasurable says which objective cannot be measured; empty when all can.
	Unmeasurable string
}

// Reader reads all counters of a service. For concurrent use.
type Reader struct {
	clock   clock.PassiveClock
	scraper *scrape.Scraper

	mu    sync.Mutex
	hangs map[string]*remembered // by pod UID
}

type remembered struct {
	hangs

	seen time.Time
}

// NewReader returns a reader with the default limits.
func NewReader(clk clock.PassiveClock) *Reader {
	return &Reader{clock: clk, scraper: scrape.New(scrape.Limits{}), hangs: map[string]*remembered{}}
}

// Read reads the pages of both revisions and of all callers. Where nobody else counts, stable is read before and after
// the canary, so that an outage that begins in between is not blamed on either.
func (r *Reader) Read(ctx context.Context, q Request) (signals.Reading, Findings) {
	began := time.Now() //nolint:forbidigo // measures how long the reading took, which a fake clock cannot know
	var findings Findings
	stable := r.pages(ctx, q, q.Stable)
	canary := r.pages(ctx, q, q.Canary)
	var again map[string]scrape.Page
	if len(q.Callers) == 0 {
		again = r.pages(ctx, q, q.Stable)
	}
	callers := r.callers(ctx, q)
	reading := signals.Reading{At: r.clock.Now()}
	if took := time.Since(began); took > slowest { //nolint:forbidigo // as above
		reading.Slow = fmt.Sprintf("reading all counters took %s; more than %s cannot be compared", took.Round(10*time.Millisecond), slowest)
	}
	for _, p := range q.Pods {
		page, of := canary[p.UID], p.Revision
		if of == q.Stable {
			page = stable[p.UID]
		}
		reading.Pods = append(reading.Pods, r.pod(q.Meaning, reading.At, p, page, again[p.UID], &findings))
	}
	reading.Callers = callers
	r.forget(reading.At)
	return reading, findings
}

func (r *Reader) pages(ctx context.Context, q Request, revision string) map[string]scrape.Page {
	var targets []scrape.Target
	for _, p := range q.Pods {
		if p.Revision == revision {
			targets = append(targets, scrape.Target{Key: p.UID, Address: p.Address, Path: q.Meaning.path})
		}
	}
	return r.scraper.Read(ctx, targets, q.Meaning.wants)
}

// pod makes a pod's reading of its page, and of the second one where there is one.
func (r *Reader) pod(m Meaning, now time.Time, p PodTarget, page, again scrape.Page, findings *Findings) signals.PodReading {
	out := signals.PodReading{UID: p.UID, Name: p.Name, Revision: p.Revision, Began: p.Began}
	var err error
	if out.Totals, err = r.totals(m, now, p.UID, page, findings); err != nil {
		out.Err = err.Error()
		return out
	}
	if again.Families == nil || again.Err != nil {
		return out
	}
	if out.Again, err = r.totals(m, now, "again/"+p.UID, again, findings); err != nil {
		out.Again = nil
	}
	return out
}

func (r *Reader) totals(m Meaning, now time.Time, key string, page scrape.Page, findings *Findings) (map[string]signals.Total, error) {
	if page.Err != nil {
		return nil, page.Err
	}
	totals, finding, err := m.totals(page.Families)
	if err != nil {
		return nil, err
	}
	if finding != "" {
		findings.Unmeasurable = finding
	}
	begun, tells, err := started(page.Families)
	if err != nil {
		return nil, err
	}
	if tells {
		totals[signals.Errors] = r.open(key, now).with(now, m.hang, begun, totals[signals.Errors])
	} else if _, counted := page.Families[m.counters[0].name]; !counted && len(page.Families) == 0 {
		return nil, fmt.Errorf("the page has no %s: set signals.metrics to what the program counts", m.lookedFor())
	}
	return totals, nil
}

func (r *Reader) open(key string, now time.Time) *remembered {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hangs[key]
	if h == nil {
		h = &remembered{}
		r.hangs[key] = h
	}
	h.seen = now
	return h
}

func (r *Reader) forget(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, h := range r.hangs {
		if now.Sub(h.seen) > forgetAfter {
			delete(r.hangs, key)
		}
	}
}

func (r *Reader) callers(ctx context.Context, q Request) []signals.CallerReading {
	var targets []scrape.Target
	for _, c := range q.Callers {
		targets = append(targets, scrape.Target{Key: c.UID, Address: c.Address, Path: defaultPath})
	}
	pages := r.scraper.Read(ctx, targets, q.Meaning.wants)
	var list []signals.CallerReading
	for _, c := range q.Callers {
		reading := signals.CallerReading{UID: c.UID, Name: c.Name}
		page := pages[c.UID]
		err := page.Err
		if err == nil {
			reading.Revisions, err = q.Meaning.called(page.Families, q.Upstreams)
		}
		if err != nil {
			reading.Err = err.Error()
		}
		list = append(list, reading)
	}
	return list
}
