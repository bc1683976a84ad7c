package flags

import "errors"

// errGone is not an empty set of flags: a registry that lost its data would change features everywhere.
var errGone = errors.New("it is not there any more: write {} to it to set no flag")

// outcome is what became of a reading.
type outcome string

const (
	outcomeTaken   outcome = "taken"
	outcomeRefused outcome = "refused" // it has mistakes
	outcomeFailed  outcome = "failed"  // it could not be read
	outcomeSame    outcome = ""        // it is the one before
)

// account is what is known of a source.
type account struct {
	flags   map[string]bool // the last good ones; nil if there were none
	trouble error           // why they are not what the source says now; nil if they are

	last  Reading
	heard bool // last is something that was read
}

// hear takes a reading. Only a good one changes the flags.
func (a *account) hear(r Reading) outcome {
	if r.Err != nil {
		a.trouble, a.heard = r.Err, false
		return outcomeFailed
	}
	if a.heard && a.last == r {
		return outcomeSame
	}
	a.heard, a.last = true, r
	if r.None {
		if a.flags != nil {
			a.trouble = errGone
			return outcomeFailed
		}
		a.trouble = nil
		return outcomeTaken
	}
	flags, err := parse(r.Text)
	if a.trouble = err; err != nil {
		return outcomeRefused
	}
	a.flags = flags
	return outcomeTaken
}
