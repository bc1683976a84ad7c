package evidence

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
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
	// Starved says that callers do not bring the canary its share; empty when they do.
	Starved string
	// Suspicion says what a bake has noticed, SuspicionNumber its evidence.
	Suspicion, SuspicionNumber string
	// Clear is true while little speaks against the canary; LogE is the logarithm of how much does.
	Clear bool
	LogE  float64
	// Signals are the numbers of the release.
	Signals []SignalSummary
	// SmallestEffect is the least odds ratio that this traffic shows in a step, TimeLeft how long the next share takes.
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
	j := Judgement{
		Requests: b.state.Step.Canary + b.state.Step.Stable, CanaryRequests: b.state.Step.Canary,
		CountedBy: string(b.source()), LogE: b.verdict.LogE(),
	}
	j.Clear = j.LogE < clearBelow
	if j.Requests > 0 {
		j.MeasuredShare = 100 * float64(j.CanaryRequests) / float64(j.Requests)
		j.MeasuredPercent = fmt.Sprintf("%.2g", j.MeasuredShare)
	}
	blind := b.blind()
	d, err := b.verdict.Decide(b.question(q, blind))
	if err != nil { // a weight that the release does not have: nothing is allowed
		j.Action, j.Message = verdict.Hold, err.Error()
		return j
	}
	j.Action, j.Reason, j.Pods = d.Action, d.Reason, d.Pods
	b.forecast(&j, q)
	j.Signals = b.summaries(q)
	j.Message = b.message(d, j, q, blind)
	j.Starved = b.starved()
	b.suspect(&j)
	return j
}

func (b *Book) question(q Question, blind []string) verdict.Question {
	ask := verdict.Question{Weight: float64(q.Next) / all, Early: q.Early}
	if len(blind) > 0 {
		ask.Blind = []string{b.release.Params.Signals[0].Name}
	}
	return ask
}

// blind says in sentences what cannot be seen.
func (b *Book) blind() []string {
	var why []string
	if b.state.Slow != "" && b.state.ReadAt.Sub(b.state.Open.Began) >= blindAfter {
		why = append(why, b.state.Slow)
	}
	if b.source() == servers {
		why = append(why, b.unreadPages()...)
	}
	due := verdict.Due(b.state.Step.Canary+b.state.Step.Stable, float64(b.state.Position.Percent)/all)
	if b.state.Position.Percent < all && verdict.Hangs(due, b.state.Step.Canary) {
		why = append(why, fmt.Sprintf("the canary ended %d of about %.0f requests due to it: its requests hang, or callers do not follow weights (those that use the Service object reach the stable revision only)",
			b.state.Step.Canary, due))
	}
	return why
}

// blindAfter is how long readings may be too slow to be used.
const blindAfter = 10 * time.Second

// unreadPages speaks of pages of the canary, and of stable's when all of them cannot be read.
func (b *Book) unreadPages() []string {
	var why []string
	stable := 0
	for _, u := range b.state.Unread {
		if u.Revision == b.release.Canary {
			why = append(why, fmt.Sprintf("the metrics of the canary's pod %s cannot be read: %s", u.Pod, u.Err))
		} else {
			stable++
		}
	}
	if stable > 0 && len(b.state.Open.Stable) == 0 {
		u := b.state.Unread[slices.IndexFunc(b.state.Unread, func(u unread) bool { return u.Revision == b.release.Stable })]
		why = append(why, fmt.Sprintf("the metrics of no pod of the stable revision can be read: %s: %s", u.Pod, u.Err))
	}
	return why
}

// starved speaks of a canary that callers cannot bring its share. Where only servers count, it may be callers that do not
// follow weights: that is no fault of the canary's.
func (b *Book) starved() string {
	s := b.state.Step
	due := verdict.Due(s.Canary+s.Stable, float64(b.state.Position.Percent)/all)
	if b.source() != callers || b.state.Position.Percent == all || !verdict.Starved(due, s.Canary) {
		return ""
	}
	return fmt.Sprintf("callers brought the canary %d of about %.0f requests due to it at weight %d: they cannot reach it", s.Canary, due, b.state.Position.Percent)
}

// suspect says what the bake has noticed.
func (b *Book) suspect(j *Judgement) {
	if !b.baking() {
		return
	}
	d := b.bake.Ask()
	j.SuspicionNumber = number(d.LogE)
	if d.Action == verdict.Ask {
		j.Suspicion = fmt.Sprintf("%s: %d of %d bad since the switch, against %s of the revision before: E=%s ≥ %s",
			d.Signal, d.Canary.Bad, d.Canary.Requests, ratio(b.state.Sums.Stable[d.Signal]), number(d.LogE), number(d.LogNeeded))
	}
}

// summaries are the numbers of each signal.
func (b *Book) summaries(q Question) []SignalSummary {
	next := slices.Index(b.release.Params.Weights, float64(q.Next)/all)
	var list []SignalSummary
	for i, s := range b.release.Params.Signals {
		g := SignalSummary{Name: s.Name, Canary: total(b.state.Sums.Canary[s.Name]), Stable: total(b.state.Sums.Stable[s.Name])}
		g.Against = number(b.verdict.State().Signals[i].Rollback.LogE())
		if next >= 0 {
			g.ForNext = number(b.verdict.Promotion(i, next).LogE())
		}
		list = append(list, g)
	}
	return list
}

func total(c verdict.Counts) signals.Total { return signals.Total{Requests: c.Requests, Bad: c.Bad} }

// forecast fills in what this traffic can show.
func (b *Book) forecast(j *Judgement, q Question) {
	s := b.state.Step
	next := slices.Index(b.release.Params.Weights, float64(q.Next)/all)
	if s.Looks == 0 || s.Seconds <= 0 || next < 0 {
		return
	}
	each := s.Seconds / float64(s.Looks)
	left := 0.0
	for i, g := range b.release.Params.Signals {
		t := verdict.Traffic{
			Canary: float64(s.Canary) / float64(s.Looks), Stable: float64(s.Stable) / float64(s.Looks), History: b.state.Sums.Stable[g.Name],
		}
		left = math.Max(left, b.verdict.LooksLeft(i, next, t))
		if effect := b.verdict.SmallestEffect(i, t, q.MaxStep.Seconds()/each); i == 0 && !math.IsInf(effect, 0) {
			j.SmallestEffect = fmt.Sprintf("%.3g", effect)
		}
	}
	if seconds := left * each; seconds < (24 * time.Hour).Seconds() {
		j.TimeLeft = time.Duration(seconds * float64(time.Second))
	}
}

// message is the decision in a sentence.
func (b *Book) message(d verdict.Decision, j Judgement, q Question, blind []string) string {
	tolerance := b.release.Params.Signals[0].Tolerance
	seen := fmt.Sprintf("%s: %s against %s", d.Signal, badOf(b.state.Sums.Canary[d.Signal]), badOf(b.state.Sums.Stable[d.Signal]))
	e := number(d.LogE)
	switch d.Reason {
	case verdict.Worse:
		return fmt.Sprintf("%s: E=%s ≥ %s (odds ×%g tolerated)", seen, e, number(d.LogNeeded), tolerance)
	case verdict.Bounded:
		return fmt.Sprintf("harm at %d %% bounded by %s: E=%s ≥ %s", q.Next, seen, e, number(d.LogNeeded))
	case verdict.Blind:
		return "held, nobody is blamed: " + strings.Join(blind, "; ")
	case verdict.OnePod:
		return fmt.Sprintf("%s: E=%s, but it rests on pods %s alone", seen, e, strings.Join(d.Pods, ", "))
	case verdict.Suspicious:
		return fmt.Sprintf("%s: E=%s speaks against it; %s take it back", seen, e, number(d.LogNeeded))
	case verdict.TooEarly:
		return fmt.Sprintf("%s; weight %d is next when this step has lasted long enough", seen, q.Next)
	case verdict.Unproven:
		return fmt.Sprintf("%s; weight %d needs E=%s, has %s%s", seen, q.Next, number(d.LogNeeded), e, about(j.TimeLeft))
	}
	return seen
}

func about(left time.Duration) string {
	if left <= 0 {
		return ": this traffic does not show it"
	}
	return fmt.Sprintf(": about %s more at this traffic", max(left, time.Second).Round(time.Second))
}

func badOf(c verdict.Counts) string { return fmt.Sprintf("%d of %d bad", c.Bad, c.Requests) }

func ratio(c verdict.Counts) string { return fmt.Sprintf("%d of %d", c.Bad, c.Requests) }

// number is exp(log) for people.
func number(log float64) string {
	switch e := math.Exp(log); {
	case log > 13:
		return fmt.Sprintf("10^%.0f", math.Floor(log/math.Ln10))
	case e >= 10:
		return fmt.Sprintf("%.0f", e)
	default:
		return cmp.Or(strings.TrimSuffix(fmt.Sprintf("%.2g", e), ".0"), "0")
	}
}
