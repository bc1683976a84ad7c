package ingest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"

	"movieexample.com/fleet/services/internal/problem"
)

func TestAway(t *testing.T) {
	var (
		noDatabase = problem.NewUnavailable(errors.New("connection refused"), "the database does not answer")
		noBroker   = &brokerError{"ask", "Describe on topic ratings", errors.New("dial: refused")}
	)
	for name, c := range map[string]struct {
		failed        error
		works         string // a second later
		after         time.Duration
		wants, broker bool
	}{
		"nothing has failed":           {},
		"the database is away":         {failed: noDatabase, after: time.Hour, wants: true},
		"it is back":                   {failed: noDatabase, works: forDatabase, after: 11 * time.Second},
		"it is back since a moment":    {failed: noDatabase, works: forDatabase, after: 5 * time.Second, wants: true},
		"the brokers are away":         {failed: noBroker, after: time.Hour, broker: true},
		"the database works meanwhile": {failed: noBroker, works: forDatabase, after: time.Hour, broker: true},
		"a right is not granted":       {failed: &brokerError{"ask", "Read on topic ratings", kerr.TopicAuthorizationFailed}, after: time.Second},
		"a batch is too large":         {failed: &swollenError{}, after: time.Second},
		"the program's own mistake":    {failed: errors.New("2 outcomes for 3 events"), after: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			a := newAway(func() time.Time { return now })
			a.works(forDatabase)
			if c.failed != nil {
				a.note(c.failed)
			}
			now = now.Add(time.Second)
			if c.works != "" {
				a.works(c.works)
			}
			now = now.Add(c.after - time.Second)
			if got := a.waits(forDatabase); got != c.wants {
				t.Errorf("waits for the database = %v, want %v", got, c.wants)
			}
			if got := a.waits(forBroker); got != c.broker {
				t.Errorf("waits for the brokers = %v, want %v", got, c.broker)
			}
		})
	}
}

func TestWaitingIsShown(t *testing.T) {
	a := newAway(func() time.Time { return time.Unix(1000, 0) })
	registry := prometheus.NewRegistry()
	showWaiting(registry, a)
	a.note(problem.NewUnavailable(errors.New("connection refused"), "the database does not answer"))
	want := `
# HELP ingest_waiting 1 while the database or the brokers are away and tries fail for it, and for 10 s after, else 0.
# TYPE ingest_waiting gauge
ingest_waiting{for="broker"} 0
ingest_waiting{for="database"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "ingest_waiting"); err != nil {
		t.Error(err)
	}
}
