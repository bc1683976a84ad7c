package lock

import (
	"context"
	"sync"
)

// Memory excludes callers within one process only. The zero value is ready.
type Memory struct {
	mu      sync.Mutex
	held    map[string]bool
	indexes map[string]uint64
}

// Do implements [Locker].
func (m *Memory) Do(ctx context.Context, name string, work Work) (bool, error) {
	index, ok := m.take(name)
	if !ok {
		return false, nil
	}
	defer m.free(name)
	return true, work(ctx, index)
}

func (m *Memory) take(name string) (uint64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held[name] {
		return 0, false
	}
	if m.held == nil {
		m.held, m.indexes = map[string]bool{}, map[string]uint64{}
	}
	m.held[name] = true
	m.indexes[name]++
	return m.indexes[name], true
}

func (m *Memory) free(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[name] = false
}
