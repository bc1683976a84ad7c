package fleetservice

import (
	"errors"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/evidence"
	"movieexample.com/fleet/controllers/fleetservice/ledger"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/revision"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/apply"
	"movieexample.com/fleet/controllers/internal/bindings"
)

// scope is what one reconcile knows. Each field is filled by the phase named beside it and only read afterwards.
type scope struct {
	fs *v1alpha1.FleetService // Reconcile

	report      bindings.Report                       // observe: the Secrets
	invalid     string                                // observe: why the spec is refused; empty when it is not
	desired     *revision.Snapshot                    // observe: what the spec renders to; nil when refused or recorded already
	snapshots   map[string]*appsv1.ControllerRevision // observe: recorded revisions by hash
	deployments map[string]*appsv1.Deployment         // observe: Deployments by revision hash
	jobs        map[string]*batchv1.Job               // observe: migration Jobs by revision hash
	rewinds     map[string]*batchv1.Job               // observe: Jobs that take partitions back, by name
	pods        []corev1.Pod                          // observe: of all revisions
	providers   []traffic.Provider                    // observe: what moves this service's requests
	refusal     *traffic.Refusal                      // observe: what keeps them from it until a person acts; nil when nothing does
	ledger      ledger.Ledger                         // observe: verdicts that outlive the resource
	observation plan.Observation                      // observe

	book      *book              // watch: the evidence of the rollout; nil while there is none
	judgement evidence.Judgement // watch: what it proves
	findings  count.Findings     // watch: which objective cannot be measured

	plan plan.Plan // Next

	left []v1alpha1.ConsulRegistration // act: where Consul holds nothing of the service any more, or cannot be asked

	actErr error // act: the first action that failed; those after it were not tried
	routed bool  // act: requests were moved in this reconcile, which is to be verified in the next
}

// target is the service as traffic providers know it.
func (s *scope) target() traffic.Target {
	return traffic.Target{Service: s.fs, Consul: s.report.Consul}
}

// bindsConsul is true where callers follow Consul, whether or not its Secret can be read now.
func (s *scope) bindsConsul() bool {
	return s.fs.Spec.Bindings != nil && s.fs.Spec.Bindings.Consul != nil
}

// explained is true for errors that only a person can mend and that status explains.
func explained(err error) bool {
	var object *apply.NameTaken
	var name *traffic.NameTaken
	var refusal *traffic.Refusal
	return errors.As(err, &object) || errors.As(err, &name) || errors.As(err, &refusal)
}

// memory is what the process remembers between reconciles. All of it can be lost without harm.
type memory struct {
	mu sync.Mutex
	// agents are the Consul agents last used for a service: when a namespace is deleted the Secret may go first.
	agents map[types.UID]bindings.Consul
	// books are the evidence of rollouts; what of it is not saved is counted again.
	books map[types.UID]*book
	// reported is when status was written last.
	reported map[types.UID]time.Time
	// leaving is since when a service's entries could not be taken out of a Consul that it is bound to no more.
	leaving map[types.UID]time.Time
	// tried are the API server's answers to the last dry run of each service's Deployment.
	tried map[types.UID]dryRun
}

// dryRun is what the API server says of a revision's Deployment; the refusal is empty where it takes it.
type dryRun struct{ hash, refusal string }

func newMemory() *memory {
	return &memory{
		agents: map[types.UID]bindings.Consul{}, books: map[types.UID]*book{}, reported: map[types.UID]time.Time{},
		leaving: map[types.UID]time.Time{}, tried: map[types.UID]dryRun{},
	}
}

func (m *memory) setAgent(uid types.UID, agent bindings.Consul) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.agents[uid] = agent
}

func (m *memory) agent(uid types.UID) (bindings.Consul, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	agent, ok := m.agents[uid]
	return agent, ok
}

// tryingSince is when something was first tried that has not come about since; now at the first time.
func (m *memory) tryingSince(uid types.UID, now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leaving[uid].IsZero() {
		m.leaving[uid] = now
	}
	return m.leaving[uid]
}

// succeeded ends such a time.
func (m *memory) succeeded(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.leaving, uid)
}

func (m *memory) book(uid types.UID) *book {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.books[uid]
}

// setBook keeps a service's evidence; nil drops it.
func (m *memory) setBook(uid types.UID, b *book) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.books[uid] = b
	if b == nil {
		delete(m.books, uid)
	}
}

// due is true when numbers in status are old enough to be written anew.
func (m *memory) due(uid types.UID, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return now.Sub(m.reported[uid]) >= numbersEvery
}

func (m *memory) wrote(uid types.UID, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reported[uid] = now
}

func (m *memory) dryRun(uid types.UID, hash string) (refusal string, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.tried[uid]
	return last.refusal, last.hash == hash
}

func (m *memory) setDryRun(uid types.UID, hash, refusal string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tried[uid] = dryRun{hash, refusal}
}

func (m *memory) forget(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.agents, uid)
	delete(m.books, uid)
	delete(m.reported, uid)
	delete(m.leaving, uid)
	delete(m.tried, uid)
}
