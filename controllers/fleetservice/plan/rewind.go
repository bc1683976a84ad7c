package plan

import (
	"fmt"
	"time"
)

// What a consumer's bad revision has read may be wrong: events that it could not take are dead letters. Where the policy
// asks for it, its partitions go back to where it began with them, and the stable revision reads them once more. That is
// done when none of its pods is left, since one would read again too, and before another revision is tried: so there is
// one rewind at a time.

// rewindPatience is how long a rewind may wait for the pods of the bad revision and for its Job to be made. The Job has a
// deadline of its own. After both nothing waits for it any more.
const rewindPatience = 5 * time.Minute

// Rewind is about the partitions that a revision had which was taken back.
type Rewind struct {
	Hash string
	// Since is when its trial began.
	Since time.Time
	Phase RewindPhase
	// Message says how it ended.
	Message string
	// At is when the revision was taken back.
	At time.Time
}

// RewindPhase is how far a rewind, or its Job, is.
type RewindPhase string

// The phases of a rewind: None and Running are those of a Job only, Pending is that of a rewind only.
const (
	RewindNone    RewindPhase = ""
	RewindPending RewindPhase = "Pending"
	RewindRunning RewindPhase = "Running"
	RewindDone    RewindPhase = "Done"
	RewindFailed  RewindPhase = "Failed"
)

// RewindJob is what is seen of the pending rewind.
type RewindJob struct {
	Phase RewindPhase
	// Message is what it said last.
	Message string
	// Reader is a pod of the bad revision that is not gone; empty when all are.
	Reader string
}

// readAgain asks for a rewind of what a revision has read that is taken back.
func readAgain(o Observation, s State, bad Part) State {
	if o.Policy.consumes() && o.Policy.Rewind {
		s.Rewind = Rewind{Hash: bad.Hash, Since: bad.Trial, Phase: RewindPending, At: o.Now}
	}
	return s
}

// rewinding is true while partitions are to go back.
func rewinding(o Observation) bool { return o.State.Rewind.Phase == RewindPending }

// rewound notes how a rewind ended.
func rewound(o Observation) *Decision {
	if !rewinding(o) {
		return nil
	}
	s := o.State
	verb := NotRewound
	switch j := o.Rewind; {
	case j.Phase == RewindDone:
		verb, s.Rewind.Phase, s.Rewind.Message = Rewound, RewindDone, j.Message
	case j.Phase == RewindFailed:
		s.Rewind.Phase, s.Rewind.Message = RewindFailed, byHand(s.Rewind, j.Message)
	case j.Phase == RewindNone && o.Now.Sub(s.Rewind.At) >= rewindPatience:
		why := "its Job could not be made"
		if j.Reader != "" {
			why = fmt.Sprintf("pod %s is still there", j.Reader)
		}
		s.Rewind.Phase, s.Rewind.Message = RewindFailed, byHand(s.Rewind, fmt.Sprintf("%s after %s", why, rewindPatience))
	default:
		return nil
	}
	return &Decision{State: s, Verb: verb, Reason: s.Rewind.Message}
}

// byHand says what a person can do where the operator could not.
func byHand(r Rewind, why string) string {
	return fmt.Sprintf("what %s has read was not read again: %s. To do it by hand, when its pods are gone, run the stable revision's program with: rewind %s",
		r.Hash, why, r.command())
}

// command is what the program is told. Where nothing is known of the revision there is nothing to read again.
func (r Rewind) command() string {
	return fmt.Sprintf("--revision %s --since %s --while-consumed --yes", r.Hash, r.Since.UTC().Format(time.RFC3339))
}

// startsRewind is true when the Job is to be made: nobody reads for the bad revision any more.
func startsRewind(o Observation) bool {
	return rewinding(o) && o.Rewind.Phase == RewindNone && o.Rewind.Reader == ""
}

// toldRewind says how far the rewind of a revision is, if there is one.
func toldRewind(o Observation, hash string) string {
	switch r := o.State.Rewind; {
	case r.Hash != hash:
		return ""
	case r.Phase == RewindDone:
		return ". Rewound: " + r.Message
	case r.Phase == RewindFailed:
		return ". Not rewound: " + r.Message
	case r.Phase == RewindPending:
		return ". Its partitions go back to where it began with them " + whenRewound(o)
	}
	return ""
}

// whenRewound says what a pending rewind waits for.
func whenRewound(o Observation) string {
	switch j := o.Rewind; {
	case j.Phase == RewindRunning:
		return "soon: " + j.Message
	case j.Reader != "":
		return fmt.Sprintf("when pod %s is gone", j.Reader)
	}
	return "soon"
}
