package count

import (
	"k8s.io/utils/clock"

	"movieexample.com/fleet/controllers/fleetservice/signals/scrape"
)

// NewReaderWith is a reader with other limits than all of a process have.
func NewReaderWith(limits scrape.Limits, clk clock.PassiveClock) *Reader {
	r := NewReader(clk)
	r.scraper = scrape.New(limits, clk)
	return r
}

// Remembered is how many pods are remembered.
func (r *Reader) Remembered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pods)
}
