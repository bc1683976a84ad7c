package check

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"k8s.io/utils/clock"

	"movieexample.com/fleet/api/v1alpha1"
)

// Rollout is what others are asked about.
type Rollout struct {
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	// Canary and Stable are revisions; Stable is empty where there is none yet.
	Canary string `json:"canary"`
	Stable string `json:"stable"`
	// Weight is the canary's share of requests, in percent.
	Weight int32 `json:"weight"`
}

// Verdict is what somebody says of a rollout.
type Verdict string

// The verdicts.
const (
	// Pass: nothing speaks against it.
	Pass Verdict = "Pass"
	// Wait: no step is to be taken yet.
	Wait Verdict = "Wait"
	// Fail: the canary is to be taken back.
	Fail Verdict = "Fail"
	// Unknown: there is no answer that can be used. That holds a rollout, and blames nobody.
	Unknown Verdict = "Unknown"
)

// Answer is a verdict, and a sentence that names who gave it and why; it is empty where all pass.
type Answer struct {
	Verdict Verdict
	Message string
}

// Check is somebody who is asked.
type Check interface {
	Ask(ctx context.Context, r Rollout) Answer
}

const (
	// patience is how long one answer may take, and longestBody how long it may be.
	patience    = 5 * time.Second
	longestBody = 64 << 10
	// longestWords bounds what others may write into a status.
	longestWords = 200
)

// Keys finds the key that signs a webhook's calls. It is asked at each call, so that a changed key is used at once.
type Keys func(ctx context.Context, ref v1alpha1.SecretKeyReference) ([]byte, error)

// Asker holds what all checks of the process share.
type Asker struct {
	guard  guard
	clock  clock.PassiveClock
	client *client
}

// NewAsker allows webhooks at these hosts: names or addresses, exactly, at any port.
func NewAsker(hosts []string, clk clock.PassiveClock) *Asker {
	g := newGuard(hosts)
	return &Asker{guard: g, clock: clk, client: newClient(g)}
}

// Close ends idle connections. No Ask may be under way.
func (a *Asker) Close() { a.client.http.CloseIdleConnections() }

// Panel are all checks of one release. It remembers earlier answers: a new release needs a new one.
type Panel struct {
	queries  []Check
	webhooks []Check
}

// Panel returns the checks that a policy names; the policy may be nil.
func (a *Asker) Panel(policy *v1alpha1.SignalPolicy, keys Keys) *Panel {
	p := &Panel{}
	if policy == nil {
		return p
	}
	if policy.Prometheus != nil {
		for _, q := range policy.Prometheus.Queries {
			p.queries = append(p.queries, newQuery(a.client, policy.Prometheus.URL, q))
		}
	}
	for _, w := range policy.Webhooks {
		p.webhooks = append(p.webhooks, &webhook{asker: a, spec: w, keys: keys})
	}
	return p
}

// Empty is true where nobody is to be asked.
func (p *Panel) Empty() bool { return len(p.queries)+len(p.webhooks) == 0 }

// Ask asks all: the webhooks at the same time, the queries one after the other. Each of them may take 5 s. One that says no
// is enough; else one that waits or cannot be asked.
func (p *Panel) Ask(ctx context.Context, r Rollout) Answer {
	answers := make([]Answer, len(p.queries)+len(p.webhooks))
	var asking sync.WaitGroup
	asking.Go(func() {
		for i, q := range p.queries {
			answers[i] = q.Ask(ctx, r)
		}
	})
	for i, w := range p.webhooks {
		asking.Go(func() { answers[len(p.queries)+i] = w.Ask(ctx, r) })
	}
	asking.Wait()
	return merge(answers)
}

// merge keeps the worst verdict with all that was said to it.
func merge(answers []Answer) Answer {
	for _, v := range []Verdict{Fail, Unknown, Wait} {
		var said []string
		for _, a := range answers {
			if a.Verdict == v {
				said = append(said, a.Message)
			}
		}
		if len(said) > 0 {
			return Answer{v, strings.Join(said, "; ")}
		}
	}
	return Answer{Verdict: Pass}
}

// words are what somebody else wrote, fit for a status: one line, no more than a person reads.
func words(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.TrimSpace(fmt.Sprintf("%.*s", longestWords, s))
}
