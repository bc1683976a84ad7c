package ratingingestor

import (
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"movieexample.com/fleet/controllers/internal/bindings"
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
	err string
	// failures is how many looks have failed in a row; asked is what the last one was at.
	failures int
	asked    asked
	meter    scaling.Meter
	scaler   scaling.Scaler
	// advised is what the scaler said at the last look; 0 while it is not asked.
	advised int32
	pace    pace
	// told are the problems, stuck partitions, consumers in vain and lost records that events were sent of.
	toldProblem string
	toldStuck   string
	toldVain    string
	toldLost    string
}

// asked is what a look depends on: another one is made at once.
type asked struct {
	generation int64
	source     kafka.Source
	binding    bindings.Kafka
}

// every is how long it is from one look to the next. Brokers that do not answer keep whoever asks for seconds, whom the
// ingestors of others wait for: they are asked less and less often.
func (v *view) every() time.Duration {
	return min(lookEvery<<min(v.failures, 10), lookAtLeastEvery)
}

// due says whether to look now.
func (v *view) due(now time.Time, a asked) bool {
	if a.generation != v.asked.generation && v.failures == 0 {
		a.generation = v.asked.generation // what else is in the spec is none of Kafka's
	}
	return !reflect.DeepEqual(a, v.asked) || now.Sub(v.at) >= v.every()-time.Second
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
