package verdict

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

var (
	simulated = flag.Float64("simulate", 0, "share of the runs that each claim needs; 1 takes an hour or more (make simulate), 0 runs a few")
	record    = flag.String("record", "", "file that keeps a line for each claim that held, with -simulate; claims found there are not simulated again")
)

// A claim is about releases that differ only by chance: run simulates one of them.
type claim struct {
	name string
	// short and full are the numbers of runs, without -simulate and with -simulate=1.
	short, full int
	// most bounds the share of runs that end wrongly; median, if set, the median of seconds instead; failed, if set too, that of
	// failed requests.
	most, median, failed float64
	run                  func(*rand.Rand) outcome
}

type outcome struct {
	wrong bool
	// seconds until what the claim is about, and of those until a bake asked.
	seconds, asked float64
	// failed is the number of requests that the canary answered badly until then.
	failed float64
}

func TestSimulateErrors(t *testing.T) { simulate(t, errorClaims()) }

func TestSimulateSpeed(t *testing.T) { simulate(t, speedClaims()) }

func TestSimulateBakes(t *testing.T) { simulate(t, bakeClaims()) }

func simulate(t *testing.T, claims []claim) {
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			runs := c.short
			if *simulated > 0 {
				runs = int(math.Ceil(float64(c.full) * *simulated))
			}
			if recorded(t, c.name, runs) {
				t.Skip("recorded")
			}
			result, problem := c.judge(c.outcomes(runs))
			t.Logf("%s of %d runs, want %s", result, runs, c.bound())
			if problem != "" {
				t.Error(problem)
				return
			}
			keep(t, fmt.Sprintf("| %s | %s | %s | %d |", c.name, c.bound(), result, runs))
		})
	}
}

// outcomes are those of so many runs, each with a seed of its own: the claim's name and its number.
func (c claim) outcomes(runs int) []outcome {
	seed := fnv.New64a()
	seed.Write([]byte(c.name))
	outcomes := make([]outcome, runs)
	var workers sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := w; i < runs; i += runtime.GOMAXPROCS(0) {
				outcomes[i] = c.run(rand.New(rand.NewPCG(seed.Sum64(), uint64(i))))
			}
		})
	}
	workers.Wait()
	return outcomes
}

// judge is what the outcomes show, and what is wrong with it.
func (c claim) judge(outcomes []outcome) (result, problem string) {
	if c.median > 0 {
		return c.judgeSpeed(outcomes)
	}
	wrong := 0
	for _, o := range outcomes {
		if o.wrong {
			wrong++
		}
	}
	share := float64(wrong) / float64(len(outcomes))
	result = fmt.Sprintf("%.2f %% (± %.2f)", 100*share, 100*math.Sqrt(share*(1-share)/float64(len(outcomes))))
	if limit := chance(len(outcomes), c.most); wrong > limit {
		problem = fmt.Sprintf("%d of %d runs are wrong, want at most %d: a rate of %g explains no more", wrong, len(outcomes), limit, c.most)
	}
	return result, problem
}

func (c claim) judgeSpeed(outcomes []outcome) (result, problem string) {
	seconds := column(outcomes, func(o outcome) float64 { return o.seconds })
	failed := column(outcomes, func(o outcome) float64 { return o.failed })
	asked := column(outcomes, func(o outcome) float64 { return o.asked })
	middle := len(outcomes) / 2
	result = fmt.Sprintf("%.1f s (p90 %.1f)", seconds[middle], seconds[len(outcomes)*9/10])
	if asked[middle] > 0 {
		result += fmt.Sprintf(", asked after %.1f s", asked[middle])
	}
	if c.failed > 0 {
		result += fmt.Sprintf(", %g failed", failed[middle])
	}
	if seconds[middle] > c.median || c.failed > 0 && failed[middle] > c.failed {
		problem = fmt.Sprintf("%s, want %s", result, c.bound())
	}
	return result, problem
}

func column(outcomes []outcome, of func(outcome) float64) []float64 {
	var values []float64
	for _, o := range outcomes {
		values = append(values, of(o))
	}
	slices.Sort(values)
	return values
}

func (c claim) bound() string {
	switch {
	case c.failed > 0:
		return fmt.Sprintf("≤ %g s, ≤ %g failed", c.median, c.failed)
	case c.median > 0:
		return fmt.Sprintf("≤ %g s", c.median)
	}
	return fmt.Sprintf("≤ %g %%", 100*c.most)
}

// recorded says whether the claim has held in so many runs before.
func recorded(t *testing.T, name string, runs int) bool {
	if *record == "" {
		return false
	}
	kept, err := os.ReadFile(*record)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(kept)) {
		if strings.HasPrefix(line, "| "+name+" |") && strings.Contains(line, fmt.Sprintf("| %d |", runs)) {
			return true
		}
	}
	return false
}

func keep(t *testing.T, line string) {
	if *record == "" {
		return
	}
	f, err := os.OpenFile(*record, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Fatal(err)
	}
}

// chance is the count of wrong runs that a rate exceeds with probability 1e-4 at most.
func chance(runs int, rate float64) int {
	term := math.Pow(1-rate, float64(runs))
	below := term
	k := 0
	for ; below < 1-1e-4 && k < runs; k++ {
		term *= float64(runs-k) / float64(k+1) * rate / (1 - rate)
		below += term
	}
	return k
}

func TestChance(t *testing.T) {
	for _, c := range []struct {
		runs int
		rate float64
		want int
	}{{100, 0.01, 6}, {10_000, 0.01, 139}, {10, 0, 0}} {
		if got := chance(c.runs, c.rate); got != c.want {
			t.Errorf("chance(%d, %g) = %d, want %d", c.runs, c.rate, got, c.want)
		}
	}
}

func TestJudge(t *testing.T) {
	many := func(o outcome) []outcome { return slices.Repeat([]outcome{o}, 100) }
	for _, c := range []struct {
		name     string
		claim    claim
		outcomes []outcome
		result   string
		holds    bool
	}{
		{"never wrong", claim{most: 0.01}, many(outcome{}), "0.00 % (± 0.00)", true},
		{"always wrong", claim{most: 0.01}, many(outcome{wrong: true}), "100.00 % (± 0.00)", false},
		{"in time", claim{median: 10}, many(outcome{seconds: 10}), "10.0 s (p90 10.0)", true},
		{"late", claim{median: 10}, many(outcome{seconds: 10.5}), "10.5 s (p90 10.5)", false},
		{"too many failed", claim{median: 10, failed: 8}, many(outcome{seconds: 4, failed: 9}), "4.0 s (p90 4.0), 9 failed", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, problem := c.claim.judge(c.outcomes)
			if result != c.result || (problem == "") != c.holds {
				t.Errorf("judge = %q, %q; want %q and that it holds: %v", result, problem, c.result, c.holds)
			}
		})
	}
}
