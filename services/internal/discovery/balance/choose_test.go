package balance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/connectivity"

	"movieexample.com/fleet/services/internal/discovery"
)

const (
	ready      = connectivity.Ready
	connecting = connectivity.Connecting
	idle       = connectivity.Idle
	failing    = connectivity.TransientFailure
)

// at is an endpoint of a revision in a state; the connections of the failing ones are refused.
func at(revision string, state connectivity.State) endpoint {
	switch state {
	case connectivity.Ready:
		return endpoint{revision: revision, state: state, picker: readyPicker{}}
	case connectivity.TransientFailure:
		return endpoint{revision: revision, state: state, picker: base.NewErrPicker(errors.New(revision + " refuses"))}
	default:
		return endpoint{revision: revision, state: state, picker: base.NewErrPicker(balancer.ErrNoSubConnAvailable)}
	}
}

type readyPicker struct{}

func (readyPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{}, nil
}

// shares makes a split of pairs: v1, 99, v2, 1.
func shares(pairs ...any) []discovery.Share {
	var split []discovery.Share
	for i := 0; i < len(pairs); i += 2 {
		split = append(split, discovery.Share{Subset: pairs[i].(string), Percent: float64(pairs[i+1].(int))})
	}
	return split
}

// inTurn draws 0, 1, 2 … : as many draws as there are hundredths make every weight exact.
func inTurn() func(uint64) uint64 {
	next := uint64(0)
	return func(n uint64) uint64 { next++; return (next - 1) % n }
}

// outcome says what becomes of one call: the revision that took it, or the error, and the revision that missed it.
func outcome(p balancer.Picker) string {
	ctx, picked := WithPicked(context.Background())
	_, err := p.Pick(balancer.PickInfo{Ctx: ctx})
	switch {
	case errors.Is(err, balancer.ErrNoSubConnAvailable):
		return "waits"
	case err != nil:
		return err.Error()
	case picked.Missed() != "":
		return picked.Revision() + " for " + picked.Missed()
	default:
		return picked.Revision()
	}
}

// percent is what becomes of all calls.
func percent(p balancer.Picker) map[string]float64 {
	got := map[string]float64{}
	const turns = 2 * whole // weights of up to 200 % together, exactly
	for range turns {
		got[outcome(p)] += 100.0 / turns
	}
	for key, value := range got {
		got[key] = math.Round(value*1e6) / 1e6 // what adding up has left
	}
	return got
}

func TestChooseOneRevision(t *testing.T) {
	v1 := "v1"
	for name, tc := range map[string]struct {
		list   []endpoint
		subset string
		served *string
		state  connectivity.State
		want   map[string]float64
		serves string // the default revision that was ready last; - for none yet
	}{
		"all revisions while none is named": {
			[]endpoint{at("v1", ready), at("v2", ready)}, "", nil, ready, map[string]float64{"v1": 50, "v2": 50}, "",
		},
		"only the named": {[]endpoint{at("v1", ready), at("v2", ready)}, "v2", nil, ready, map[string]float64{"v2": 100}, "v2"},
		"only the ready": {[]endpoint{at("v1", ready), at("v1", connecting), at("v1", failing)}, "v1", nil, ready, map[string]float64{"v1": 100}, "v1"},
		"the last one serves until the new is connected": {
			[]endpoint{at("v1", ready), at("v2", connecting)}, "v2", &v1, ready, map[string]float64{"v1": 100}, "v1",
		},
		"the last one serves while the new cannot be reached": {
			[]endpoint{at("v1", ready), at("v2", failing)}, "v2", &v1, ready, map[string]float64{"v1 for v2": 100}, "v1",
		},
		"never a revision that was not named": {
			[]endpoint{at("v1", failing), at("v2", ready)}, "v1", &v1, failing, map[string]float64{"v1 refuses": 100}, "v1",
		},
		"wait for the first connection": {[]endpoint{at("v1", connecting)}, "v1", nil, connecting, map[string]float64{"waits": 100}, "-"},
		"wait for an idle one too":      {[]endpoint{at("v1", idle), at("v1", failing)}, "v1", nil, connecting, map[string]float64{"waits": 100}, "-"},
		"the error of the connection":   {[]endpoint{at("v1", failing)}, "v1", nil, failing, map[string]float64{"v1 refuses": 100}, "-"},
		"no instance":                   {nil, "v1", nil, failing, map[string]float64{"no instance of revision v1": 100}, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			state, served := choose(tc.list, route{subset: tc.subset}, tc.served, inTurn())
			if state.ConnectivityState != tc.state {
				t.Errorf("choose() = state %s, want %s", state.ConnectivityState, tc.state)
			}
			if diff := cmp.Diff(tc.want, percent(state.Picker)); diff != "" {
				t.Errorf("percent of the calls (-want +got):\n%s", diff)
			}
			if got := deref(served); got != tc.serves {
				t.Errorf("choose() serves %q, want %q", got, tc.serves)
			}
		})
	}
}

func deref(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func TestChooseBySplit(t *testing.T) {
	v0 := "v0"
	for name, tc := range map[string]struct {
		list   []endpoint
		split  []discovery.Share // the default revision is v1
		served *string
		want   map[string]float64
	}{
		"by weight": {[]endpoint{at("v1", ready), at("v2", ready)}, shares("v1", 99, "v2", 1), nil, map[string]float64{"v1": 99, "v2": 1}},
		"however many instances": {
			[]endpoint{at("v1", ready), at("v2", ready), at("v2", ready), at("v2", ready)}, shares("v1", 99, "v2", 1), nil,
			map[string]float64{"v1": 99, "v2": 1},
		},
		"what is left is the default's": {[]endpoint{at("v1", ready), at("v2", ready)}, shares("v2", 5), nil, map[string]float64{"v1": 95, "v2": 5}},
		"a share of no name is too":     {[]endpoint{at("v1", ready), at("v2", ready)}, shares("", 40, "v2", 60), nil, map[string]float64{"v1": 40, "v2": 60}},
		"a share of no instance is too": {[]endpoint{at("v1", ready)}, shares("v1", 90, "v2", 10), nil, map[string]float64{"v1": 100}},
		"even if it has no other": {
			[]endpoint{at("v1", ready), at("v2", ready)}, shares("v1", 0, "v2", 50, "v3", 50), nil, map[string]float64{"v1": 50, "v2": 50},
		},
		"nothing is more than 100":       {[]endpoint{at("v1", ready), at("v2", ready)}, shares("v1", 100, "v2", 1000), nil, map[string]float64{"v1": 50, "v2": 50}},
		"weight 0":                       {[]endpoint{at("v1", ready), at("v2", ready)}, shares("v1", 100, "v2", 0), nil, map[string]float64{"v1": 100}},
		"weight 100":                     {[]endpoint{at("v1", ready), at("v2", ready)}, shares("v1", 0, "v2", 100), nil, map[string]float64{"v2": 100}},
		"twice the same name":            {[]endpoint{at("v1", ready), at("v2", ready)}, shares("v2", 10, "v1", 80, "v2", 10), nil, map[string]float64{"v1": 80, "v2": 20}},
		"more than 100 is in proportion": {[]endpoint{at("v1", ready), at("v2", ready)}, shares("v1", 100, "v2", 100), nil, map[string]float64{"v1": 50, "v2": 50}},
		"less than 0 is 0":               {[]endpoint{at("v1", ready), at("v2", ready)}, shares("v1", 100, "v2", -100), nil, map[string]float64{"v1": 100}},
		"a canary that is being connected": {
			[]endpoint{at("v1", ready), at("v2", connecting)}, shares("v1", 90, "v2", 10), nil, map[string]float64{"v1": 100},
		},
		"a canary that refuses": {
			[]endpoint{at("v1", ready), at("v2", failing)}, shares("v1", 90, "v2", 10), nil, map[string]float64{"v1": 90, "v1 for v2": 10},
		},
		"a canary of which one refuses, one is being connected": {
			[]endpoint{at("v1", ready), at("v2", failing), at("v2", idle)}, shares("v1", 90, "v2", 10), nil, map[string]float64{"v1": 100},
		},
		"a canary of which one refuses": {
			[]endpoint{at("v1", ready), at("v2", failing), at("v2", ready)}, shares("v1", 90, "v2", 10), nil, map[string]float64{"v1": 90, "v2": 10},
		},
		"a canary with everything that refuses": {
			[]endpoint{at("v1", ready), at("v2", failing)}, shares("v1", 0, "v2", 100), nil, map[string]float64{"v1 for v2": 100},
		},
		"a stable one that is being connected": {
			[]endpoint{at("v1", connecting), at("v2", ready)}, shares("v1", 90, "v2", 10), nil, map[string]float64{"waits": 90, "v2": 10},
		},
		"a stable one that refuses": {
			[]endpoint{at("v1", failing), at("v2", ready)}, shares("v1", 90, "v2", 10), nil, map[string]float64{"v2 for v1": 90, "v2": 10},
		},
		"a stable one without an instance": {[]endpoint{at("v2", ready)}, shares("v1", 90, "v2", 10), nil, map[string]float64{"v2": 100}},
		"the largest takes over, not the default one at weight 0": {
			[]endpoint{at("v1", ready), at("v2", ready), at("v3", ready), at("v4", ready), at("v5", failing)},
			shares("v2", 15, "v3", 30, "v4", 5, "v5", 50), nil,
			map[string]float64{"v2": 15, "v3": 30, "v4": 5, "v3 for v5": 50},
		},
		"the last default takes over if no other is ready": {
			[]endpoint{at("v0", ready), at("v1", connecting), at("v2", failing)}, shares("v1", 90, "v2", 10), &v0,
			map[string]float64{"v0": 90, "v0 for v2": 10},
		},
		"none ready, one is being connected": {
			[]endpoint{at("v1", failing), at("v2", connecting)}, shares("v1", 90, "v2", 10), nil, map[string]float64{"waits": 100},
		},
		"nobody waits for one at weight 0": {
			[]endpoint{at("v1", failing), at("v2", connecting)}, shares("v1", 100, "v2", 0), nil, map[string]float64{"v1 refuses": 100},
		},
		"none ready, all refuse": {
			[]endpoint{at("v1", failing), at("v2", failing)}, shares("v1", 90, "v2", 10), nil, map[string]float64{"v1 refuses": 90, "v2 refuses": 10},
		},
	} {
		t.Run(name, func(t *testing.T) {
			state, _ := choose(tc.list, route{subset: "v1", split: tc.split}, tc.served, inTurn())
			if diff := cmp.Diff(tc.want, percent(state.Picker)); diff != "" {
				t.Errorf("percent of the calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInstancesTakeTurns(t *testing.T) {
	var list []endpoint
	calls := map[string]int{}
	for i := range 5 {
		id := fmt.Sprint(i)
		list = append(list, endpoint{revision: "v1", state: ready, picker: pickFunc(func() { calls[id]++ })})
	}
	state, _ := choose(list, route{subset: "v1"}, nil, inTurn())
	for range 3 * len(list) {
		_, _ = state.Picker.Pick(balancer.PickInfo{Ctx: context.Background()})
	}
	if got := slices.Sorted(maps.Values(calls)); !slices.Equal(got, []int{3, 3, 3, 3, 3}) {
		t.Errorf("calls of each of 5 instances after 15 = %v, want 3 each", got)
	}
}

type pickFunc func()

func (f pickFunc) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	f()
	return balancer.PickResult{}, nil
}

func BenchmarkPick(b *testing.B) {
	var list []endpoint
	for range 50 {
		list = append(list, at("v1", ready), at("v2", ready))
	}
	state, _ := choose(list, route{subset: "v1", split: shares("v1", 99, "v2", 1)}, nil, rand.Uint64N)
	ctx, _ := WithPicked(context.Background())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := state.Picker.Pick(balancer.PickInfo{Ctx: ctx}); err != nil {
			b.Fatal(err)
		}
	}
}
