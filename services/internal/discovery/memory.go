package discovery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Memory is a registry inside one process.
type Memory struct {
	mu       sync.Mutex
	services map[string]*entry
	fault    error
	changed  chan struct{} // closed and replaced at every change
}

type entry struct {
	instances map[string]Instance
	sick      map[string]bool
	subset    string
	split     []Share
}

// NewMemory is an empty registry.
func NewMemory() *Memory {
	return &Memory{services: map[string]*entry{}, changed: make(chan struct{})}
}

// SetSubset names the revision that gets the requests for the service.
func (m *Memory) SetSubset(service, revision string) {
	m.change(func() { m.entry(service).subset = revision })
}

// SetSplit gives shares of the requests for the service to revisions; none at all leaves everything to the subset.
func (m *Memory) SetSplit(service string, split ...Share) {
	m.change(func() { m.entry(service).split = slices.Clone(split) })
}

// SetFault makes every later use of the registry fail, until it is nil again.
func (m *Memory) SetFault(err error) { m.change(func() { m.fault = err }) }

// Forget empties the registry, as a restart of an agent without a disk does.
func (m *Memory) Forget() { m.change(func() { clear(m.services) }) }

// Register implements [Registrar].
func (m *Memory) Register(_ context.Context, service string, i Instance) error {
	return m.use(func() {
		e := m.entry(service)
		e.instances[i.ID] = i
		delete(e.sick, i.ID)
	})
}

// Deregister implements [Registrar].
func (m *Memory) Deregister(_ context.Context, service, id string) error {
	return m.use(func() { delete(m.entry(service).instances, id) })
}

// ReportHealthy implements [Registrar].
func (m *Memory) ReportHealthy(_ context.Context, service, id string, healthy bool) error {
	known := false
	err := m.use(func() {
		e := m.entry(service)
		if _, known = e.instances[id]; known {
			e.sick[id] = !healthy
		}
	})
	if err == nil && !known {
		return fmt.Errorf("%s of %s: %w", id, service, ErrUnknownInstance)
	}
	return err
}

// Watch implements [Watcher].
func (m *Memory) Watch(ctx context.Context, service string, update func(Snapshot, error)) {
	for {
		m.mu.Lock()
		snapshot, err, changed := m.snapshot(service), m.fault, m.changed
		m.mu.Unlock()
		update(snapshot, err)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (m *Memory) snapshot(service string) Snapshot {
	e := m.entry(service)
	s := Snapshot{Subset: e.subset, Split: e.split}
	for _, id := range slices.Sorted(maps.Keys(e.instances)) {
		if !e.sick[id] {
			s.Instances = append(s.Instances, e.instances[id])
		}
	}
	return s
}

func (m *Memory) entry(service string) *entry {
	if m.services[service] == nil {
		m.services[service] = &entry{instances: map[string]Instance{}, sick: map[string]bool{}}
	}
	return m.services[service]
}

// use applies f unless the registry is faulty.
func (m *Memory) use(f func()) error {
	m.mu.Lock()
	err := m.fault
	m.mu.Unlock()
	if err == nil {
		m.change(f)
	}
	return err
}

// change applies f and wakes the watchers.
func (m *Memory) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	close(m.changed)
	m.changed = make(chan struct{})
}
