package plan

import (
	"time"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// State is what cannot be derived again from the cluster. It is kept in the resource's status and is written before
// anything is done because of it.
type State struct {
	// Stable is the revision promoted last; empty before the first.
	Stable Part
	// Canary is the revision on trial, or the first one while it starts.
	Canary Part
	// Percent is the canary's share of requests.
	Percent int32
	// Shadow is how far a consumer's canary is with reading along before its first share.
	Shadow Shadow
	// Granted is the share up to which a command lets the canary go without evidence.
	Granted int32
	// Previous is the revision that Stable replaced, while the bake lasts.
	Previous Part
	// Asking is since when half of the requests go to Previous again because of a suspicion; zero while they do not.
	Asking time.Time
	// Leaving are revisions without requests that finish those they had.
	Leaving []Part
	// Rejected is the revision taken back last.
	Rejected Rejection
	// Traffic is where requests were last verified to go.
	Traffic Position
	// Command is the last command that was taken up.
	Command Command
	// Rewind is about what the revision taken back last has read; it stays until another one is tried.
	Rewind Rewind
}

// Part is the part that a revision plays since a time.
type Part struct {
	Hash  string
	Image string
	Since time.Time
	// Trial is when its trial began; its evidence goes on until the end of its bake.
	Trial time.Time
	// Quiet is, of a leaving revision, since when no requests are sent to it; zero while some may be.
	Quiet time.Time
}

// Rejection is a revision that was taken back, and why.
type Rejection struct {
	Hash, Image, Reason, Message string
	At                           time.Time
	// Quarantined is true where the same revision is not tried again without a command.
	Quarantined bool
}

// Split is where requests go: all to Main but for Percent of them, which go to Other.
type Split struct {
	Main, Other string
	Percent     int32
}

// Position is where requests go since a time.
type Position struct {
	Split

	Since time.Time
}

// Command is something that a person asked of one revision.
type Command struct {
	// Text is verb@revision@token as it was written.
	Text string
	// Outcome says what was done, or why nothing was.
	Outcome string
	At      time.Time
}

// Policy is how the user wants changes to reach users.
type Policy struct {
	// Steps are the shares before 100, in percent, rising.
	Steps []int32
	// StartDeadline is how long pods may take until they are ready.
	StartDeadline time.Duration
	// MinStep and MaxStep bound the time of a step.
	MinStep, MaxStep time.Duration
	OnInconclusive   v1alpha1.InconclusivePolicy
	OnNoTraffic      v1alpha1.NoTrafficPolicy
	// Bake is how long the old revision stays warm.
	Bake time.Duration
	// Drain is how long a revision stays after the last request was sent to it.
	Drain time.Duration
	// Interval is the time between two readings of the counters.
	Interval time.Duration
	Paused   bool
	// Coarse is true where requests are split by the numbers of pods.
	Coarse bool
	// Partitions is, of a consumer, how many partitions its topic has; 0 for any other service. Then Steps are partitions.
	Partitions int32
	// Shadow is true where a consumer's canary reads along and stores nothing before its first share.
	Shadow bool
	// Rewind is true where a consumer's partitions go back to where a revision began that is taken back.
	Rewind bool
}

// Observation is everything that the planner looks at.
type Observation struct {
	Now    time.Time
	State  State
	Policy Policy
	// Desired is the revision that the spec asks for.
	Desired Part
	// Replicas is how many pods the spec asks for.
	Replicas int32
	// Revisions are the live revisions by hash.
	Revisions map[string]Revision
	// Migration is the state of the migration for the revision on trial, or the desired one before it is.
	Migration Migration
	// Rewind is what is seen of the pending rewind.
	Rewind RewindJob
	// Blocked says why no new revision may be started, such as a missing Secret; empty when one may.
	Blocked string
	// LedgerDamaged says why the ledger cannot be read; empty when it can. Then nobody knows what is quarantined: nothing new
	// is put on trial and nothing is given more requests, unless nothing else serves.
	LedgerDamaged string
	// Traffic is what the providers answered.
	Traffic Traffic
	// Evidence is what the counters and checks say.
	Evidence Evidence
	// Quarantined are the revisions that are not tried again, by hash.
	Quarantined map[string]Rejection
	// Remembered is the revision promoted last of an earlier resource of this name.
	Remembered Part
	// Command is what the annotation says; empty where there is none.
	Command string
}

// Revision is what a live revision shows.
type Revision struct {
	// Created is when its Deployment was made; zero while there is none.
	Created time.Time
	// Wanted is how many pods its Deployment asks for, Pods how many exist, Ready how many of them are ready, and
	// ReadySince when the last of them became so.
	Wanted, Pods, Ready int32
	ReadySince          time.Time
	// Shadows is how many of Pods read along and store nothing.
	Shadows int32
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
	// Follows is true when all of them send requests as Wanted says.
	Follows bool
	// Unreachable says which provider does not answer and why; empty when all do.
	Unreachable string
}

// Evidence is what the counters and checks say about the canary, or about the stable revision during its bake.
type Evidence struct {
	// Verdict is what is proven.
	Verdict Verdict
	// Reason is the condition reason behind it, such as Worse, Blind or OnePod.
	Reason string
	// Message is a sentence with the numbers.
	Message string
	// Requests are the service's requests since the step began.
	Requests int64
	// Starved says that callers cannot bring the canary its share; empty when they can.
	Starved string
	// Stuck says, of a consumer, which partition of the canary's does not move while it has records; empty when all do.
	Stuck string
	// Failed says which check said no, Waiting which one asks to wait or cannot be asked; empty when none does.
	Failed, Waiting string
	// Suspicion says what changed during the bake; empty when nothing did.
	Suspicion string
	// Clear is true while little speaks against the revision.
	Clear bool
}

// holds is true while the evidence is no reason to take the canary back, nor to give it more.
func (e Evidence) holds() bool {
	switch e.Reason {
	case v1alpha1.ReasonBlind, v1alpha1.ReasonSuspicious, v1alpha1.ReasonOnePod, v1alpha1.ReasonOnePartition:
		return true
	}
	return false
}

// Verdict is what evidence proves.
type Verdict string

// The verdicts. Unproven is none.
const (
	Unproven Verdict = ""
	Harmless Verdict = "Harmless"
	Worse    Verdict = "Worse"
)

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
	Along    Verb = "read along"
	Passed   Verb = "passed"
	Abandon  Verb = "abandon"
	Advance  Verb = "step"
	Promote  Verb = "promote"
	Verified Verb = "verified"
	TakeBack Verb = "take back"
	Ask      Verb = "ask"
	Answer   Verb = "answer"
	Return   Verb = "return"
	Revert   Verb = "revert"
	Baked    Verb = "baked"
	Drained  Verb = "drained"
	Retry    Verb = "retry"
	Obey     Verb = "obey"
	Refuse   Verb = "refuse"

	Rewound    Verb = "rewound"
	NotRewound Verb = "no rewind"
)

// Action is something to bring about. Actions are carried out in order; each does nothing when it is done already,
// and one that fails stops those after it.
type Action struct {
	Kind ActionKind
	// Hash is the revision it concerns.
	Hash string
	// Pods is how many pods Run asks for.
	Pods int32
	// Shadow is true where Run's pods are to read along and store nothing.
	Shadow bool
	// Split is where Route sends requests.
	Split Split
	// Withdraw is true where Route only takes requests away, from a revision that is not to have them: then each provider
	// that answers is told, whatever the others do.
	Withdraw bool
}

// ActionKind names an action.
type ActionKind string

// The actions.
const (
	// Share applies what all revisions share: service account, headless Service object, disruption budget.
	Share ActionKind = "share"
	// Remember keeps the ledger: what was promoted, and what was quarantined.
	Remember ActionKind = "remember"
	// Record stores the snapshot of the revision on trial.
	Record ActionKind = "record"
	// Migrate runs the migration Job of the desired revision.
	Migrate ActionKind = "migrate"
	// Run applies the Deployment of a revision.
	Run ActionKind = "run"
	// Route moves requests, through each provider in order.
	Route ActionKind = "route"
	// GoBack runs the Job that takes the partitions of a bad revision back to where it began.
	GoBack ActionKind = "go back"
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
	// Progressing is true while a revision is on its way; Baking while the one before stays warm.
	Progressing, Baking bool
}
