package signals

import "time"

// The signals that counters give.
const (
	// Errors are answers that failed.
	Errors = "errors"
	// Refusals are requests refused as the caller's fault, which many of a release's own faults look like.
	Refusals = "refusals"
	// Latency are answers later than the objective's bound.
	Latency = "latency"
)

// Total is what a counter says since its process began: requests that ended, and how many of them were bad. Both are
// taken from one page, so that Bad never exceeds Requests.
type Total struct {
	Requests int64 `json:"n"`
	Bad      int64 `json:"x"`
}

// Reading is what all counters of a service said at about one moment.
type Reading struct {
	// At is when the reading was complete.
	At time.Time
	// Slow says why the reading took too long to be compared between revisions; empty when it did not.
	Slow string
	// Pods are the service's own pods of the two revisions that are compared.
	Pods []PodReading
	// Callers are pods that call the service and count outcomes by revision.
	Callers []CallerReading
}

// PodReading is one pod of the service.
type PodReading struct {
	// UID and Name are the pod's, Revision is its revision's hash.
	UID, Name, Revision string
	// Began is when its container started.
	Began time.Time
	// Err says why its page could not be read; empty when it could.
	Err string
	// Totals are by signal. A signal that the page cannot give is absent.
	Totals map[string]Total
	// Split are the totals once more, by signal and partition, of a consumer's pod that counts by partition. A partition
	// stays in it when another pod has it.
	Split map[string]map[int32]Total
	// Partitions are, of a consumer's pod, those that it reads; nil for other services.
	Partitions map[int32]Partition
	// Waits says, of a consumer's pod, what it says that it waits for: Database or Broker; empty when it waits for nothing.
	Waits string
	// Again is what a pod of the stable revision said after the canary was read; nil for other pods.
	Again map[string]Total
}

// What a consumer may wait for.
const (
	Database = "database"
	Broker   = "broker"
)

// Partition is how far a consumer is with one partition.
type Partition struct {
	// Next is the offset that it goes on from, Lag how many records are there from it on.
	Next, Lag int64
}

// CallerReading is one pod that calls the service.
type CallerReading struct {
	UID, Name string
	// Err says why its page could not be read; empty when it could.
	Err string
	// Revisions are the outcomes by revision and signal.
	Revisions map[string]map[string]Total
}
