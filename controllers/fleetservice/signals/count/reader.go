package count

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/scrape"
)

// slowest is how far apart the pages of two revisions may be read to be comparable.
const slowest = 600 * time.Millisecond

// Reader reads all counters of a service, and remembers what it must know of the readings before. For concurrent use, but
// no pod may be in two Reads at the same time.
type Reader struct {
	clock   clock.PassiveClock
	scraper *scrape.Scraper

	mu   sync.Mutex
	pods map[string]*memory // by UID
}

// NewReader returns a reader with the default limits. All of the process's reading should go through one, since the limits
// are for all together.
func NewReader(clk clock.PassiveClock) *Reader {
	return &Reader{clock: clk, scraper: scrape.New(scrape.Limits{}, clk), pods: map[string]*memory{}}
}

// Close ends idle connections. No Read may be under way.
func (r *Reader) Close() { r.scraper.Close() }

// Read reads the pages of both revisions and of all callers. Stable's are read before the canary's and after, so that an
// outage that begins in between can be told from a fault of the canary's. What cannot be read is said in the reading.
func (r *Reader) Read(ctx context.Context, q Request) (signals.Reading, Findings) {
	q.Pods = slices.DeleteFunc(slices.Clone(q.Pods), func(p PodTarget) bool { return p.Revision != q.Stable && p.Revision != q.Canary })
	known := r.remember(q.Pods)
	p := r.pages(ctx, q, known)
	reading := signals.Reading{At: r.clock.Now(), Slow: p.slow(q)}
	servers := make(map[string]server, len(q.Pods)) // whose pages can be believed
	for _, pod := range q.Pods {
		if said, believed := known[pod.UID].take(q.Meaning, p.first[pod.UID]); believed {
			servers[pod.UID] = said
		}
	}
	choice := q.Meaning.choose(q.Pods, known)
	for _, pod := range q.Pods {
		reading.Pods = append(reading.Pods, choice.pod(pod, known[pod.UID], p, servers[pod.UID]))
	}
	var callers []caller
	reading.Callers, callers = q.callers(p.callers)
	return reading, choice.findings(q.Pods, servers, callers)
}

// pages are all pages of a reading, by UID.
type pages struct{ first, again, callers map[string]scrape.Page }

// pages reads stable, canary, stable. A pod that gave no page the last time is read beside the canary's: it may take its
// whole time, and what the others say must not become old meanwhile.
func (r *Reader) pages(ctx context.Context, q Request, known map[string]*memory) pages {
	var before, beside []scrape.Target
	for _, pod := range q.Pods {
		t := scrape.Target{UID: pod.UID, Address: pod.Address, Path: q.Meaning.path}
		if pod.Revision == q.Stable && !known[pod.UID].failed {
			before = append(before, t)
		} else {
			beside = append(beside, t)
		}
	}
	var called []scrape.Target
	for _, c := range q.Callers {
		called = append(called, scrape.Target{UID: c.UID, Address: c.Address, Path: defaultPath})
	}
	var p pages
	var callers sync.WaitGroup
	callers.Go(func() { p.callers = r.scraper.Read(ctx, called, q.Meaning.callerFamilies) })
	p.first = r.scraper.Read(ctx, before, q.Meaning.serverFamilies)
	for uid, page := range r.scraper.Read(ctx, beside, q.Meaning.serverFamilies) {
		p.first[uid] = page
	}
	before = slices.DeleteFunc(before, func(t scrape.Target) bool { return p.first[t.UID].Err != nil })
	p.again = r.scraper.Read(ctx, before, q.Meaning.serverFamilies)
	callers.Wait()
	return p
}

// slow says that stable's pages and the canary's are too far apart. Stable's second ones may be late: what they add only
// ever speaks for the canary.
func (p pages) slow(q Request) string {
	var first, last time.Time
	for _, pod := range q.Pods {
		page, read := p.first[pod.UID]
		if !read || page.Err != nil {
			continue
		}
		if pod.Revision == q.Stable && (first.IsZero() || page.From.Before(first)) {
			first = page.From
		}
		if pod.Revision == q.Canary && page.To.After(last) {
			last = page.To
		}
	}
	took := last.Sub(first)
	if first.IsZero() || last.IsZero() || took <= slowest {
		return ""
	}
	return fmt.Sprintf("the stable revision's counters and the canary's were read %s apart, more than %s", took.Round(100*time.Millisecond), slowest)
}

// callers are the readings of all callers, and what their pages say of the objectives.
func (q Request) callers(pages map[string]scrape.Page) (list []signals.CallerReading, all []caller) {
	for _, target := range q.Callers {
		reading := signals.CallerReading{UID: target.UID, Name: target.Name}
		page := pages[target.UID]
		said, err := caller{}, page.Err
		if err == nil {
			said, err = q.Meaning.called(page.Families, q.Upstreams, []string{q.Canary, q.Stable})
		}
		if err != nil {
			reading.Err = err.Error()
		}
		reading.Revisions = said.revisions
		list, all = append(list, reading), append(all, said)
	}
	return list, all
}
