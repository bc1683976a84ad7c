package balance

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/connectivity"
)

func TestChoose(t *testing.T) {
	const (
		ready      = connectivity.Ready
		connecting = connectivity.Connecting
		idle       = connectivity.Idle
		failing    = connectivity.TransientFailure
	)
	v1 := "v1"
	for name, tc := range map[string]struct {
		list   []endpoint
		subset string
		served *string
		state  connectivity.State
		want   []string // revisions picked, in any order
		serves string   // the subset that gets the calls afterwards; - for none yet
	}{
		"all revisions while none is named": {[]endpoint{{"v1", ready, nil}, {"v2", ready, nil}}, "", nil, ready, []string{"v1", "v2"}, ""},
		"only the named":                    {[]endpoint{{"v1", ready, nil}, {"v2", ready, nil}}, "v2", nil, ready, []string{"v2"}, "v2"},
		"only the ready":                    {[]endpoint{{"v1", ready, nil}, {"v1", connecting, nil}}, "v1", nil, ready, []string{"v1"}, "v1"},
		"the last one serves until the new is connected": {
			[]endpoint{{"v1", ready, nil}, {"v2", connecting, nil}}, "v2", &v1, ready, []string{"v1"}, "v1",
		},
		"the last one serves while the new cannot be reached": {
			[]endpoint{{"v1", ready, nil}, {"v2", failing, nil}}, "v2", &v1, ready, []string{"v1"}, "v1",
		},
		"never a revision that was not named": {[]endpoint{{"v1", failing, nil}, {"v2", ready, nil}}, "v1", &v1, failing, []string{"v1"}, "v1"},
		"wait for the first connection":       {[]endpoint{{"v1", connecting, nil}}, "v1", nil, connecting, nil, "-"},
		"wait for an idle one too":            {[]endpoint{{"v1", idle, nil}, {"v1", failing, nil}}, "v1", nil, connecting, nil, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			picks := map[string]bool{}
			for i := range tc.list {
				e := &tc.list[i]
				e.picker = pickFunc(func() { picks[e.revision] = true })
			}
			state, served := choose(tc.list, tc.subset, tc.served)
			if state.ConnectivityState != tc.state {
				t.Errorf("choose() = state %s, want %s", state.ConnectivityState, tc.state)
			}
			for range 2 * len(tc.list) {
				_, _ = state.Picker.Pick(balancer.PickInfo{Ctx: context.Background()})
			}
			for _, revision := range tc.want {
				if !picks[revision] {
					t.Errorf("revision %s got no call", revision)
				}
				delete(picks, revision)
			}
			if len(picks) > 0 {
				t.Errorf("revisions %v got calls, want none", picks)
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

type pickFunc func()

func (f pickFunc) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	f()
	return balancer.PickResult{}, nil
}

func TestTheErrorOfABrokenConnectionIsShown(t *testing.T) {
	broken := errors.New("connection refused")
	list := []endpoint{{"v1", connectivity.TransientFailure, base.NewErrPicker(broken)}}
	state, _ := choose(list, "v1", nil)
	if _, err := state.Picker.Pick(balancer.PickInfo{Ctx: context.Background()}); !errors.Is(err, broken) {
		t.Errorf("Pick() = %v, want %v", err, broken)
	}
	state, _ = choose(nil, "v1", nil)
	if _, err := state.Picker.Pick(balancer.PickInfo{Ctx: context.Background()}); err == nil || err.Error() != "no instance of revision v1" {
		t.Errorf("Pick() = %v, want: no instance of revision v1", err)
	}
}
