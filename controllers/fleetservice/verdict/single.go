package verdict

// singlePodLooks is how many looks have to speak against a canary of one pod: nothing else tells a burst from a revision. A
// dead canary needs one.
const singlePodLooks = 3

// speaking is State.Against after a look, before which the evidence was before.
func (r *Release) speaking(before float64, look Look) int {
	// More than rounding.
	const more = 1e-6
	after := r.LogE()
	switch {
	case after <= more:
		return 0
	case after <= before+more:
		return r.state.Against
	case r.foundDead(look):
		return max(r.state.Against+1, singlePodLooks)
	}
	return r.state.Against + 1
}

func (r *Release) foundDead(look Look) bool {
	for i, s := range r.state.Params.Signals {
		if s.dead(of(look.Canary, i)) {
			return true
		}
	}
	return false
}

// tooFew says that the canary is a single pod which too few looks speak against.
func (r *Release) tooFew() bool {
	return len(r.state.Groups) == 1 && r.state.Against < singlePodLooks
}
