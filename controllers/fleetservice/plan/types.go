package plan

import (
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// State is what cannot be derived again from the cluster. It is kept in the resource's status and is written before
// anything is done because of it.
type State struct {
	// Stable is the revision promoted last; empty before the first.
	Stable Part
	// Canary is the revision on trial, or the first one while it starts.
	Canary Part
	// Previous is the revision that Stable replaced, while it drains.
	Previous Part
	// Rejected is the revision taken back last.
	Rejected Rejection
	// Traffic is where traffic was last verified to go.
	Traffic Position
}

// Part is the part that a revision plays since a time.
type Part struct {
	Hash  string
	Image string
	Since time.Time
}

// Rejection is a revision that was taken back, and why.
type Rejection struct {
	Hash, Image, Reason, Message string
	At                           time.Time
}

// Position is where traffic goes since a time.
type Position struct {
	Hash  string
	Since time.Time
}

// Observation is everything that the planner looks at.
type Observation struct {
	Now   time.Time
	State State
	// Desired is the revision that the spec asks for.
	Desired Part
	// Replicas is how many pods the spec asks for.
	Replicas int32
	// StartDeadline is how long a revision may take until all its pods are ready.
	StartDeadline time.Duration
	// Drain is how long the old revision stays after traffic has left it.
	Drain time.Duration
	// Revisions are the live revisions by hash.
	Revisions map[string]Revision
	// Migration is the state of the migration for the revision on trial, or the desired one before it is.
	Migration Migration
	// Blocked says why no new revision may be started, such as a missing Secret; empty when one may.
	Blocked string
	// Traffic is where the providers send callers now.
	Traffic Traffic
}

// Revision is what a live revision shows.
type Revision struct {
	// Created is when its Deployment was made; zero while there is none.
	Created time.Time
	// Pods is how many pods exist, Ready how many of them are ready, and ReadySince when the last of them became so.
	Pods, Ready int32
	ReadySince  time.Time
	// Facts are what keeps it from working.
	Facts []signals.Fact
	// RaisedRequests is true when its pods ask for more than stable's: then a lack of room is its own fault.
	RaisedRequests bool
}

// Migration is the state of a migration Job.
type Migration struct {
	Phase   MigrationPhase
	Message string
}

// MigrationPhase is how far a migration is.
type MigrationPhase string

// The phases of a migration.
const (
	MigrationNotNeeded MigrationPhase = ""
	MigrationMissing   MigrationPhase = "Missing"
	MigrationRunning   MigrationPhase = "Running"
	MigrationDone      MigrationPhase = "Done"
	MigrationFailed    MigrationPhase = "Failed"
)

// Traffic is what the traffic providers answered.
type Traffic struct {
	// Hash is the revision that every provider sends callers to; empty when they differ or none does.
	Hash string
	// Unreachable says which provider does not answer and why; empty when all do.
	Unreachable string
}

// Decision is a change of State with its reason. It is written before anything is done because of it.
type Decision struct {
	// State is the new state.
	State State
	// Verb says in a word what was decided, for narrations, events and metrics.
	Verb Verb
	// Reason says why, with numbers and names.
	Reason string
}

// Verb names a decision.
type Verb string

// The decisions.
const (
	Begin    Verb = "begin"
	Replace  Verb = "replace"
	Abandon  Verb = "abandon"
	Promote  Verb = "promote"
	Verified Verb = "verified"
	TakeBack Verb = "take back"
	Return   Verb = "return"
	Drained  Verb = "drained"
	Retry    Verb = "retry"
)

// Action is something to bring about. Actions are carried out in order; each does nothing when it is done already,
// and one that fails stops those after it.
type Action struct {
	Kind ActionKind
	// Hash is the revision it concerns.
	Hash string
	// Canary is the revision on trial, where traffic is concerned.
	Canary string
}

// ActionKind names an action.
type ActionKind string

// The actions.
const (
	// Share applies what all revisions share: service account, headless Service object, disruption budget.
	Share ActionKind = "share"
	// Record stores the snapshot of the desired revision.
	Record ActionKind = "record"
	// Migrate runs the migration Job of the desired revision.
	Migrate ActionKind = "migrate"
	// Run applies the Deployment of a revision.
	Run ActionKind = "run"
	// Route sends all traffic to a revision, through Consul first and then the Service object, and verifies it.
	Route ActionKind = "route"
	// Sweep removes every revision that plays no part, and old snapshots.
	Sweep ActionKind = "sweep"
)

// Plan is what to do next: first the decision, if there is one, and nothing else; otherwise the actions.
type Plan struct {
	Decision *Decision
	Actions  []Action
	// Outlook is the state in words for status.
	Outlook Outlook
	// Recheck is when to look again though nothing changed; 0 means the usual interval.
	Recheck time.Duration
}

// Outlook is what to tell the user.
type Outlook struct {
	// Phase is the state in one word.
	Phase string
	// Reason is a condition reason of api/v1alpha1.
	Reason string
	// Message names the object, the cause, the numbers and what happens next.
	Message string
	// Ready is true when the desired revision serves all traffic; Stalled when a person must act.
	Ready, Stalled bool
	// Available is true while the serving revision has ready pods.
	Available bool
	// Progressing is true while a revision is on its way.
	Progressing bool
}
