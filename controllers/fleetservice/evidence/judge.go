package evidence

import (
	"fmt"
	"math"
	"slices"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// Question is what the planner wants to know.
type Question struct {
	// Next is the share, in percent, that is to be given; 0 asks for none.
	Next int32
	// Early says that the step's least time has not passed.
	Early bool
	Now   time.Time
	// MaxStep is how long a step goes on without a verdict.
	MaxStep time.Duration
}

// Judgement is what the evidence says now.
type Judgement struct {
	Action verdict.Action
	Reason verdict.Reason
	// Signal is the one that decided.
	Signal string
	// Message is a sentence with the numbers.
	Message string
	// Pods are those that a suspicion rests on.
	Pods []string
	// Requests are the service's in this step, CanaryRequests the canary's.
	Requests, CanaryRequests int64
	// MeasuredShare is the canary's share of them in percent, MeasuredPercent the same as text; empty without any.
	MeasuredShare   float64
	MeasuredPercent string
	// CountedBy says who counted: callers or servers.
	CountedBy string
	// Blind says in sentences what cannot be seen.
	Blind []string
	// Starved says that callers do not bring the canary its share; empty when they do.
	Starved string
	// Suspicion says what a bake has noticed, SuspicionNumber its evidence.
	Suspicion, SuspicionNumber string
	// Clear is true while little speaks against the canary; LogE is the logarithm of how much does.
	Clear bool
	LogE  float64
	// Signals are the numbers of the release.
	Signals []SignalSummary
	// SmallestEffect is the least odds ratio of the first signal that this traffic is expected to show within MaxStep;
	// empty where it shows none, or nothing was counted yet. TimeLeft is how long the next share is expected to take; 0 where
	// that is not known, or this traffic never shows it.
	SmallestEffect string
	TimeLeft       time.Duration
}

// SignalSummary are the numbers of one signal over the release.
type SignalSummary struct {
	Name             string
	Canary, Stable   signals.Total
	Against, ForNext string
}

// clearBelow is the evidence, ln 10, below which little speaks against a canary.
const clearBelow = 2.302585092994046

// Judge says what the evidence allows. It changes nothing.
func (b *Book) Judge(q Question) Judgement {
	s := b.state.Step
	j := Judgement{
		Requests: s.Canary + s.Stable, CanaryRequests: s.Canary, CountedBy: string(b.state.Source),
		LogE: b.verdict.LogE(), Starved: b.starved(),
	}
	j.Clear = j.LogE < clearBelow
	if j.Requests > 0 {
		j.MeasuredShare = 100 * float64(j.CanaryRequests) / float64(j.Requests)
		j.MeasuredPercent = fmt.Sprintf("%.3g", j.MeasuredShare)
	}
	if b.release.Along { // without it nothing is compared, however much stable reads
		j.Requests = j.CanaryRequests
	}
	next := b.weight(q.Next)
	ask := verdict.Question{Early: q.Early}
	if next >= 0 {
		ask.Weight = b.release.Params.Weights[next]
	}
	j.Blind, ask.Blind = b.blind()
	d, err := b.verdict.Decide(ask)
	if err != nil { // only of what the release does not have, and nothing else is asked
		d = verdict.Decision{Action: verdict.Hold, Reason: verdict.Blind, Signal: b.release.Params.Signals[0].Name}
		j.Blind = append(j.Blind, err.Error())
	}
	resting := ""
	if d.Reason == verdict.OnePart {
		d, resting = b.rest(d, ask)
	}
	d = b.alone(d)
	j.Action, j.Reason, j.Pods, j.Signal = d.Action, d.Reason, d.Pods, d.Signal
	never := b.forecast(&j, q, next)
	j.Signals = b.summaries(next)
	j.Message = b.message(d, j, q, never) + b.behind()
	if resting != "" {
		j.Message = fmt.Sprintf("%s: E=%s ≥ %s, but %s; nobody is blamed", b.seen(d), number(d.LogE), number(d.LogNeeded), resting)
	}
	b.suspect(&j)
	return j
}

// weight is the index of the coming weight that speaks for a share: the least one that is not less. A canary that is
// harmless there is harmless below. -1 where none is asked for.
func (b *Book) weight(percent int32) int {
	if percent <= 0 {
		return -1
	}
	for i, w := range b.release.Params.Weights {
		if w >= float64(percent)/all-1e-9 {
			return i
		}
	}
	return len(b.release.Params.Weights) - 1
}

// alone holds a canary that had nothing beside it in this step: a stable that gets no requests, or ends none, cannot say
// what an outage is. Whether it is dead is seen by its pods.
func (b *Book) alone(d verdict.Decision) verdict.Decision {
	if d.Action == verdict.Promote && b.idle() {
		d.Action, d.Reason = verdict.Hold, verdict.Unproven
	}
	return d
}

func (b *Book) idle() bool { return b.comparing() && b.state.Step.Stable == 0 }

// suspect says what the bake has noticed.
func (b *Book) suspect(j *Judgement) {
	if !b.baking() || b.bake == nil {
		return
	}
	d := b.bake.Ask()
	j.SuspicionNumber = number(d.LogE)
	if d.Action == verdict.Ask {
		j.Suspicion = fmt.Sprintf("%s: %s since it has all requests, %s of the revision before: E=%s ≥ %s",
			d.Signal, badOf(d.Canary), badOf(b.state.Stable.at(b.index(d.Signal))), number(d.LogE), number(d.LogNeeded))
	}
}

func (b *Book) index(signal string) int {
	return slices.IndexFunc(b.release.Params.Signals, func(s verdict.Signal) bool { return s.Name == signal })
}

// summaries are the numbers of each signal.
func (b *Book) summaries(next int) []SignalSummary {
	var list []SignalSummary
	for i, s := range b.release.Params.Signals {
		g := SignalSummary{Name: s.Name, Canary: signals.Total(b.state.Canary.at(i)), Stable: signals.Total(b.state.Stable.at(i))}
		g.Against = number(b.verdict.State().Signals[i].Rollback.LogE())
		if next >= 0 {
			g.ForNext = number(b.verdict.Promotion(i, next).LogE())
		}
		list = append(list, g)
	}
	return list
}

// forecast fills in what this traffic can show. It returns true where it never shows that the next share is harmless.
func (b *Book) forecast(j *Judgement, q Question, next int) (never bool) {
	s := b.state.Step
	if s.Looks == 0 || s.Seconds <= 0 || next < 0 {
		return false
	}
	each, left := s.Seconds/float64(s.Looks), 0.0
	for i := range b.release.Params.Signals {
		t := verdict.Traffic{
			Canary: float64(s.Canary) / float64(s.Looks), Stable: float64(s.Stable) / float64(s.Looks), History: b.state.Stable.at(i),
		}
		left = math.Max(left, b.verdict.LooksLeft(i, next, t))
		if i > 0 {
			continue
		}
		if effect := b.verdict.SmallestEffect(i, t, q.MaxStep.Seconds()/each); !math.IsInf(effect, 0) {
			j.SmallestEffect = fmt.Sprintf("%.3g", effect)
		}
	}
	seconds := left * each
	if !(seconds < longest.Seconds()) {
		return true
	}
	j.TimeLeft = time.Duration(seconds * float64(time.Second))
	return false
}

// longest is the longest step that a policy can ask for.
const longest = 24 * time.Hour
