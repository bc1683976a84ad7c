package verdict

import "fmt"

// maxRequests bounds the requests of one revision in one look, so that a hostile page of metrics costs less than a tenth of a
// second, and leaves room for a look over hours in which nobody counted.
const maxRequests = 100_000_000

// Counts are the requests that ended within one look, and how many of them were bad. Bad never exceeds Requests.
type Counts struct {
	Requests int64 `json:"n"`
	Bad      int64 `json:"x"`
}

func (c Counts) plus(d Counts) Counts {
	return Counts{Requests: c.Requests + d.Requests, Bad: c.Bad + d.Bad}
}

func (c Counts) minus(d Counts) Counts {
	return Counts{Requests: c.Requests - d.Requests, Bad: c.Bad - d.Bad}
}

func (c Counts) check() error {
	switch {
	case c.Bad < 0 || c.Requests < 0:
		return fmt.Errorf("%d bad of %d requests: counts are differences of counters and never negative", c.Bad, c.Requests)
	case c.Bad > c.Requests:
		return fmt.Errorf("%d bad of %d requests: read both from one scrape", c.Bad, c.Requests)
	case c.Requests > maxRequests:
		return fmt.Errorf("%d requests: one look holds at most %d of one revision", c.Requests, maxRequests)
	}
	return nil
}

// checkSum is check for sums over many looks.
func (c Counts) checkSum() error {
	if c.Bad < 0 || c.Bad > c.Requests || c.Requests > 1e15 {
		return fmt.Errorf("the sums are %d bad of %d requests", c.Bad, c.Requests)
	}
	return nil
}

// rate is the share of bad requests, kept off 0 and 1 by half a request (Krichevsky–Trofimov).
func (c Counts) rate() float64 {
	return (float64(c.Bad) + 0.5) / (float64(c.Requests) + 1)
}
