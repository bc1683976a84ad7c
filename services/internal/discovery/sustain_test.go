package discovery

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func of(revision string, ids ...string) []Instance {
	var list []Instance
	for _, id := range ids {
		list = append(list, Instance{ID: id, Host: "10.0.0." + id, Port: 8082, Revision: revision})
	}
	return list
}

func join(lists ...[]Instance) []Instance {
	var all []Instance
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func named(instances []Instance, subset string, split ...Share) Snapshot {
	return Snapshot{Instances: instances, Subset: subset, Split: split}
}

func TestSustain(t *testing.T) {
	v1, v2 := of("v1", "1", "2"), of("v2", "3")
	canary := Share{"v2", 1}
	for name, tc := range map[string]struct {
		prev, next, want Snapshot
		err              string
	}{
		"first answer":              {next: Snapshot{Instances: v1}, want: Snapshot{Instances: v1}},
		"first answer with subset":  {next: named(join(v1, v2), "v1"), want: named(join(v1, v2), "v1")},
		"never an instance":         {err: "no instance of rating registered (the registry has none that is healthy)"},
		"never one of the revision": {next: named(v1, "v2"), err: "no instance of rating registered (none of revision v2 is healthy)"},
		"switch":                    {prev: named(join(v1, v2), "v1"), next: named(join(v1, v2), "v2"), want: named(join(v1, v2), "v2")},
		"fewer instances are believed": {
			prev: named(v1, "v1"), next: named(v1[:1], "v1"), want: named(v1[:1], "v1"),
		},
		"an emptied set is not believed":           {prev: named(v1, "v1"), next: named(nil, "v1"), want: named(v1, "v1")},
		"an emptied set with no subset is neither": {prev: Snapshot{Instances: v1}, next: Snapshot{}, want: Snapshot{Instances: v1}},
		"the subset lost its instances, others live": {
			prev: named(join(v1, v2), "v1"), next: named(v2, "v1"), want: named(join(v2, v1), "v1"),
		},
		"a switch to a subset with no instance waits": {
			prev: named(v1, "v1"), next: named(v1, "v2"), want: named(v1, "v1"),
		},
		"a switch to nothing while all is gone": {
			prev: named(v1, "v1"), next: named(nil, "v2"), want: named(v1, "v1"),
		},
		"an emptied registry does not release the canary": {
			prev: named(join(v1, v2), "v1"), next: Snapshot{Instances: join(v1, v2)}, want: named(join(v1, v2), "v1"),
		},
		"an emptied registry keeps the choice": {prev: named(join(v1, v2), "v1"), next: Snapshot{}, want: named(v1, "v1")},
		"no choice and the last one has no instance: all": {
			prev: named(v1, "v1"), next: Snapshot{Instances: v2}, want: Snapshot{Instances: v2},
		},
		"a split": {
			prev: named(join(v1, v2), "v1"), next: named(join(v1, v2), "v1", canary), want: named(join(v1, v2), "v1", canary),
		},
		"the end of a split": {
			prev: named(join(v1, v2), "v1", canary), next: named(join(v1, v2), "v1"), want: named(join(v1, v2), "v1"),
		},
		"the end of a split between all": {
			prev: named(join(v1, v2), "", canary), next: named(join(v1, v2), ""), want: named(join(v1, v2), ""),
		},
		"a canary that left is believed": {
			prev: named(join(v1, v2), "v1", canary), next: named(v1, "v1", canary), want: named(v1, "v1", canary),
		},
		"a stable one that left is not": {
			prev: named(join(v1, v2), "v1", canary), next: named(v2, "v1", canary), want: named(join(v2, v1), "v1", canary),
		},
		"a canary alone at the start": {next: named(v2, "v1", canary), want: named(v2, "v1", canary)},
		"one alone at weight 0": {
			next: named(v2, "v1", Share{"v2", 0}), err: "no instance of rating registered (none of revision v1 is healthy)",
		},
		"an emptied registry keeps the split": {
			prev: named(join(v1, v2), "v1", canary), next: Snapshot{}, want: named(join(v1, v2), "v1", canary),
		},
		"an emptied registry that has instances again keeps the split": {
			prev: named(join(v1, v2), "v1", canary), next: named(v1, ""), want: named(v1, "v1", canary),
		},
		"an emptied set keeps only those that serve": {
			prev: named(join(v1, v2), "v1", canary), next: named(nil, "v1", Share{"v2", 0}), want: named(v1, "v1", Share{"v2", 0}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sustain("rating", tc.prev, tc.next)
			if tc.err != "" {
				if err == nil || err.Error() != tc.err {
					t.Fatalf("sustain() = error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatalf("sustain() = error %v, want none", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("sustain() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStaticMistakes(t *testing.T) {
	for _, list := range []string{"", "host", "host:x", "a:1,b", "::1:80"} {
		if _, err := parse(list); err == nil || !strings.Contains(err.Error(), "static address") {
			t.Errorf("parse(%q) = error %v, want one about a static address", list, err)
		}
	}
	s, err := parse("a:1,[::1]:2")
	if err != nil || s.Instances[0].Address() != "a:1" || s.Instances[1].Address() != "[::1]:2" {
		t.Errorf("parse() = %v, %v, want a:1 and [::1]:2", s, err)
	}
}
