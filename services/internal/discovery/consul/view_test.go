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

func at(index uint64, resolvers ...*api.ServiceResolverConfigEntry) answer {
	a := answer{index: index}
	for _, r := range resolvers {
		a.entries = append(a.entries, r)
	}
	return a
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
			resolvers := at(1, resolverOf("movie", "x", "x"), tc.resolver)
			l.setResolver(resolvers, nil)
			l.want(t)
			l.setSplitter(routes{[]api.ConfigEntry{splitterOf("movie"), tc.splitter}, resolvers}, nil)
			l.want(t, tc.want)
		})
	}
}

// half is a splitter between v1 and v2, and split what a snapshot makes of it.
var (
	half  = splitterOf("rating", api.ServiceSplit{Weight: 50, ServiceSubset: "v1"}, api.ServiceSplit{Weight: 50, ServiceSubset: "v2"})
	split = []discovery.Share{{Subset: "v1", Percent: 50}, {Subset: "v2", Percent: 50}}
)

// onTrial is a view that has told of the split, at index 20.
func onTrial(t *testing.T) *told {
	t.Helper()
	l := newTold()
	l.setInstances(entries("v1", "v2"), nil)
	l.setResolver(at(20, resolverOf("rating", "v1", "v1", "v2")), nil)
	l.setSplitter(routes{[]api.ConfigEntry{half}, at(20, resolverOf("rating", "v1", "v1", "v2"))}, nil)
	l.want(t, discovery.Snapshot{Subset: "v1", Split: split})
	return l
}

func TestWhatOthersChangedIsNotTold(t *testing.T) {
	l := onTrial(t)
	l.setInstances(entries("v1", "v2"), nil)
	l.setResolver(at(21, resolverOf("rating", "v1", "v1", "v2"), resolverOf("movie", "x", "x")), nil)
	l.setSplitter(routes{[]api.ConfigEntry{half}, at(22, resolverOf("rating", "v1", "v1", "v2"))}, nil)
	l.want(t)
}

func TestAResolverThatGoesTakesTheSubsetsOfTheSplitAlong(t *testing.T) {
	l := onTrial(t)
	l.setResolver(at(21), nil)
	l.want(t, discovery.Snapshot{Split: []discovery.Share{{Percent: 50}, {Percent: 50}}})
}

// The default becomes v2 (21), then the split ends (22): nobody may hear of the end with the old default.
func TestTheEndOfASplitComesWithItsDefault(t *testing.T) {
	older, newer := at(20, resolverOf("rating", "v1", "v1", "v2")), at(22, resolverOf("rating", "v2", "v1", "v2"))
	promoted := discovery.Snapshot{Subset: "v2"}
	t.Run("the end is heard first", func(t *testing.T) {
		l := onTrial(t)
		l.setSplitter(routes{nil, newer}, nil)
		l.setResolver(older, nil) // was under way
		l.setResolver(newer, nil)
		l.want(t, promoted)
	})
	t.Run("the default is heard first", func(t *testing.T) {
		l := onTrial(t)
		l.setResolver(newer, nil)
		l.setSplitter(routes{[]api.ConfigEntry{half}, older}, nil) // was under way
		l.setSplitter(routes{nil, newer}, nil)
		l.want(t, discovery.Snapshot{Subset: "v2", Split: split}, promoted)
	})
	t.Run("Consul counts anew", func(t *testing.T) {
		l := onTrial(t)
		l.setResolver(at(3, resolverOf("rating", "v2", "v1", "v2")), nil)
		l.want(t, discovery.Snapshot{Subset: "v2", Split: split})
	})
}

func TestAnAgentThatLostItsDataIsHeardAsAWhole(t *testing.T) {
	l := onTrial(t)
	l.setInstances(nil, errAway)
	l.setSplitter(routes{}, errAway)
	l.setResolver(answer{}, errAway)
	if l.errs != 3 {
		t.Errorf("%d errors told, want 3", l.errs)
	}
	l.setSplitter(routes{nil, at(1)}, nil)
	l.setInstances(entries("v1"), nil)
	l.want(t)
	l.setResolver(at(1), nil)
	l.want(t, discovery.Snapshot{})
}
