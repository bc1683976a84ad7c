package consul

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/services/internal/discovery"
)

func entries(revisions ...string) []*api.ServiceEntry {
	var list []*api.ServiceEntry
	for _, r := range revisions {
		list = append(list, &api.ServiceEntry{
			Node:    &api.Node{Address: "10.0.0.9"},
			Service: &api.AgentService{ID: "rating-" + r, Port: 8082, Meta: map[string]string{"revision": r}},
		})
	}
	return list
}

func resolverOf(name, subset string, subsets ...string) *api.ServiceResolverConfigEntry {
	r := &api.ServiceResolverConfigEntry{Name: name, DefaultSubset: subset, Subsets: map[string]api.ServiceResolverSubset{}}
	for _, s := range subsets {
		r.Subsets[s] = api.ServiceResolverSubset{}
	}
	return r
}

func splitterOf(name string, splits ...api.ServiceSplit) *api.ServiceSplitterConfigEntry {
	return &api.ServiceSplitterConfigEntry{Name: name, Splits: splits}
}

// told is a view with all that its update heard; fine snapshots without their instances.
type told struct {
	*view

	snapshots []discovery.Snapshot
	errs      int
}

func newTold() *told {
	l := &told{}
	l.view = &view{service: "rating", update: func(s discovery.Snapshot, err error) {
		if err != nil {
			l.errs++
			return
		}
		s.Instances = nil
		l.snapshots = append(l.snapshots, s)
	}}
	return l
}

func (l *told) want(t *testing.T, want ...discovery.Snapshot) {
	t.Helper()
	if diff := cmp.Diff(want, l.snapshots); diff != "" {
		t.Errorf("snapshots told (-want +got):\n%s", diff)
	}
	l.snapshots = nil
}

var errAway = errors.New("connection refused")

func TestSplitsAreJoined(t *testing.T) {
	for name, tc := range map[string]struct {
		resolver *api.ServiceResolverConfigEntry
		splitter *api.ServiceSplitterConfigEntry
		want     discovery.Snapshot
	}{
		"none": {resolverOf("rating", "v1", "v1"), splitterOf("movie", api.ServiceSplit{Weight: 100}), discovery.Snapshot{Subset: "v1"}},
		"two": {
			resolverOf("rating", "v1", "v1", "v2"),
			splitterOf("rating", api.ServiceSplit{Weight: 99, ServiceSubset: "v1"}, api.ServiceSplit{Weight: 1, ServiceSubset: "v2"}),
			discovery.Snapshot{Subset: "v1", Split: []discovery.Share{{Subset: "v1", Percent: 99}, {Subset: "v2", Percent: 1}}},
		},
		"no name is the default": {
			resolverOf("rating", "v1", "v1", "v2"),
			splitterOf("rating", api.ServiceSplit{Weight: 60}, api.ServiceSplit{Weight: 40, ServiceSubset: "v2", Service: "rating"}),
			discovery.Snapshot{Subset: "v1", Split: []discovery.Share{{Percent: 60}, {Subset: "v2", Percent: 40}}},
		},
		"a subset that the resolver does not have is the default": {
			resolverOf("rating", "v1", "v1"),
			splitterOf("rating", api.ServiceSplit{Weight: 60, ServiceSubset: "v1"}, api.ServiceSplit{Weight: 40, ServiceSubset: "v2"}),
			discovery.Snapshot{Subset: "v1", Split: []discovery.Share{{Subset: "v1", Percent: 60}, {Percent: 40}}},
		},
		"another service is the default": {
			resolverOf("rating", "v1", "v1", "v2"),
			splitterOf("rating", api.ServiceSplit{Weight: 60, ServiceSubset: "v1"}, api.ServiceSplit{Weight: 40, ServiceSubset: "v2", Service: "movie"}),
			discovery.Snapshot{Subset: "v1", Split: []discovery.Share{{Subset: "v1", Percent: 60}, {Percent: 40}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTold()
			l.setInstances(entries("v1", "v2"), nil)
			l.setResolver([]api.ConfigEntry{resolverOf("movie", "x", "x"), tc.resolver}, nil)
			l.want(t)
			l.setSplitter([]api.ConfigEntry{splitterOf("movie"), tc.splitter}, nil)
			l.want(t, tc.want)
		})
	}
}

// Two entries change one after the other and are read in any order: no order may name a subset that is not there.
func TestEntriesArriveInAnyOrder(t *testing.T) {
	l := newTold()
	l.setInstances(entries("v1"), nil)
	l.setResolver([]api.ConfigEntry{resolverOf("rating", "v1", "v1")}, nil)
	l.setSplitter(nil, nil)
	l.want(t, discovery.Snapshot{Subset: "v1"})

	half := splitterOf("rating", api.ServiceSplit{Weight: 50, ServiceSubset: "v1"}, api.ServiceSplit{Weight: 50, ServiceSubset: "v2"})
	split := []discovery.Share{{Subset: "v1", Percent: 50}, {Subset: "v2", Percent: 50}}
	l.setSplitter([]api.ConfigEntry{half}, nil)
	l.setResolver([]api.ConfigEntry{resolverOf("rating", "v1", "v1", "v2")}, nil)
	l.want(t,
		discovery.Snapshot{Subset: "v1", Split: []discovery.Share{{Subset: "v1", Percent: 50}, {Percent: 50}}},
		discovery.Snapshot{Subset: "v1", Split: split})

	l.setSplitter([]api.ConfigEntry{half}, nil)
	l.want(t) // nothing has changed

	l.setResolver(nil, nil)
	l.want(t, discovery.Snapshot{Split: []discovery.Share{{Percent: 50}, {Percent: 50}}})
}

func TestAnAgentThatLostItsDataIsHeardAsAWhole(t *testing.T) {
	l := newTold()
	l.setInstances(entries("v1", "v2"), nil)
	l.setResolver([]api.ConfigEntry{resolverOf("rating", "v1", "v1", "v2")}, nil)
	l.setSplitter([]api.ConfigEntry{splitterOf("rating", api.ServiceSplit{Weight: 100, ServiceSubset: "v2"})}, nil)
	l.want(t, discovery.Snapshot{Subset: "v1", Split: []discovery.Share{{Subset: "v2", Percent: 100}}})
	l.setInstances(nil, errAway)
	l.setSplitter(nil, errAway)
	l.setResolver(nil, errAway)
	if l.errs != 3 {
		t.Errorf("%d errors told, want 3", l.errs)
	}
	l.setSplitter(nil, nil)
	l.setInstances(entries("v1"), nil)
	l.want(t) // the split is gone but the subset is not known: nothing that may be used
	l.setResolver(nil, nil)
	l.want(t, discovery.Snapshot{})
}
