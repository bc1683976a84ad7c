package verdict

import "time"

// longestLook is when a look closes whatever it holds.
const longestLook = 10 * time.Second

// Closes says whether a look that has been open so long, in which canary and stable ended so many requests, closes at this
// reading. How many were bad has no say: a look that waits for them would bias its own evidence. Before every change of
// weight the look closes anyway.
func (p Params) Closes(canary, stable int64, open time.Duration) bool {
	return open >= longestLook || canary >= 1 && (p.Alone || stable >= 10)
}

// Due is how many of all requests a weight, as a fraction, should have brought to the canary.
func Due(requests int64, weight float64) float64 {
	return float64(requests) * weight
}

// Hangs says that the canary ended less than a third of the requests due to it, 20 or more: what hangs is never counted, so
// that its counts cannot be trusted. It is a reason to be Blind.
func Hangs(due float64, ended int64) bool {
	return due >= 20 && 3*float64(ended) < due
}

// Starved says that less than half of the requests due to the canary, 50 or more, arrived at it: callers do not reach it.
// That is bad, not blind.
func Starved(due float64, arrived int64) bool {
	return due >= 50 && 2*float64(arrived) < due
}
