package ratingingestor

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"movieexample.com/fleet/controllers/internal/kafka"
	"movieexample.com/fleet/controllers/ratingingestor/scaling"
)

// memory is what the process remembers of ingestors. A restart measures anew.
type memory struct {
	mu    sync.Mutex
	views map[types.UID]*view
}

// view is what was seen of Kafka last, and what was measured from one look to the next. One reconcile has it at a time.
type view struct {
	at     time.Time
	report kafka.Report
	// err says why the last look failed; the report is of the one before.
	err    string
	source kafka.Source
	meter  scaling.Meter
	scaler scaling.Scaler
	// wanted is what the scaler said at the last look; 0 while it is not asked.
	wanted int32
	// told are the problems and stuck partitions that events were sent of.
	toldProblem string
	toldStuck   string
}

func newMemory() *memory { return &memory{views: map[types.UID]*view{}} }

func (m *memory) view(uid types.UID) *view {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.views[uid] == nil {
		m.views[uid] = &view{}
	}
	return m.views[uid]
}

func (m *memory) forget(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.views, uid)
}
