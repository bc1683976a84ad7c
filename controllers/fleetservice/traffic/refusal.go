package traffic

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// patience is how long a Gateway may take to answer for a route before that is said.
const patience = 15 * time.Second

// Refusal is the error for requests that cannot be moved until a person has mended something. Its text says what.
type Refusal struct {
	Message string
}

func (e *Refusal) Error() string { return e.Message }

// explain turns an error about a route into a *Refusal where it is known what is to be mended.
func explain(r route, err error) error {
	name := client.ObjectKeyFromObject(r.want)
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return &Refusal{"the Gateway API is not installed in this cluster: install its CRDs (" + r.kind + ", version v1), or set traffic.northSouth to None"}
	case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		return &Refusal{fmt.Sprintf("the API server refuses %s %s: correct traffic.gateway: %v", r.kind, name, err)}
	case apierrors.IsForbidden(err):
		return &Refusal{fmt.Sprintf("the operator may not read and write %s %s: allow it, or set traffic.northSouth to None: %v", r.kind, name, err)}
	}
	return err
}

// taken tells whether each Gateway has taken the route as it is now. One that says no is a *Refusal.
func (g *Gateway) taken(r route) (bool, error) {
	parents, answers := answersOf(r.have)
	all := true
	for _, parent := range parents {
		taken, err := g.takenBy(r, parent, answers)
		if err != nil {
			return false, err
		}
		all = all && taken
	}
	return all, nil
}

func answersOf(o client.Object) ([]gatewayv1.ParentReference, []gatewayv1.RouteParentStatus) {
	switch o := o.(type) {
	case *gatewayv1.HTTPRoute:
		return o.Spec.ParentRefs, o.Status.Parents
	case *gatewayv1.GRPCRoute:
		return o.Spec.ParentRefs, o.Status.Parents
	}
	return nil, nil
}

// takenBy reads the answers for one Gateway. There may be several, of controllers that were there before: one that has
// taken the route is enough.
func (g *Gateway) takenBy(r route, parent gatewayv1.ParentReference, answers []gatewayv1.RouteParentStatus) (bool, error) {
	var refusal error
	for _, answer := range answers {
		if nameOf(answer.ParentRef, r.have) != nameOf(parent, r.have) {
			continue
		}
		accepted := current(answer.Conditions, gatewayv1.RouteConditionAccepted, r.have)
		resolved := current(answer.Conditions, gatewayv1.RouteConditionResolvedRefs, r.have)
		switch {
		case isFalse(accepted):
			refusal = refused(r, parent, accepted)
		case isFalse(resolved):
			refusal = refused(r, parent, resolved)
		case accepted != nil && resolved != nil:
			return true, nil
		}
	}
	if refusal == nil && g.clock.Since(written(r.have)) > patience {
		refusal = &Refusal{fmt.Sprintf("Gateway %s has not answered for %s %s: see whether the Gateway exists, has a listener that "+
			"takes it, and a controller for its class that runs, or correct traffic.gateway.parentRefs",
			nameOf(parent, r.have), r.kind, client.ObjectKeyFromObject(r.have))}
	}
	return false, refusal
}

func isFalse(c *metav1.Condition) bool { return c != nil && c.Status != metav1.ConditionTrue }

// current is a condition that was set for the route as it is now; nil where there is none.
func current(list []metav1.Condition, kind gatewayv1.RouteConditionType, o client.Object) *metav1.Condition {
	c := meta.FindStatusCondition(list, string(kind))
	if c == nil || c.ObservedGeneration < o.GetGeneration() || c.Status == metav1.ConditionUnknown {
		return nil
	}
	return c
}

func refused(r route, parent gatewayv1.ParentReference, why *metav1.Condition) error {
	name := client.ObjectKeyFromObject(r.have)
	cause := why.Reason
	if why.Message != "" {
		cause += ", " + why.Message
	}
	return &Refusal{fmt.Sprintf("Gateway %s does not take %s %s (%s): %s", nameOf(parent, r.have), r.kind, name, cause, remedy(why.Reason, name.Namespace))}
}

// remedy says what to mend. The reasons are those of the Gateway API.
func remedy(reason, namespace string) string {
	switch gatewayv1.RouteConditionReason(reason) {
	case gatewayv1.RouteReasonNotAllowedByListeners:
		return "let a listener of the Gateway allow routes of this kind from namespace " + namespace + " (allowedRoutes)"
	case gatewayv1.RouteReasonNoMatchingListenerHostname:
		return "correct traffic.gateway.hostnames, or the hostnames of the Gateway's listeners"
	case gatewayv1.RouteReasonNoMatchingParent:
		return "correct traffic.gateway.parentRefs: the Gateway has no such listener"
	case gatewayv1.RouteReasonBackendNotFound:
		return "it goes on by itself when the Gateway's controller has seen the Service objects"
	}
	return "mend the Gateway, or correct traffic.gateway"
}

// nameOf is namespace/name of a Gateway, and its listener where one is named.
func nameOf(ref gatewayv1.ParentReference, route client.Object) string {
	namespace := route.GetNamespace()
	if ref.Namespace != nil {
		namespace = string(*ref.Namespace)
	}
	name := namespace + "/" + string(ref.Name)
	if ref.SectionName != nil && *ref.SectionName != "" {
		name += " listener " + string(*ref.SectionName)
	}
	return name
}

// written is when somebody last changed a route, but for its status.
func written(o client.Object) time.Time {
	last := o.GetCreationTimestamp().Time
	for _, entry := range o.GetManagedFields() {
		if entry.Subresource == "" && entry.Time != nil && entry.Time.After(last) {
			last = entry.Time.Time
		}
	}
	return last
}
