package v1alpha1

// Condition types. Ready, Reconciling and Stalled follow kstatus; "could not observe" is Unknown, never False.
const (
	// ConditionReady is True when the revision that the spec asks for serves all traffic.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the operator still moves towards the spec.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when the operator cannot go on until a person changes something.
	ConditionStalled = "Stalled"
	// ConditionAvailable is True while the stable revision has ready pods.
	ConditionAvailable = "Available"
	// ConditionBindingsReady is True when every bound Secret exists with the keys it must have.
	ConditionBindingsReady = "BindingsReady"
	// ConditionCertificatesReady is True when every service of an application with tls has a certificate that holds; it is
	// there only with tls.
	ConditionCertificatesReady = "CertificatesReady"
	// ConditionSpecValid is True when the spec can be rendered and the API server takes the result.
	ConditionSpecValid = "SpecValid"
	// ConditionProgressing is True while a revision is on its way to become stable.
	ConditionProgressing = "Progressing"
	// ConditionBaking is True while the revision that was promoted last has all traffic and the one before stays warm.
	ConditionBaking = "Baking"
	// ConditionObjectivesValid is False while an objective cannot be measured: its metric is not shown, or the
	// latency's bound is no bucket of the service's histogram.
	ConditionObjectivesValid = "ObjectivesValid"
	// ConditionServiceFound is, of an ingestor, True when the service that it belongs to has promoted an image.
	ConditionServiceFound = "ServiceFound"
	// ConditionKafkaReady is, of an ingestor, True when topics and group are there and its user may use them.
	ConditionKafkaReady = "KafkaReady"
	// ConditionLedgerReadable is False while the ConfigMap with the service's verdicts is damaged; it is there only then.
	ConditionLedgerReadable = "LedgerReadable"
	// ConditionRolledBack is True while the revision that the spec asks for is one that was taken back.
	ConditionRolledBack = "RolledBack"
)

// Reasons of conditions. Messages add the object, the cause and the next step.
const (
	// ReasonCanary: a revision on trial has a share of the requests and evidence is gathered.
	ReasonCanary = "Canary"
	// ReasonShadow: a consumer's revision on trial reads along and stores nothing, and evidence is gathered.
	ReasonShadow = "Shadow"
	// ReasonStepping: the canary's share is being changed.
	ReasonStepping = "Stepping"
	// ReasonPaused: the rollout stands still until a person resumes it, or commands.
	ReasonPaused = "Paused"
	// ReasonInconclusive: the time of a step is over and the requests have shown neither harm nor its absence.
	ReasonInconclusive = "Inconclusive"
	// ReasonBlind: a signal cannot be read; the step is held and nobody is blamed.
	ReasonBlind = "Blind"
	// ReasonSuspicious: too much speaks against the canary to give it more, too little to take it back.
	ReasonSuspicious = "Suspicious"
	// ReasonOnePod: what speaks against the canary rests on single pods.
	ReasonOnePod = "OnePod"
	// ReasonOnePartition: what speaks against a consumer's canary rests on one partition, whose data it may be.
	ReasonOnePartition = "OnePartition"
	// ReasonWorse: the canary is provably worse than the stable revision.
	ReasonWorse = "Worse"
	// ReasonStarved: callers that follow the weights cannot bring the canary its share.
	ReasonStarved = "Starved"
	// ReasonStuck: a consumer's canary does not read on though its partitions have records.
	ReasonStuck = "Stuck"
	// ReasonCheckFailed: a Prometheus query left its bound, or a webhook said no.
	ReasonCheckFailed = "CheckFailed"
	// ReasonAborted: a person ended the rollout.
	ReasonAborted = "Aborted"
	// ReasonBaking: the promoted revision has all traffic and the one before stays warm.
	ReasonBaking = "Baking"
	// ReasonAsking: something changed during the bake; half of the requests go to the old revision and are compared.
	ReasonAsking = "Asking"
	// ReasonMeasurable: every objective can be measured.
	ReasonMeasurable = "Measurable"
	// ReasonNotABucket: the latency's bound is no bucket of the service's histogram.
	ReasonNotABucket = "NotABucket"
	// ReasonNotAHistogram: what is named as the histogram of durations is of another type.
	ReasonNotAHistogram = "NotAHistogram"
	// ReasonNotCounted: no page of metrics shows the counters or the histogram that an objective is measured by.
	ReasonNotCounted = "NotCounted"
	// ReasonServing: the asked-for revision serves all traffic.
	ReasonServing = "Serving"
	// ReasonStarting: the first revision of a service is coming up.
	ReasonStarting = "Starting"
	// ReasonMigrating: the migration Job of a new image is running.
	ReasonMigrating = "Migrating"
	// ReasonMigrationFailed: the migration Job failed; nothing was switched.
	ReasonMigrationFailed = "MigrationFailed"
	// ReasonCandidateStarting: a new revision comes up beside the stable one.
	ReasonCandidateStarting = "CandidateStarting"
	// ReasonSwitching: traffic moves to the new revision.
	ReasonSwitching = "Switching"
	// ReasonDraining: the new revision serves; the old one finishes its requests.
	ReasonDraining = "Draining"
	// ReasonRewinding: a new revision waits until partitions went back to where the one before it began that was taken back.
	ReasonRewinding = "Rewinding"
	// ReasonHeld: an environment fact (no room, no node, a registry that times out) holds the rollout; nobody is blamed.
	ReasonHeld = "Held"
	// ReasonScaling: pods are added to or removed from the stable revision.
	ReasonScaling = "Scaling"
	// ReasonTakenBack: the new revision failed to start and was removed; the stable one serves.
	ReasonTakenBack = "TakenBack"
	// ReasonLedgerDamaged: the service's ledger cannot be read, so that nobody knows which revisions are quarantined. What
	// serves goes on; nothing new is put on trial until the ConfigMap is mended or deleted.
	ReasonLedgerDamaged = "LedgerDamaged"
	// ReasonStartFailed: the first revision of a service cannot start.
	ReasonStartFailed = "StartFailed"
	// ReasonUnavailable: the stable revision has no ready pod.
	ReasonUnavailable = "Unavailable"
	// ReasonServiceMissing: the service that an ingestor belongs to is not there, or has promoted nothing yet.
	ReasonServiceMissing = "ServiceMissing"
	// ReasonServicePromoted: the service that an ingestor belongs to has promoted an image.
	ReasonServicePromoted = "ServicePromoted"
	// ReasonKafkaProblem: a topic or the group is missing, or its user may not use it.
	ReasonKafkaProblem = "KafkaProblem"
	// ReasonKafkaUsable: topics and group can be used.
	ReasonKafkaUsable = "KafkaUsable"
	// ReasonStuckPartitions: partitions have records and do not move.
	ReasonStuckPartitions = "StuckPartitions"
	// ReasonBindingsMissing: a bound Secret or one of its keys, or the volume claim for files, is missing or of the wrong type.
	ReasonBindingsMissing = "BindingsMissing"
	// ReasonBindingsFound: every binding is complete.
	ReasonBindingsFound = "BindingsFound"
	// ReasonSharedDatabase: two services are bound to one database.
	ReasonSharedDatabase = "SharedDatabase"
	// ReasonInvalidSpec: the spec is refused; the message says which field and why.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonValid: the spec is accepted.
	ReasonValid = "Valid"
	// ReasonCouldNotObserve: the API server or Consul did not answer.
	ReasonCouldNotObserve = "CouldNotObserve"
	// ReasonDiscoveryUnavailable: Consul does not answer, so traffic stays where it is.
	ReasonDiscoveryUnavailable = "DiscoveryUnavailable"
	// ReasonTrafficRefused: requests cannot be moved until a person has mended something, such as a Gateway that does not
	// take the service's route.
	ReasonTrafficRefused = "TrafficRefused"
	// ReasonWaitingForDependency: a service waits until those it depends on have the new version.
	ReasonWaitingForDependency = "WaitingForDependency"
	// ReasonServiceNotReady: a service of the application is not ready yet.
	ReasonServiceNotReady = "ServiceNotReady"
	// ReasonServiceStalled: a service of the application cannot go on.
	ReasonServiceStalled = "ServiceStalled"
	// ReasonNameTaken: an object of that name exists and belongs to somebody else.
	ReasonNameTaken = "NameTaken"
	// ReasonCertificatesIssued: every service has its certificate.
	ReasonCertificatesIssued = "CertificatesIssued"
	// ReasonAuthorityRotating: the next authority is in every bundle, and signs as soon as every pod trusts it.
	ReasonAuthorityRotating = "AuthorityRotating"
	// ReasonIssuing: cert-manager has not issued a certificate yet.
	ReasonIssuing = "Issuing"
	// ReasonCertManagerMissing: tls.issuerRef needs cert-manager, whose API the cluster does not have.
	ReasonCertManagerMissing = "CertManagerMissing"
	// ReasonDeleting: the resource is being deleted.
	ReasonDeleting = "Deleting"
)
