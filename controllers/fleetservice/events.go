package fleetservice

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/internal/apply"
)

// announcement is how a decision is told as an event: its reason (one word), its action and whether it warns.
type announcement struct {
	reason string
	warn   bool
}

var announcements = map[plan.Verb]announcement{
	plan.Begin:    {reason: "RolloutStarted"},
	plan.Replace:  {reason: "RolloutReplaced"},
	plan.Abandon:  {reason: "RolloutAbandoned"},
	plan.Along:    {reason: "ReadsAlong"},
	plan.Passed:   {reason: "ShadowPassed"},
	plan.Advance:  {reason: "WeightRaised"},
	plan.Promote:  {reason: "Promoted"},
	plan.Verified: {reason: "TrafficMoved"},
	plan.TakeBack: {reason: "TakenBack", warn: true},
	plan.Ask:      {reason: "BakeSuspicious", warn: true},
	plan.Answer:   {reason: "BakeCleared"},
	plan.Return:   {reason: "Returned", warn: true},
	plan.Revert:   {reason: "Reverted"},
	plan.Baked:    {reason: "Baked"},
	plan.Drained:  {reason: "Drained"},
	plan.Retry:    {reason: "MayRetry"},
	plan.Obey:     {reason: "CommandTaken"},
	plan.Refuse:   {reason: "CommandRefused", warn: true},

	plan.Rewound:    {reason: "Rewound"},
	plan.NotRewound: {reason: "RewindFailed", warn: true},
}

// announce tells of a decision after it was written.
func (r *Reconciler) announce(s *scope, before *v1alpha1.FleetServiceStatus) {
	d := s.plan.Decision
	a := announcements[d.Verb]
	kind := corev1.EventTypeNormal
	if a.warn {
		kind = corev1.EventTypeWarning
	}
	r.events.Eventf(s.fs, nil, kind, a.reason, string(d.Verb), "%s: %s", subject(d, before), d.Reason)
	r.measure(s, before)
}

// subject is the revision that a decision is about.
func subject(d *plan.Decision, before *v1alpha1.FleetServiceStatus) string {
	switch d.Verb {
	case plan.Begin, plan.Replace, plan.Along, plan.Passed, plan.Advance:
		return "revision " + d.State.Canary.Hash
	case plan.TakeBack, plan.Return:
		return "revision " + d.State.Rejected.Hash + " taken back"
	case plan.Baked:
		return "revision " + before.Previous.Hash + " is needed no more"
	case plan.Abandon:
		return "revision " + before.Canary.Hash
	case plan.Rewound, plan.NotRewound:
		return "revision " + d.State.Rewind.Hash
	case plan.Drained:
		return "a revision has finished"
	}
	return "revision " + d.State.Stable.Hash
}

// announceRestored tells of a hand edit that was undone, and which field to edit instead.
func (r *Reconciler) announceRestored(s *scope, child client.Object, result apply.Result) {
	by := result.By
	if by == "" {
		by = "somebody"
	}
	r.events.Eventf(s.fs, child, corev1.EventTypeWarning, "HandEditUndone", "restore", "%s %s: %s changed %s; it was put back. %s",
		kindOf(child, r.client), child.GetName(), by, strings.Join(result.Restored, ", "), instead(s.fs, result.Restored))
}

// announceRecreated tells of a child that somebody deleted.
func (r *Reconciler) announceRecreated(s *scope, child client.Object) {
	r.events.Eventf(s.fs, child, corev1.EventTypeWarning, "DeletionUndone", "restore", "%s %s was deleted; it was created again. To have no pods, set replicas to 0 in %s",
		kindOf(child, r.client), child.GetName(), owner(s.fs))
}

// owner is the resource in which a person asked for the service.
func owner(fs *v1alpha1.FleetService) string {
	component := fs.Labels[v1alpha1.LabelComponent]
	if app := metav1.GetControllerOf(fs); app != nil && component != "" {
		return fmt.Sprintf("spec.services.%s of %s %s", component, app.Kind, app.Name)
	}
	return "the spec of FleetService " + fs.Name
}

func kindOf(o client.Object, c client.Client) string {
	gvk, err := c.GroupVersionKindFor(o)
	if err != nil {
		return "object"
	}
	return gvk.Kind
}

// instead says what a person may edit to the same end.
func instead(fs *v1alpha1.FleetService, paths []string) string {
	for _, known := range []struct{ in, field string }{
		{"spec.replicas", "replicas"}, {"spec.template", "image, env, resources or podOverrides"}, {"spec.ports", "ports"},
		{"metadata.annotations", "ownership"}, {"data", "config"},
	} {
		if strings.HasPrefix(paths[0], known.in) {
			return fmt.Sprintf("Edit %s in %s instead", known.field, owner(fs))
		}
	}
	if strings.HasPrefix(paths[0], "spec.selector") {
		return "Traffic is moved by the operator: change " + owner(fs) + " and it follows"
	}
	return "It belongs to the operator; what can be set stands in " + owner(fs)
}

func (r *Reconciler) announceSnapshotMissing(s *scope, hash string) {
	r.events.Eventf(s.fs, nil, corev1.EventTypeWarning, "SnapshotMissing", "run",
		"ControllerRevision %s was deleted; the running Deployment of revision %s is left as it is until the next change", render.RevisionName(s.fs.Name, hash), hash)
}

// announceDamage tells once that the ledger cannot be read: a service that only serves is Ready all the same.
func (r *Reconciler) announceDamage(s *scope, before *v1alpha1.FleetServiceStatus) {
	if why := s.observation.LedgerDamaged; why != "" && meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionLedgerReadable) == nil {
		r.events.Eventf(s.fs, nil, corev1.EventTypeWarning, v1alpha1.ReasonLedgerDamaged, "read", "%s. No other revision is tried until then", why)
	}
}

func (r *Reconciler) announceKept(fs *v1alpha1.FleetService, where v1alpha1.ConsulRegistration, why error) {
	r.events.Eventf(fs, nil, corev1.EventTypeWarning, "ConsulEntriesKept", "leave",
		"the service is bound to Consul by Secret %s no more, and its entries there could not be removed: %v. Delete service-splitter, service-resolver and service-defaults %s in Consul, if it is still there",
		where.SecretName, why, where.Name)
}

func (r *Reconciler) announceSkipped(fs *v1alpha1.FleetService, what string) {
	r.events.Eventf(fs, nil, corev1.EventTypeWarning, "DeletionSkipped", "delete", "deletion goes on without %s", what)
}

// eachObject calls visit for every object of a list.
func eachObject(list client.ObjectList, visit func(client.Object) error) error {
	items, err := meta.ExtractList(list)
	if err != nil {
		return fmt.Errorf("read %T: %w", list, err)
	}
	for _, item := range items {
		if o, ok := item.(client.Object); ok {
			if err := visit(o); err != nil {
				return err
			}
		}
	}
	return nil
}
