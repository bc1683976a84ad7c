package plan

import (
	"fmt"
	"strings"

	"movieexample.com/fleet/api/v1alpha1"
)

// order is a command, read.
type order struct{ verb, hash, token string }

// parse reads verb@revision@token.
func parse(text string) (order, bool) {
	parts := strings.Split(text, "@")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return order{}, false
	}
	return order{verb: parts[0], hash: parts[1], token: parts[2]}, true
}

// command takes up what the annotation says, once for each text.
func command(o Observation) *Decision {
	if o.Command == "" || o.Command == o.State.Command.Text {
		return nil
	}
	ask, read := parse(o.Command)
	if !read {
		return refuse(o, "it must be verb@revision@token, such as promote@"+hint(o)+"@1")
	}
	switch ask.verb {
	case "promote":
		return grant(o, ask, all)
	case "skip":
		return grant(o, ask, next(o).percent)
	case "abort":
		return abort(o, ask)
	case "retry":
		return retry(o, ask)
	}
	return refuse(o, fmt.Sprintf("there is no verb %q: promote, skip, abort or retry", ask.verb))
}

func hint(o Observation) string {
	if o.State.Canary.Hash != "" {
		return o.State.Canary.Hash
	}
	return o.Desired.Hash
}

// obey notes that a command was taken up.
func obey(o Observation, s State, verb Verb, outcome string) *Decision {
	s.Command = Command{Text: o.Command, Outcome: outcome, At: o.Now}
	return &Decision{State: s, Verb: verb, Reason: fmt.Sprintf("command %s: %s", o.Command, outcome)}
}

func refuse(o Observation, why string) *Decision {
	return obey(o, o.State, Refuse, "nothing was done: "+why)
}

func grant(o Observation, ask order, percent int32) *Decision {
	s := o.State
	if ask.hash != s.Canary.Hash {
		return refuse(o, notOnTrial(o, ask.hash))
	}
	s.Granted = percent
	return obey(o, s, Obey, fmt.Sprintf("%s may go to %d %% without further evidence, as soon as its pods are ready", ask.hash, percent))
}

func abort(o Observation, ask order) *Decision {
	if ask.hash != o.State.Canary.Hash || o.State.Stable.Hash == "" {
		return refuse(o, notOnTrial(o, ask.hash))
	}
	d := takeBack(o, v1alpha1.ReasonAborted, "a person ended the rollout by command "+o.Command, true)
	d.State.Command = Command{Text: o.Command, Outcome: "the canary was taken back", At: o.Now}
	return d
}

// retry lets a revision that was taken back be tried anew.
func retry(o Observation, ask order) *Decision {
	_, was := rejected(o, ask.hash)
	switch {
	case !was && o.LedgerDamaged != "":
		return refuse(o, "it is not known which revisions were taken back: "+o.LedgerDamaged)
	case !was:
		return refuse(o, fmt.Sprintf("revision %s was not taken back", ask.hash))
	}
	s := o.State
	if s.Rejected.Hash == ask.hash {
		s.Rejected = Rejection{}
	}
	return obey(o, s, Retry, fmt.Sprintf("revision %s may be tried anew", ask.hash))
}

func notOnTrial(o Observation, hash string) string {
	if o.State.Canary.Hash == "" {
		return fmt.Sprintf("revision %s is not on trial, and none is", hash)
	}
	return fmt.Sprintf("revision %s is not on trial; %s is", hash, o.State.Canary.Hash)
}

// Forgiven is the revision that the last command lets try anew, empty if it was another command.
func (c Command) Forgiven() string {
	if ask, read := parse(c.Text); read && ask.verb == "retry" {
		return ask.hash
	}
	return ""
}
