package consul

import (
	"cmp"
	"slices"
	"sync"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/services/internal/discovery"
)

// The answers that a view is made of.
const (
	instances = iota
	resolver
	splitter
	parts
)

// view joins the answers about one service; nobody hears of it before all are there.
type view struct {
	service string
	update  func(discovery.Snapshot, error)

	mu        sync.Mutex
	instances []discovery.Instance
	resolver  api.ServiceResolverConfigEntry
	splits    []api.ServiceSplit
	polled    uint64 // index of the last answer to the query for resolvers alone
	used      uint64 // index of the answer that resolver is from
	have      [parts]bool
	told      *discovery.Snapshot // what was heard last; nil after an error
}

func (v *view) setInstances(entries []*api.ServiceEntry, err error) {
	v.change(instances, err, func() {
		v.instances = make([]discovery.Instance, 0, len(entries))
		for _, e := range entries {
			v.instances = append(v.instances, instance(e))
		}
	})
}

func instance(e *api.ServiceEntry) discovery.Instance {
	return discovery.Instance{
		ID:        e.Service.ID,
		Host:      cmp.Or(e.Service.Address, e.Node.Address),
		Port:      e.Service.Port,
		Revision:  e.Service.Meta[metaRevision],
		PodUID:    e.Service.Meta[metaPodUID],
		Namespace: e.Service.Meta[metaNamespace],
		App:       e.Service.Meta[metaApp],
	}
}

func (v *view) setResolver(a answer, err error) {
	v.change(resolver, err, func() {
		if a.index < v.polled { // Consul counts anew
			v.used = 0
		}
		v.polled = a.index
		v.use(a)
	})
}

// use takes the resolver from the answer, unless the other query has brought a newer one.
func (v *view) use(a answer) {
	if a.index < v.used {
		return
	}
	v.used, v.resolver = a.index, api.ServiceResolverConfigEntry{}
	for _, e := range a.entries {
		if r, ok := e.(*api.ServiceResolverConfigEntry); ok && r.Name == v.service {
			v.resolver = *r
		}
	}
}

func (v *view) setSplitter(r routes, err error) {
	v.change(splitter, err, func() {
		v.use(r.resolvers)
		v.splits = nil
		for _, e := range r.splitters {
			if s, ok := e.(*api.ServiceSplitterConfigEntry); ok && s.Name == v.service {
				v.splits = s.Splits
			}
		}
	})
}

func (v *view) change(part int, err error, apply func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		// Nothing is told before this part is there again: an agent that lost its data would else show parts of the old
		// and of the new state as one.
		v.have[part], v.told = false, nil
		v.polled, v.used = 0, 0 // an agent that comes back may count from there too
		v.update(discovery.Snapshot{}, err)
		return
	}
	apply()
	v.have[part] = true
	if slices.Contains(v.have[:], false) {
		return
	}
	next := v.join()
	// Consul wakes a long poll for other services' changes too.
	if v.told != nil && v.told.Subset == next.Subset &&
		slices.Equal(v.told.Split, next.Split) && slices.Equal(v.told.Instances, next.Instances) {
		return
	}
	v.told = &next
	v.update(next, nil)
}

func (v *view) join() discovery.Snapshot {
	s := discovery.Snapshot{Instances: v.instances, Subset: v.resolver.DefaultSubset}
	for _, split := range v.splits {
		s.Split = append(s.Split, discovery.Share{Subset: v.subset(split), Percent: float64(split.Weight)})
	}
	return s
}

// subset is the one that a split names, or "" for the default one: if it names none, or one that the service-resolver
// does not have (yet: two entries are never read at the same moment), or another service, which a connection to this one
// cannot reach.
func (v *view) subset(split api.ServiceSplit) string {
	if _, ok := v.resolver.Subsets[split.ServiceSubset]; !ok || cmp.Or(split.Service, v.service) != v.service {
		return ""
	}
	return split.ServiceSubset
}
