package count

import (
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// hangs finds the calls of one process that have been open for longer than a bound: those that had begun by then, less
// all that have ended since. A server is blind to them otherwise: it counts calls when they end.
type hangs struct {
	// began are earlier readings of the started counter, oldest first.
	began []reading
	// told is the largest sum that was told, so that a call that hung and then ended is not counted twice.
	told signals.Total
}

type reading struct {
	at      time.Time
	started int64
}

// with adds the open calls to what ended. The sum never falls: a call that hangs counts as ended and bad, and when it ends
// later it has been counted already.
func (h *hangs) with(now time.Time, bound time.Duration, started int64, ended signals.Total) signals.Total {
	if n := len(h.began); n > 0 && started < h.began[n-1].started {
		*h = hangs{} // another process
	}
	h.began = append(h.began, reading{now, started})
	due := int64(-1)
	for len(h.began) > 1 && now.Sub(h.began[1].at) >= bound {
		h.began = h.began[1:]
	}
	if now.Sub(h.began[0].at) >= bound {
		due = h.began[0].started
	}
	open := max(0, due-ended.Requests)
	sum := signals.Total{Requests: ended.Requests + open, Bad: ended.Bad + open}
	h.told.Requests = max(h.told.Requests, sum.Requests)
	h.told.Bad = min(h.told.Requests, max(h.told.Bad, sum.Bad))
	return h.told
}
