package scaling_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"movieexample.com/fleet/controllers/ratingingestor/scaling"
)

// TestNoMoreThanHelp: where a database or one partition is the limit, no consumers are added to those that made nothing faster.
func TestNoMoreThanHelp(t *testing.T) {
	for name, c := range map[string]struct {
		each, limit, produced float64
		most                  int32
	}{
		"one takes all that can be taken": {100, 100, 110, 2},
		"far more than can be taken":      {100, 100, 5000, 2},
		"three do":                        {100, 300, 350, 8},
		"nothing is the limit":            {100, 0, 1150, 12},
	} {
		t.Run(name, func(t *testing.T) {
			g := &consumers{n: 1, each: c.each, limit: c.limit, produced: c.produced, at: epoch}
			if most, _ := g.run(time.Hour, policy()); most != c.most {
				t.Errorf("%d consumers after an hour of %.0f/s where one takes %.0f/s and all no more than %.0f/s, want %d", most, c.produced, c.each, c.limit, c.most)
			}
		})
	}
}

// TestOverloadIsForgotten: what was too much for all says nothing of how many a small load needs.
func TestOverloadIsForgotten(t *testing.T) {
	c := &consumers{n: 1, each: 100, limit: 100, produced: 150, at: epoch}
	c.run(3*time.Minute, policy())
	c.produced = 50
	if _, last := c.run(20*time.Minute, policy()); last != 1 {
		t.Errorf("%d consumers after twenty minutes of half of what one takes, want 1", last)
	}
}

// TestLimitThatGoes: a database that was slow and is not any more is found to be of use to more consumers, and once is enough.
func TestLimitThatGoes(t *testing.T) {
	c := &consumers{n: 1, each: 100, limit: 100, produced: 500, at: epoch}
	if _, last := c.run(10*time.Minute, policy()); last != 2 {
		t.Fatalf("%d consumers at the limit, want 2", last)
	}
	c.limit = 0
	if _, last := c.run(3*time.Minute, policy()); last < 5 {
		t.Errorf("%d consumers three minutes after the limit has gone, want 5 at least", last)
	}
}

// TestVain: whoever sees that more are needed and none is added is told why.
func TestVain(t *testing.T) {
	c := &consumers{n: 1, each: 100, limit: 100, produced: 200, at: epoch}
	if before, _ := c.scaler.Vain(policy(), c.meter.Rates(), c.n); before != 0 {
		t.Errorf("Vain before anything was added names %d consumers", before)
	}
	c.run(5*time.Minute, policy())
	before, took := c.scaler.Vain(policy(), c.meter.Rates(), c.n)
	if c.n != 2 || before != 1 || math.Abs(took-100) > 1 {
		t.Errorf("Vain with %d consumers = %d that took %.0f/s, want one that took 100 as two do", c.n, before, took)
	}
	c.produced = 10
	c.run(20*time.Minute, policy())
	if before, _ := c.scaler.Vain(policy(), c.meter.Rates(), c.n); before != 0 {
		t.Errorf("Vain names %d consumers while nothing waits", before)
	}
}

// TestFindsWhatIsNeeded: whatever one consumer takes and all together can, a load below that gets its consumers, a load above
// it gets no more than two doublings of those that reach it, and what was needed is still there an hour later.
func TestFindsWhatIsNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := scaling.Policy{Min: 1, Max: 200, Partitions: 200, Drain: time.Minute}
		c := &consumers{
			n: 1, each: rapid.Float64Range(10, 1000).Draw(t, "each"), at: epoch,
			produced: rapid.Float64Range(0, 10).Draw(t, "produced before"),
		}
		useful := rapid.Float64Range(1, 40).Draw(t, "useful")
		c.limit = c.each * useful
		c.run(rapid.SampledFrom([]time.Duration{0, 10 * time.Minute}).Draw(t, "quiet"), p)
		c.produced = c.limit * rapid.SampledFrom([]float64{0.1, 0.5, 0.8, 1.2, 5}).Draw(t, "load")
		most, _ := c.run(30*time.Minute, p)
		if reach := int32(math.Ceil(useful)); most > 4*reach {
			t.Fatalf("%d consumers, where %d take all that can be taken", most, reach)
		}
		_, last := c.run(time.Hour, p)
		if takes := min(c.each*float64(last), c.limit); 1.1*takes < min(c.produced, c.limit) { // a tenth is left alone
			t.Fatalf("%d consumers take %.0f/s of %.0f/s", last, takes, c.produced)
		}
		if lag := c.end - c.next; c.produced < c.limit && lag > 7*c.produced { // a tenth more than is taken is left alone for a minute
			t.Fatalf("%.0f records still wait", lag)
		}
	})
}
