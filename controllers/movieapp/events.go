package movieapp

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/apply"
)

// note is an event: its type, its reason and the action that it tells of.
type note struct{ kind, reason, action string }

// The events of a MovieApp. Each is sent after what it tells of.
func created() note     { return note{corev1.EventTypeNormal, "ServiceCreated", "create"} }
func released() note    { return note{corev1.EventTypeNormal, "ServiceReleased", "release"} }
func removed() note     { return note{corev1.EventTypeNormal, "ServiceRemoved", "delete"} }
func restored() note    { return note{corev1.EventTypeWarning, "HandEditUndone", "restore"} }
func serving() note     { return note{corev1.EventTypeNormal, "Serving", "reconcile"} }
func needsPerson() note { return note{corev1.EventTypeWarning, "Stalled", "reconcile"} }
func orphaned() note    { return note{corev1.EventTypeNormal, "ServicesOrphaned", "delete"} }
func overdue() note     { return note{corev1.EventTypeWarning, "DeletionOverdue", "delete"} }

func (r *Reconciler) tell(n note, app *v1alpha1.MovieApp, about *v1alpha1.FleetService, format string, args ...any) {
	if about == nil {
		r.events.Eventf(app, nil, n.kind, n.reason, n.action, format, args...)
		return
	}
	r.events.Eventf(app, about, n.kind, n.reason, n.action, format, args...)
}

// announceStep tells what an apply did to a FleetService, if it did anything.
func (r *Reconciler) announceStep(app *v1alpha1.MovieApp, st *step, result apply.Result) {
	switch {
	case len(result.Restored) > 0:
		r.announceRestored(app, st, result)
	case !result.Changed:
	case st.verb == create:
		r.tell(created(), app, nil, "FleetService %s created with image %s", st.fleetService, st.spec.Image)
	case st.verb == advance:
		r.tell(released(), app, st.live, "FleetService %s gets its new release with image %s", st.fleetService, st.spec.Image)
	}
}

// announceRestored tells of a hand edit that was undone, and which field to edit instead: on the FleetService, where
// whoever edited it looks, and on the MovieApp.
func (r *Reconciler) announceRestored(app *v1alpha1.MovieApp, st *step, result apply.Result) {
	by := result.By
	if by == "" {
		by = "somebody"
	}
	text := "FleetService %s: %s changed %s; it was put back. Edit %s of MovieApp %s instead"
	args := []any{st.fleetService, by, strings.Join(result.Restored, ", "), fieldInstead(st.name, result.Restored), app.Name}
	n := restored()
	r.tell(n, app, st.live, text, args...)
	r.events.Eventf(st.live, app, n.kind, n.reason, n.action, text, args...)
}

// fieldInstead names the fields of the MovieApp that say what was edited.
func fieldInstead(service string, paths []string) string {
	var fields []string
	for _, p := range paths {
		field := "spec.services." + service
		switch rest, inSpec := strings.CutPrefix(p, "spec."); {
		case rest == "image":
			field = "spec.image.tag or " + field + ".image"
		case inSpec:
			field += "." + rest
		default:
			field += " (metadata is the operator's)"
		}
		fields = append(fields, field)
	}
	return strings.Join(fields, ", ")
}

func (r *Reconciler) announceRemoved(app *v1alpha1.MovieApp, fs *v1alpha1.FleetService) {
	r.tell(removed(), app, fs, "FleetService %s deleted", fs.Name)
}

func (r *Reconciler) announceOrphaned(app *v1alpha1.MovieApp, names []string) {
	r.tell(orphaned(), app, nil, "deletionPolicy is Orphan: these FleetServices go on without an owner: %s", strings.Join(names, ", "))
}

func (r *Reconciler) announceDeadline(app *v1alpha1.MovieApp, names []string) {
	r.tell(overdue(), app, nil, "after %v these FleetServices were still there, and Kubernetes removes them without order: %s", finalizeDeadline, strings.Join(names, ", "))
}

// announceTurn tells when an application starts to serve, and when it needs a person.
func (r *Reconciler) announceTurn(app *v1alpha1.MovieApp, before []metav1.Condition) {
	turned := func(kind string) *metav1.Condition {
		was, is := find(before, kind), find(app.Status.Conditions, kind)
		if is == nil || is.Status != metav1.ConditionTrue || (was != nil && was.Status == metav1.ConditionTrue) {
			return nil
		}
		return is
	}
	if c := turned(v1alpha1.ConditionReady); c != nil {
		r.tell(serving(), app, nil, "%s", c.Message)
	}
	if c := turned(v1alpha1.ConditionStalled); c != nil {
		r.tell(needsPerson(), app, nil, "%s", c.Message)
	}
}

func find(list []metav1.Condition, kind string) *metav1.Condition {
	for i := range list {
		if list[i].Type == kind {
			return &list[i]
		}
	}
	return nil
}
