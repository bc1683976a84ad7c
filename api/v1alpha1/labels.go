package v1alpha1

// Labels and annotations that the operator sets on what it owns. Selectors rely on the labels, so they
// are never edited by hand: the operator puts them back.
const (
	// LabelManagedBy marks every object that the operator applies; its caches hold nothing else.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedByValue is the value of LabelManagedBy.
	ManagedByValue = "movie-fleet"
	// LabelApp is the name of the MovieApp, or of the FleetService where no MovieApp owns it.
	LabelApp = "fleet.movieexample.com/app"
	// LabelService is the name of the FleetService that an object belongs to.
	LabelService = "fleet.movieexample.com/service"
	// LabelRevision is the hash of the revision that an object belongs to.
	LabelRevision = "fleet.movieexample.com/revision"
	// LabelShadow is "true" on the pod of a consumer's canary that reads along and stores nothing.
	LabelShadow = "fleet.movieexample.com/shadow"
	// LabelComponent is the service's name inside its MovieApp, such as "rating".
	LabelComponent = "app.kubernetes.io/component"

	// AnnotationAccountable, AnnotationSupport and AnnotationOncall repeat spec.ownership on Deployments
	// and Service objects, where alerts and people look for it.
	AnnotationAccountable = "fleet.movieexample.com/accountable"
	// AnnotationSupport repeats spec.ownership.support.
	AnnotationSupport = "fleet.movieexample.com/support"
	// AnnotationOncall repeats spec.ownership.oncall.
	AnnotationOncall = "fleet.movieexample.com/oncall"

	// AnnotationReleased is, on a FleetService of a MovieApp, the part of the spec that was released to it last, as
	// JSON: changes go from service to service in order, and one that waits keeps what it had.
	AnnotationReleased = "fleet.movieexample.com/released"

	// AnnotationCommand is a command for a rollout: verb@revision@token, where verb is promote, skip, abort or retry. It
	// acts once for each token, on that revision only; status.lastCommand tells the outcome.
	AnnotationCommand = "fleet.movieexample.com/command"

	// Finalizer lets the operator take a resource's children down in order before it disappears.
	Finalizer = "fleet.movieexample.com/finalizer"
)
