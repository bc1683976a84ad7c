package traffic

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/api/v1alpha1"
)

// protocol lets Consul take splits: it refuses them for a service of plain TCP.
const protocol = "grpc"

// metaOwner is the key in an entry's meta that names its owner.
const metaOwner = "owner"

func metaFor(owner string) map[string]string {
	return map[string]string{"managed-by": v1alpha1.ManagedByValue, metaOwner: owner}
}

// ownerName is how a service's entries name their owner.
func ownerName(fs *v1alpha1.FleetService) string { return fs.Namespace + "/" + fs.Name }

// entries are what Consul holds of a service; nil where there is none.
type entries struct {
	defaults *api.ServiceConfigEntry
	resolver *api.ServiceResolverConfigEntry
	splitter *api.ServiceSplitterConfigEntry
}

// otherOwner is who else says where requests go; empty where nobody does.
func (e entries) otherOwner(us string) string {
	var owners []string
	if e.resolver != nil {
		owners = append(owners, e.resolver.Meta[metaOwner])
	}
	if e.splitter != nil {
		owners = append(owners, e.splitter.Meta[metaOwner])
	}
	for _, owner := range owners {
		if owner != "" && owner != us {
			return owner
		}
	}
	return ""
}

// follow tells whether requests go as the split says. Subsets that nothing names any more do no harm.
func (e entries) follow(split Split) bool {
	if e.defaults == nil || e.resolver == nil || e.splitter == nil || e.defaults.Protocol != protocol {
		return false
	}
	if e.resolver.DefaultSubset != split.Main || !leadsNowhereElse(e.resolver) || !sameSplits(e.splitter.Splits, splits(split)) {
		return false
	}
	for name, want := range subsets(revisions(split)) {
		if have, ok := e.resolver.Subsets[name]; !ok || have != want {
			return false
		}
	}
	return true
}

// indexOf is the index that an entry was read at: 0 where there is none, and then writing creates it, unless somebody was
// faster.
func indexOf[E any, P interface {
	*E
	api.ConfigEntry
}](entry P) uint64 {
	if entry == nil {
		return 0
	}
	return entry.GetModifyIndex()
}

// defaultsFor is what to write, nil where the protocol is right: then the entry may be anybody's. Of somebody else's entry
// only the protocol is changed.
func defaultsFor(name, owner string, have *api.ServiceConfigEntry) *api.ServiceConfigEntry {
	switch {
	case have == nil:
		return &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: name, Protocol: protocol, Meta: metaFor(owner)}
	case have.Protocol == protocol:
		return nil
	}
	want := *have
	want.Protocol = protocol
	return &want
}

// resolverFor has a subset for each live revision, and for each that the present splitter still names.
func resolverFor(name, owner string, split Split, splitter *api.ServiceSplitterConfigEntry) *api.ServiceResolverConfigEntry {
	named := revisions(split)
	if splitter != nil {
		for _, s := range splitter.Splits {
			named = append(named, s.ServiceSubset)
		}
	}
	return &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, DefaultSubset: split.Main, Subsets: subsets(named), Meta: metaFor(owner)}
}

func revisions(split Split) []string {
	return slices.Concat(split.Live, []string{split.Main, split.Other})
}

func subsets(revisions []string) map[string]api.ServiceResolverSubset {
	list := map[string]api.ServiceResolverSubset{}
	for _, hash := range revisions {
		if hash != "" {
			list[hash] = api.ServiceResolverSubset{Filter: fmt.Sprintf("Service.Meta.revision == %q", hash), OnlyPassing: true}
		}
	}
	return list
}

func sameResolver(have, want *api.ServiceResolverConfigEntry) bool {
	return have.DefaultSubset == want.DefaultSubset && have.Meta[metaOwner] == want.Meta[metaOwner] &&
		maps.Equal(have.Subsets, want.Subsets) && leadsNowhereElse(have)
}

func leadsNowhereElse(r *api.ServiceResolverConfigEntry) bool {
	return r.Redirect == nil && len(r.Failover) == 0
}

// splitterFor gives the other revision its share.
func splitterFor(name, owner string, split Split) *api.ServiceSplitterConfigEntry {
	return &api.ServiceSplitterConfigEntry{Kind: api.ServiceSplitter, Name: name, Splits: splits(split), Meta: metaFor(owner)}
}

// splits are the shares, the main revision first.
func splits(split Split) []api.ServiceSplit {
	if split.Other == "" || split.Percent <= 0 {
		return []api.ServiceSplit{{Weight: 100, ServiceSubset: split.Main}}
	}
	return []api.ServiceSplit{
		{Weight: float32(100 - split.Percent), ServiceSubset: split.Main},
		{Weight: float32(split.Percent), ServiceSubset: split.Other},
	}
}

func sameSplitter(have, want *api.ServiceSplitterConfigEntry) bool {
	return have.Meta[metaOwner] == want.Meta[metaOwner] && sameSplits(have.Splits, want.Splits)
}

func sameSplits(have, want []api.ServiceSplit) bool {
	return slices.EqualFunc(have, want, func(a, b api.ServiceSplit) bool {
		return a.Weight == b.Weight && a.ServiceSubset == b.ServiceSubset && a.Service == "" && a.Namespace == "" && a.Partition == "" &&
			a.RequestHeaders == nil && a.ResponseHeaders == nil
	})
}
