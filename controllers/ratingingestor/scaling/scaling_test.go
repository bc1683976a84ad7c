package scaling_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"movieexample.com/fleet/controllers/ratingingestor/scaling"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func policy() scaling.Policy {
	return scaling.Policy{Min: 1, Max: 12, Partitions: 12, Drain: time.Minute}
}

func TestNeed(t *testing.T) {
	for name, c := range map[string]struct {
		policy  func(*scaling.Policy)
		rates   scaling.Rates
		current int32
		want    int32
	}{
		"nothing measured":            {nil, scaling.Rates{Produced: 900, Backlog: 1e6}, 3, 3},
		"nothing to do":               {nil, scaling.Rates{Capacity: scaling.Capacity{1: 100}}, 3, 1},
		"what is produced":            {nil, scaling.Rates{Produced: 350, Capacity: scaling.Capacity{1: 100}}, 1, 4},
		"and what waits":              {nil, scaling.Rates{Produced: 350, Backlog: 6000, Capacity: scaling.Capacity{1: 100}}, 1, 5},
		"a little more than there is": {nil, scaling.Rates{Produced: 405, Capacity: scaling.Capacity{1: 100}}, 4, 4},
		"no more than partitions":     {func(p *scaling.Policy) { p.Partitions = 3 }, scaling.Rates{Produced: 900, Capacity: scaling.Capacity{1: 100}}, 1, 3},
		"no more than the most":       {func(p *scaling.Policy) { p.Max = 2 }, scaling.Rates{Produced: 900, Capacity: scaling.Capacity{1: 100}}, 1, 2},
		"no less than the least":      {func(p *scaling.Policy) { p.Min = 2 }, scaling.Rates{Capacity: scaling.Capacity{1: 100}}, 5, 2},
		"a slower drain":              {func(p *scaling.Policy) { p.Drain = time.Hour }, scaling.Rates{Backlog: 36000, Capacity: scaling.Capacity{1: 10}}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy()
			if c.policy != nil {
				c.policy(&p)
			}
			if got := scaling.Need(p, c.rates, c.current); got != c.want {
				t.Errorf("Need(%+v, %+v, %d) = %d, want %d", p, c.rates, c.current, got, c.want)
			}
		})
	}
}

// TestNeedIsBoundedAndRises: whatever the numbers, need stays within the bounds, and more work never needs less.
func TestNeedIsBoundedAndRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := scaling.Policy{
			Min: rapid.Int32Range(1, 20).Draw(t, "min"), Partitions: rapid.Int32Range(1, 50).Draw(t, "partitions"),
			Drain: time.Duration(rapid.IntRange(5, 86400).Draw(t, "drain")) * time.Second,
		}
		p.Max = p.Min + rapid.Int32Range(0, 30).Draw(t, "max above min")
		r := scaling.Rates{
			Produced: rapid.Float64Range(0, 1e12).Draw(t, "produced"), Backlog: rapid.Int64Range(0, math.MaxInt64/4).Draw(t, "backlog"),
			Capacity: rapid.MapOf(rapid.Int32Range(1, 60), rapid.Float64Range(0, 1e6)).Draw(t, "capacity"),
		}
		current := rapid.Int32Range(0, 60).Draw(t, "current")
		more := r
		more.Backlog += rapid.Int64Range(0, math.MaxInt64/4).Draw(t, "more")
		got := scaling.Need(p, r, current)
		if got < 1 || got > p.Max || got > p.Partitions || (got < p.Min && got < p.Partitions) {
			t.Fatalf("Need(%+v, %+v, %d) = %d, out of bounds", p, r, current, got)
		}
		if again := scaling.Need(p, more, current); again < got {
			t.Fatalf("Need with backlog %d is %d, with %d it is %d", r.Backlog, got, more.Backlog, again)
		}
	})
}

// consumers are a group that takes what it can: each so many records a second, and all no more than the limit if there is one,
// as of a database or of one partition with all records.
type consumers struct {
	n                   int32
	each, produced, end float64
	limit               float64
	next                float64
	meter               scaling.Meter
	scaler              scaling.Scaler
	at                  time.Time
}

// run lets some time pass with a look each ten seconds and returns how many there were at most and at the end.
func (c *consumers) run(d time.Duration, p scaling.Policy) (most, last int32) {
	for range int(d / (10 * time.Second)) {
		c.at = c.at.Add(10 * time.Second)
		c.end += 10 * c.produced
		takes := c.each * float64(c.n)
		if c.limit > 0 {
			takes = min(takes, c.limit)
		}
		c.next = min(c.end, c.next+10*takes)
		c.meter.Add(c.at, []scaling.Partition{{Number: 0, End: int64(c.end), Next: int64(c.next)}}, c.n)
		c.n = c.scaler.Want(c.at, p, c.meter.Rates(), c.n)
		most = max(most, c.n)
	}
	return most, c.n
}

// TestFollowsTheLoad: a load that rises is followed within a minute or two, a backlog is worked off, a calm lets consumers go
// after five minutes, and a steady load changes nothing.
func TestFollowsTheLoad(t *testing.T) {
	c := &consumers{n: 1, each: 100, produced: 50, at: epoch}
	if most, _ := c.run(10*time.Minute, policy()); most != 1 {
		t.Errorf("half of what one takes: %d consumers, want 1", most)
	}
	c.produced = 550
	if _, last := c.run(3*time.Minute, policy()); last < 6 {
		t.Errorf("five and a half times of what one takes: %d consumers after three minutes, want 6 at least", last)
	}
	c.run(10*time.Minute, policy())
	if lag := c.end - c.next; lag > 0 {
		t.Errorf("%.0f records still wait after ten minutes", lag)
	}
	_, before := c.run(10*time.Minute, policy())
	if most, last := c.run(20*time.Minute, policy()); most != before || last != before {
		t.Errorf("a steady load: %d to %d consumers, want no change of %d", last, most, before)
	}
	c.produced = 10
	if _, last := c.run(4*time.Minute, policy()); last != before {
		t.Errorf("four calm minutes: %d consumers, want still %d", last, before)
	}
	if _, last := c.run(5*time.Minute, policy()); last != 1 {
		t.Errorf("nine calm minutes: %d consumers, want 1", last)
	}
}

// TestBacklogAtTheBeginning: consumers that meet a backlog are measured from when they are there, not from when nobody was.
func TestBacklogAtTheBeginning(t *testing.T) {
	var m scaling.Meter
	var s scaling.Scaler
	p := policy()
	p.Drain = 5 * time.Second
	n := int32(1)
	for i := range int64(5) {
		consumers := min(int32(i), 1)
		at := epoch.Add(time.Duration(i) * 5 * time.Second)
		m.Add(at, []scaling.Partition{{End: 1_000_000, Next: max(0, i-1) * 100_000}}, consumers)
		n = s.Want(at, p, m.Rates(), n)
	}
	if got := m.Rates().PerConsumer; got != 20_000 {
		t.Errorf("one consumer takes %.0f, want 20,000", got)
	}
	if n != 2 {
		t.Errorf("Want twenty seconds after the beginning = %d, want 2: seven would be needed, and they double", n)
	}
}

// TestLoadAfterQuiet: a consumer that had nothing to do for long is measured as soon as it has more than it takes.
func TestLoadAfterQuiet(t *testing.T) {
	c := &consumers{n: 1, each: 100, at: epoch}
	c.run(10*time.Minute, policy())
	c.produced = 350
	if _, last := c.run(20*time.Second, policy()); last != 2 {
		t.Errorf("%d consumers after twenty seconds of three and a half times of what one takes, want 2: they double", last)
	}
	if _, last := c.run(40*time.Second, policy()); last < 4 {
		t.Errorf("%d consumers after a minute, want 4 at least", last)
	}
}

// TestOutageIsNoMeasure: while the database is away nothing is taken, and that says nothing of what a consumer takes.
func TestOutageIsNoMeasure(t *testing.T) {
	c := &consumers{n: 1, each: 100, produced: 30, at: epoch}
	c.run(10*time.Minute, policy())
	c.each = 0
	c.run(30*time.Second, policy())
	c.each = 100
	if most, _ := c.run(5*time.Minute, policy()); most != 1 {
		t.Errorf("%d consumers after an outage of thirty seconds, want 1, which works it off in time", most)
	}
}

// TestBoundsHoldAtOnce: fewer partitions or a lower limit need no calm.
func TestBoundsHoldAtOnce(t *testing.T) {
	var s scaling.Scaler
	p := policy()
	p.Max = 4
	if got := s.Want(epoch, p, scaling.Rates{}, 9); got != 4 {
		t.Errorf("Want with at most 4 of 9 = %d", got)
	}
}

// TestStuck: a partition that does not move is named, and neither it nor what comes to it is scaled for.
func TestStuck(t *testing.T) {
	var m scaling.Meter
	for i := range int64(8) {
		m.Add(epoch.Add(time.Duration(i)*10*time.Second), []scaling.Partition{
			{Number: 0, End: 1000 * i, Next: 1000 * i}, {Number: 1, End: 5000 + 1000*i, Next: 17}, {Number: 2, End: 40, Next: 40},
		}, 2)
	}
	want := scaling.Rates{Consumers: 2, Steady: time.Minute, Produced: 100, Consumed: 100, Lag: 11983, Stuck: []int32{1}, LastCommit: epoch.Add(70 * time.Second)}
	if diff := cmp.Diff(want, m.Rates(), cmpopts.EquateApprox(0, 1)); diff != "" {
		t.Errorf("Rates (-want +got):\n%s", diff)
	}
}

// TestSetBack: offsets that go back, of a topic made anew or a group that was rewound, begin a new measurement.
func TestSetBack(t *testing.T) {
	var m scaling.Meter
	for i := range int64(4) {
		m.Add(epoch.Add(time.Duration(i)*10*time.Second), []scaling.Partition{{End: 1000 * (i + 1), Next: 900 * i}}, 1)
	}
	m.Add(epoch.Add(40*time.Second), []scaling.Partition{{End: 10, Next: 0}}, 1)
	if got := m.Rates(); got.Produced != 0 || got.Consumed != 0 || got.Lag != 10 {
		t.Errorf("Rates = %+v, want nothing measured and 10 waiting", got)
	}
}

// TestRemovedIsNotTaken: what retention removes before it is taken is no work of consumers, and a partition that none moves is stuck.
func TestRemovedIsNotTaken(t *testing.T) {
	var m scaling.Meter
	for i := range int64(8) {
		m.Add(epoch.Add(time.Duration(i)*10*time.Second), []scaling.Partition{{Start: 10_000 * i, End: 1_000_000 + 1000*i, Next: 5}}, 1)
	}
	want := scaling.Rates{Consumers: 1, Steady: time.Minute, Lag: 937_000, Stuck: []int32{0}}
	if diff := cmp.Diff(want, m.Rates()); diff != "" {
		t.Errorf("Rates (-want +got):\n%s", diff)
	}
	m.Add(epoch.Add(80*time.Second), []scaling.Partition{{Start: 80_000, End: 1_008_000, Next: 80_100}}, 1)
	if got := m.Rates().Consumed; got > 100 {
		t.Errorf("%.0f records a second were consumed in a minute that took 100, want what was taken", got)
	}
}
