package evidence

import (
	"fmt"
	"math"
	"strings"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// message is the decision in a sentence.
func (b *Book) message(d verdict.Decision, j Judgement, q Question, never bool) string {
	i, seen := b.index(d.Signal), b.seen(d)
	e, needed := number(d.LogE), number(d.LogNeeded)
	switch d.Reason {
	case verdict.Worse:
		return fmt.Sprintf("%s: E=%s ≥ %s (%s)", seen, e, needed, b.tolerated(i))
	case verdict.OnePod:
		return fmt.Sprintf("%s: E=%s ≥ %s, but it rests on pod %s alone: delete it, and another takes its place", seen, e, needed, strings.Join(d.Pods, ", "))
	case verdict.Suspicious:
		return fmt.Sprintf("%s: E=%s speaks against it, from 10 on no more is given; %s takes it back", seen, e, convicts(d))
	case verdict.Blind:
		return "held, nobody is blamed: " + strings.Join(j.Blind, "; ")
	case verdict.Bounded:
		return fmt.Sprintf("%s: weight %d is harmless, E=%s ≥ %s", seen, q.Next, e, needed)
	case verdict.TooEarly:
		return fmt.Sprintf("%s: weight %d is harmless, E=%s ≥ %s, and comes when this step has lasted long enough", seen, q.Next, e, needed)
	case verdict.Unproven:
		if b.idle() && j.Requests > 0 {
			return seen + ": no request reached the stable revision in this step, so there is nothing to compare with"
		}
		return fmt.Sprintf("%s; weight %d needs E=%s and has %s%s", seen, q.Next, needed, e, b.outlook(j, q, never))
	}
	return seen + ": nothing speaks against it"
}

// seen are the counts of the signal that decides.
func (b *Book) seen(d verdict.Decision) string {
	i := b.index(d.Signal)
	return fmt.Sprintf("%s: %s against %s", d.Signal, badOf(b.state.Canary.at(i)), badOf(b.state.Stable.at(i)))
}

// convicts is what a suspicion still needs: a single pod has to be bad for three looks besides.
func convicts(d verdict.Decision) string {
	if d.LogE >= d.LogNeeded {
		return "more looks like this, or more bad pods,"
	}
	return "E=" + number(d.LogNeeded)
}

func (b *Book) tolerated(i int) string {
	text := fmt.Sprintf("odds ×%g tolerated", b.release.Params.Signals[i].Tolerance)
	if b.release.Params.Alone {
		text = fmt.Sprintf("%g %% allowed, nothing to compare with", 100*b.release.Params.Signals[i].Objective)
	}
	if n := len(b.release.Params.Signals); n > 1 {
		text += fmt.Sprintf(", E is the mean of %d signals", n)
	}
	return text
}

// outlook says how long it will take.
func (b *Book) outlook(j Judgement, q Question, never bool) string {
	switch {
	case j.Requests == 0:
		return ": no request was counted in this step"
	case never:
		return ": this traffic does not show it"
	case j.TimeLeft > q.MaxStep:
		return fmt.Sprintf(": about %s at this traffic, more than the %s of a step", rough(j.TimeLeft), q.MaxStep)
	case j.TimeLeft > 0:
		return fmt.Sprintf(": about %s more at this traffic", rough(j.TimeLeft))
	}
	return ""
}

func rough(d time.Duration) time.Duration { return max(d, time.Second).Round(time.Second) }

func badOf(c verdict.Counts) string { return fmt.Sprintf("%d of %d bad", c.Bad, c.Requests) }

// number is exp(logarithm) for people: 0.53, 9.9, 310, 12345, 10^9.
func number(logarithm float64) string {
	switch e := math.Exp(logarithm); {
	case logarithm >= math.Log(1e6):
		return fmt.Sprintf("10^%.0f", math.Floor(logarithm/math.Ln10))
	case e >= 1000:
		return fmt.Sprintf("%.0f", e)
	default:
		return fmt.Sprintf("%.3g", e)
	}
}
