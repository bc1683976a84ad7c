package count

import (
	"slices"

	dto "github.com/prometheus/client_model/go"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// caller is what one caller's page says of a service: by revision, and by signal.
type caller struct {
	revisions map[string]map[string]signals.Total
	// unusable says why the latency's bound cannot be judged by the caller's histogram; zero when it can.
	unusable Findings
}

func (c *caller) add(revision, signal string, t signals.Total) {
	if c.revisions[revision] == nil {
		c.revisions[revision] = map[string]signals.Total{}
	}
	have := c.revisions[revision][signal]
	c.revisions[revision][signal] = signals.Total{Requests: have.Requests + t.Requests, Bad: have.Bad + t.Bad}
}

// called reads a caller's page: its calls to the upstreams named, where they were meant for one of the revisions.
func (m Meaning) called(page families, upstreams, revisions []string) (caller, error) {
	c := caller{revisions: map[string]map[string]signals.Total{}}
	concerns := func(metric *dto.Metric) bool {
		revision := label(metric, "revision")
		return revision != "" && slices.Contains(revisions, revision) && slices.Contains(upstreams, label(metric, "target"))
	}
	for _, name := range []string{calledHandled, unreachable} {
		for _, metric := range page[name].GetMetric() {
			if !concerns(metric) {
				continue
			}
			n, err := whole(name, metric)
			if err != nil {
				return caller{}, err
			}
			c.addOutcome(name, metric, n)
		}
	}
	return c, m.calledSlow(page[calledSeconds], &c, concerns)
}

// addOutcome adds calls that ended alike. A call that the revision could not be reached for is an error of this revision,
// and no answer: another revision gave that, and it is counted there.
func (c *caller) addOutcome(name string, metric *dto.Metric, n int64) {
	revision, code := label(metric, "revision"), label(metric, "code")
	failed, refused := signals.Total{Requests: n}, signals.Total{Requests: n}
	if name == unreachable {
		failed.Bad = n
		c.add(revision, signals.Errors, failed)
		return
	}
	if grpcErrors.match(code) {
		failed.Bad = n
	}
	if grpcRefusals.match(code) {
		refused.Bad = n
	}
	c.add(revision, signals.Errors, failed)
	c.add(revision, signals.Refusals, refused)
}

// calledSlow counts late answers as the caller saw them.
func (m Meaning) calledSlow(family *dto.MetricFamily, c *caller, concerns func(*dto.Metric) bool) error {
	if m.bound == 0 {
		return nil
	}
	for _, metric := range family.GetMetric() {
		one := &dto.MetricFamily{Type: family.Type, Metric: []*dto.Metric{metric}}
		slow, shown, err := slowIn(calledSeconds, one, m.bound, concerns)
		if err != nil {
			return err
		}
		switch {
		case shown && slow.unusable == (Findings{}):
			c.add(label(metric, "revision"), signals.Latency, slow.late)
		case shown:
			c.unusable = slow.unusable
		}
	}
	return nil
}
