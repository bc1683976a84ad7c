package count

import (
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// hangs finds the calls of one process that have been open for longer than a bound. A server counts a call when it ends, so
// that it is blind to those that do not.
//
// Of the calls that began at least the bound ago, S, at most as many have ended as have ended at all, E. So at least S − E
// of them are open. This never takes a quick call for one that hangs; but it may be late, since what began after S may have
// ended in place of what hangs: at 100 calls/s and a bound of 2 s, all calls hanging are seen after 2 s, every tenth after
// 20 s.
//
// An open call counts as a request and as a bad one. When it ends it must not count again, nor may any sum fall. The
// requests are the greater of E and S, which never falls. Of the bad ones, which is which cannot be known, and nothing is to
// be blamed twice. So what ends badly is taken for a call that was counted when it hung, as long as there can be such; and
// only those hang anew by which S − E exceeds the counted ones that may still be open. Counted ones that end well stay
// counted. Since the bad ones never rise by more than the requests, they stay within them.
type hangs struct {
	// seen are earlier readings of the counter of calls that began, oldest first.
	seen []mark
	// last is what the page before said.
	last struct{ ended, bad, started, handled int64 }
	// counted are the calls that were counted as they hung, and that may still be open.
	counted int64
	told    signals.Total
}

// mark says that by a moment at least so many calls had begun.
type mark struct {
	by      time.Time
	started int64
}

// calls are what one page says of calls.
type calls struct {
	// began is when the process began, from and to enclose the moment that the page tells of.
	began, from, to time.Time
	// started and handled are the calls that began and that ended, without streams, which are open for long.
	started, handled int64
	// ended are all requests that ended, streams and other counters too.
	ended signals.Total
}

// with adds the open calls to what ended.
func (h *hangs) with(bound time.Duration, c calls) signals.Total {
	if h.seen == nil || c.started < h.last.started || c.ended.Requests < h.last.ended {
		h.begin(bound, c)
	}
	h.note(bound, c)
	hung := max(0, h.seen[0].started-c.handled)
	h.told.Requests = max(h.told.Requests, c.ended.Requests+hung)
	h.told.Bad += h.bad(c, hung)
	h.last.ended, h.last.bad, h.last.started, h.last.handled = c.ended.Requests, c.ended.Bad, c.started, c.handled
	return h.told
}

// bad is how many more calls are bad than before.
func (h *hangs) bad(c calls, hung int64) int64 {
	wereOpen := max(0, c.started-h.last.handled) // at the last reading, at most
	ended := max(0, c.ended.Bad-h.last.bad)
	h.counted = min(h.counted, wereOpen)
	known := min(ended, h.counted)
	h.counted -= known
	anew := max(0, hung-h.counted)
	h.counted += anew
	return ended - known + anew
}

// begin takes up a process that was not known, or that began anew. One that is older than the bound may have been read
// before by an operator that ended, who may have told of open calls as requests. Requests must not be fewer than those:
// they were at most all that began.
func (h *hangs) begin(bound time.Duration, c calls) {
	*h = hangs{seen: []mark{{c.began, 0}}, told: c.ended}
	h.last.bad, h.last.handled = c.ended.Bad, c.handled
	if c.from.Sub(c.began) > bound {
		h.told.Requests += max(0, c.started-c.handled)
	}
}

// note remembers a reading, not more often than is needed to know a bound's end well, and forgets all but the last that is
// as old as the bound. Until there is one, the first is the process's begin.
func (h *hangs) note(bound time.Duration, c calls) {
	if c.to.Sub(h.seen[len(h.seen)-1].by) >= bound/64 {
		h.seen = append(h.seen, mark{c.to, c.started})
	}
	for len(h.seen) > 1 && !h.seen[1].by.After(c.from.Add(-bound)) {
		h.seen = h.seen[1:]
	}
}
