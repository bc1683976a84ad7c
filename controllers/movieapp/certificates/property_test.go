package certificates

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// pod is what a pod has in use: what its service's Secret held when it looked last.
type pod struct {
	service string
	leaf    *x509.Certificate
	trusts  []*x509.Certificate
}

// cluster is an application's Secrets and pods. Pods look at their Secrets when they like.
type cluster struct {
	*life
	now  time.Time
	pods map[string]*pod
	// hasty are certificates of an authority that nobody could wait for: the signer's key was lost, and a service had none.
	hasty map[string]bool
	story strings.Builder
}

func (c *cluster) trusts(awaited string) bool {
	for _, p := range c.pods {
		if !slices.ContainsFunc(p.trusts, func(a *x509.Certificate) bool { return Fingerprint(a) == awaited }) {
			return false
		}
	}
	return true
}

// operate takes a step and is killed before it has written all.
func (c *cluster) operate(writes int) {
	awaited, trusted := Awaited(c.state.Authority, c.now), ""
	if awaited != "" && c.trusts(awaited) {
		trusted = awaited
	}
	change, err := Step(c.state, c.services, trusted, c.now, c.policy)
	if err != nil {
		c.t.Fatal(err)
	}
	if change.Authority != nil {
		if writes--; writes < 0 {
			return
		}
		c.state.Authority = change.Authority
	}
	r := readRing(c.state.Authority, c.now)
	for _, service := range slices.Sorted(maps.Keys(change.Leaves)) {
		if writes--; writes < 0 {
			return
		}
		c.state.Leaves[service] = change.Leaves[service]
		leaf := parseCertificates(change.Leaves[service][certFile])[0]
		c.hasty[leaf.SerialNumber.String()] = c.hasty[leaf.SerialNumber.String()] || (r.signer().key == nil && leaf.CheckSignatureFrom(r.newest().certificate) == nil)
	}
}

// look lets a pod take up what its Secret holds.
func (c *cluster) look(name string) {
	p := c.pods[name]
	if data := c.state.Leaves[p.service]; data != nil {
		p.leaf, p.trusts = parseCertificates(data[certFile])[0], parseCertificates(data[caFile])
	}
}

// check: whoever calls whom, each takes the other's certificate, as long as it has not expired.
func (c *cluster) check(rt *rapid.T) {
	for _, a := range slices.Sorted(maps.Keys(c.pods)) {
		leaf := c.pods[a].leaf
		if c.now.After(leaf.NotAfter) || c.hasty[leaf.SerialNumber.String()] {
			continue
		}
		for _, b := range slices.Sorted(maps.Keys(c.pods)) {
			if c.now.After(c.pods[b].leaf.NotAfter) {
				continue // whose own has expired is called by nobody
			}
			roots := x509.NewCertPool()
			for _, authority := range c.pods[b].trusts {
				roots.AddCert(authority)
			}
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: c.now}); err != nil {
				rt.Fatalf("%s does not trust %s: %v\n%s", b, a, err, c.story.String())
			}
		}
	}
}

// disturb lets one thing happen that may happen at any time.
func (c *cluster) disturb(rt *rapid.T, i int) {
	service := rapid.SampledFrom(c.services).Draw(rt, "service").Name
	what := rapid.SampledFrom([]string{"time", "time", "operate", "operate", "operate", "look", "look", "look", "start", "stop", "add", "policy", "lose", "unbind"}).Draw(rt, "event")
	switch what {
	case "time":
		c.now = c.now.Add(time.Duration(rapid.IntRange(1, 30*60).Draw(rt, "minutes")) * time.Minute)
	case "operate":
		c.operate(rapid.IntRange(0, 9).Draw(rt, "writes"))
	case "look":
		for name := range c.pods {
			if rapid.Bool().Draw(rt, "looks") {
				c.look(name)
			}
		}
	case "start":
		if c.state.Leaves[service] != nil {
			name := fmt.Sprintf("%s-%d", service, i)
			c.pods[name] = &pod{service: service}
			c.look(name)
		}
	case "stop":
		for name := range c.pods {
			delete(c.pods, name)
			break
		}
	case "add":
		c.services = append(c.services, services(fmt.Sprintf("s%d", i))...)
	case "policy":
		c.policy.Lifetime = time.Duration(rapid.IntRange(1, 48).Draw(rt, "lifetime")) * time.Hour
		c.policy.Rotation = c.policy.Lifetime * time.Duration(rapid.IntRange(1, 10).Draw(rt, "rotation"))
	case "lose":
		c.state.Authority = nil
	case "unbind":
		delete(c.state.Leaves, service)
	}
	if c.state.Authority == nil && !slices.ContainsFunc(slices.Collect(maps.Values(c.state.Leaves)), func(data map[string][]byte) bool { return data != nil }) {
		clear(c.pods) // no Secret is left that tells whom they trust: nothing can be right for them
	}
	fmt.Fprintf(&c.story, "%s %s %s\n", c.now.Format(time.DateTime), what, service)
}

// TestEverybodyIsTrusted: at every moment every certificate in use is trusted by every bundle that a pod still holds,
// however late pods look, wherever the operator dies, and whatever a person deletes but all Secrets at once.
func TestEverybodyIsTrusted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := &cluster{life: newLife(t), now: begin, pods: map[string]*pod{}, hasty: map[string]bool{}}
		c.operate(9)
		for i := range rapid.IntRange(1, 60).Draw(rt, "events") {
			c.disturb(rt, i)
			c.check(rt)
		}
		// In the end, when pods look and the operator works, one authority signs for all and nothing waits.
		for range 6 {
			c.operate(99)
			for name := range c.pods {
				c.look(name)
			}
			c.check(rt)
		}
		if awaited := Awaited(c.state.Authority, c.now); awaited != "" {
			rt.Fatalf("in the end %s still waits to be trusted\n%s", awaited, c.story.String())
		}
	})
}
