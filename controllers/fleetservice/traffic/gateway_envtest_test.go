//go:build envtest

package traffic_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/apply"
)

const (
	throughEdge = `{northSouth: Gateway, gateway: {parentRefs: [{name: edge, namespace: edge}], hostnames: [movies.test], pathPrefixes: [/v1/movies], grpcServices: [movie.v1.MovieService]}}`
	pathsOnly   = `{northSouth: Gateway, gateway: {parentRefs: [{name: edge, namespace: edge}], pathPrefixes: [/v1/movies]}}`
	twoEdges    = `{northSouth: Gateway, gateway: {parentRefs: [{name: edge, namespace: edge}, {name: inner, sectionName: web}], pathPrefixes: [/v1/movies]}}`
)

func (s *stage) gateway() *traffic.Gateway {
	return traffic.NewGateway(s.counted, s.apply, s.remove, s.clock)
}

func splitOf(main, other string, percent int32) traffic.Split {
	return traffic.Split{Main: main, Other: other, Percent: percent}
}

// weights are the backends of a route with their weights.
func weights(refs ...gatewayv1.BackendRef) map[string]int32 {
	found := map[string]int32{}
	for _, ref := range refs {
		found[string(ref.Name)] = *ref.Weight
	}
	return found
}

func (s *stage) httpWeights() map[string]int32 {
	s.t.Helper()
	var refs []gatewayv1.BackendRef
	for _, ref := range get(s, "movie", &gatewayv1.HTTPRoute{}).Spec.Rules[0].BackendRefs {
		refs = append(refs, ref.BackendRef)
	}
	return weights(refs...)
}

func (s *stage) grpcWeights() map[string]int32 {
	s.t.Helper()
	var refs []gatewayv1.BackendRef
	for _, ref := range get(s, "movie", &gatewayv1.GRPCRoute{}).Spec.Rules[0].BackendRefs {
		refs = append(refs, ref.BackendRef)
	}
	return weights(refs...)
}

// verdict is what a stand-in for a Gateway's controller says of a route.
type verdict struct {
	parent             gatewayv1.ParentReference
	controller         gatewayv1.GatewayController
	accepted, resolved metav1.Condition
	// behind is by how many generations the answer is old.
	behind int64
}

func yes(parent string) verdict {
	return verdict{
		parent: reference(parent), controller: "stand-in.example.com/controller",
		accepted: metav1.Condition{Status: metav1.ConditionTrue, Reason: "Accepted"},
		resolved: metav1.Condition{Status: metav1.ConditionTrue, Reason: "ResolvedRefs"},
	}
}

// reference is namespace/name of a Gateway, with /listener where one is named.
func reference(parent string) gatewayv1.ParentReference {
	parts := strings.Split(parent, "/")
	ref := gatewayv1.ParentReference{Namespace: ptr.To(gatewayv1.Namespace(parts[0])), Name: gatewayv1.ObjectName(parts[1])}
	if len(parts) > 2 {
		ref.SectionName = ptr.To(gatewayv1.SectionName(parts[2]))
	}
	return ref
}

func (v verdict) status(generation int64) gatewayv1.RouteParentStatus {
	st := gatewayv1.RouteParentStatus{ParentRef: v.parent, ControllerName: v.controller}
	for kind, c := range map[string]metav1.Condition{"Accepted": v.accepted, "ResolvedRefs": v.resolved} {
		if c.Status != "" {
			c.Type, c.ObservedGeneration, c.LastTransitionTime = kind, generation-v.behind, metav1.Now()
			st.Conditions = append(st.Conditions, c)
		}
	}
	return st
}

// answer writes status as a Gateway's controller would, on both kinds of route where they are there.
func (s *stage) answer(verdicts ...verdict) {
	s.t.Helper()
	key := client.ObjectKeyFromObject(s.fs)
	http, grpc := &gatewayv1.HTTPRoute{}, &gatewayv1.GRPCRoute{}
	for _, o := range []client.Object{http, grpc} {
		err := s.c.Get(s.t.Context(), key, o)
		if apierrors.IsNotFound(err) {
			continue
		}
		status := gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{}}
		for _, v := range verdicts {
			status.Parents = append(status.Parents, v.status(o.GetGeneration()))
		}
		http.Status.RouteStatus, grpc.Status.RouteStatus = status, status
		if err == nil {
			err = s.c.Status().Update(s.t.Context(), o)
		}
		if err != nil {
			s.t.Fatalf("answer for %T: %v", o, err)
		}
	}
}

func TestGatewayMoves(t *testing.T) {
	withGatewayAPI(t)
	s := newStage(t, throughEdge)
	g := s.gateway()
	s.follows(g, splitOf("aaaa", "", 0), false) // nothing is there yet
	for _, step := range []struct {
		name  string
		split traffic.Split
		want  map[string]int32
		same  bool
	}{
		{"the first revision", splitOf("aaaa", "", 0), map[string]int32{"movie": 100, "movie-canary": 0}, false},
		{"one percent", splitOf("aaaa", "bbbb", 1), map[string]int32{"movie": 99, "movie-canary": 1}, false},
		{"half", splitOf("aaaa", "bbbb", 50), map[string]int32{"movie": 50, "movie-canary": 50}, false},
		{"promoted", splitOf("bbbb", "", 0), map[string]int32{"movie": 100, "movie-canary": 0}, false},
		{"of another revision, which the Service objects select", splitOf("cccc", "", 0), map[string]int32{"movie": 100, "movie-canary": 0}, true},
	} {
		t.Run(step.name, func(t *testing.T) {
			s.follows(g, step.split, step.same)
			s.move(g, step.split)
			s.follows(g, step.split, step.same) // the Gateway has not answered for this generation
			s.answer(yes("edge/edge"))
			s.follows(g, step.split, true)
			if diff := cmp.Diff([]map[string]int32{step.want, step.want}, []map[string]int32{s.httpWeights(), s.grpcWeights()}); diff != "" {
				t.Errorf("weights of HTTPRoute and GRPCRoute (-want +got):\n%s", diff)
			}
			s.writes = 0
			s.move(g, step.split)
			if s.writes != 0 {
				t.Errorf("%d writes though nothing changed", s.writes)
			}
		})
	}
}

// TestGatewayWithSharesByPods: the Service object already holds both revisions' pods in the share that is wanted.
func TestGatewayWithSharesByPods(t *testing.T) {
	withGatewayAPI(t)
	s := newStage(t, strings.Replace(pathsOnly, "{", "{eastWest: Replicas, ", 1))
	g := s.gateway()
	s.move(g, splitOf("aaaa", "bbbb", 25))
	if diff := cmp.Diff(map[string]int32{"movie": 100, "movie-canary": 0}, s.httpWeights()); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
}

func TestGatewayHandEditIsRestored(t *testing.T) {
	withGatewayAPI(t)
	s := newStage(t, throughEdge)
	g, split := s.gateway(), splitOf("aaaa", "bbbb", 5)
	s.move(g, split)
	want := get(s, "movie", &gatewayv1.HTTPRoute{}).Spec
	for what, test := range map[string]struct {
		change func(*gatewayv1.HTTPRoute)
		unseen bool // by Follows; Move sees it
	}{
		"weights":    {change: func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].BackendRefs[1].Weight = ptr.To[int32](90) }},
		"backend":    {change: func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].BackendRefs[0].Name = "elsewhere" }},
		"a backend":  {change: func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].BackendRefs = r.Spec.Rules[0].BackendRefs[:1] }},
		"port":       {change: func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].BackendRefs[0].Port = ptr.To[int32](1) }},
		"path":       {change: func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].Matches[0].Path.Value = ptr.To("/v2") }},
		"hostname":   {change: func(r *gatewayv1.HTTPRoute) { r.Spec.Hostnames[0] = "films.test" }},
		"hostnames":  {change: func(r *gatewayv1.HTTPRoute) { r.Spec.Hostnames = nil }},
		"parent":     {change: func(r *gatewayv1.HTTPRoute) { r.Spec.ParentRefs[0].Name = "other" }},
		"first rule": {change: func(r *gatewayv1.HTTPRoute) { r.Spec.Rules = append([]gatewayv1.HTTPRouteRule{{}}, r.Spec.Rules...) }},
		"filter": {unseen: true, change: func(r *gatewayv1.HTTPRoute) {
			r.Spec.Rules[0].Filters = []gatewayv1.HTTPRouteFilter{{Type: gatewayv1.HTTPRouteFilterRequestRedirect, RequestRedirect: &gatewayv1.HTTPRequestRedirectFilter{Port: ptr.To[gatewayv1.PortNumber](1)}}}
			r.Spec.Rules[0].BackendRefs = nil
		}},
	} {
		t.Run(what, func(t *testing.T) {
			edit(s, "movie", &gatewayv1.HTTPRoute{}, test.change)
			s.answer(yes("edge/edge"))
			s.follows(g, split, false)
			s.move(g, split)
			if diff := cmp.Diff(want, get(s, "movie", &gatewayv1.HTTPRoute{}).Spec); diff != "" {
				t.Errorf("HTTPRoute after Move (-before the edit +now):\n%s", diff)
			}
		})
	}
}

func TestGatewayRoutesGoWithThePolicy(t *testing.T) {
	withGatewayAPI(t)
	s := newStage(t, throughEdge)
	g, split := s.gateway(), splitOf("aaaa", "", 0)
	s.move(g, split)
	there := func(want ...string) {
		t.Helper()
		var got []string
		owned, err := s.gateway().Owned(t.Context(), s.fs)
		if err != nil {
			t.Fatalf("Owned = %v", err)
		}
		for _, o := range owned {
			got = append(got, strings.TrimPrefix(fmt.Sprintf("%T", o), "*v1."))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
	}
	there("HTTPRoute", "GRPCRoute")
	s.policy(pathsOnly)
	s.move(g, split)
	there("HTTPRoute")
	s.policy(`{northSouth: None}`)
	if err := g.Remove(t.Context(), s.target()); err != nil {
		t.Errorf("Remove = %v", err)
	}
	there()
	s.gets, s.writes = 0, 0
	for range 3 {
		if err := g.Remove(t.Context(), s.target()); err != nil {
			t.Errorf("Remove again = %v", err)
		}
	}
	if s.gets+s.writes != 0 {
		t.Errorf("%d calls for a service that is known to have no routes, want none", s.gets+s.writes)
	}
	s.policy(throughEdge)
	s.move(g, split)
	there("HTTPRoute", "GRPCRoute")
	s.policy(`{}`)
	if err := g.Remove(t.Context(), s.target()); err != nil {
		t.Errorf("Remove of routes that came back = %v", err)
	}
	there()
}

func TestGatewayLeavesAUsersRouteAlone(t *testing.T) {
	withGatewayAPI(t)
	s := newStage(t, pathsOnly)
	g := s.gateway()
	theirs := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: s.fs.Namespace, Name: "movie"}, Spec: gatewayv1.HTTPRouteSpec{Hostnames: []gatewayv1.Hostname{"mine.test"}}}
	if err := s.c.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	var taken *apply.NameTaken
	if err := g.Move(t.Context(), s.target(), splitOf("aaaa", "", 0)); !errors.As(err, &taken) {
		t.Errorf("Move over a user's route = %v, want NameTaken", err)
	}
	s.answer(yes("edge/edge"))
	s.follows(g, splitOf("aaaa", "", 0), false)
	if err := g.Remove(t.Context(), s.target()); err != nil {
		t.Errorf("Remove = %v, want nothing done", err)
	}
	now := get(s, "movie", &gatewayv1.HTTPRoute{})
	if diff := cmp.Diff(theirs.Spec, now.Spec); diff != "" || now.Generation != theirs.Generation {
		t.Errorf("the user's route was touched (-before +after):\n%s", diff)
	}
}

func TestGatewayAnswers(t *testing.T) {
	withGatewayAPI(t)
	with := func(v verdict, change func(*verdict)) verdict { change(&v); return v }
	no := func(reason, message string) metav1.Condition {
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: message}
	}
	refusing := func(reason, message string) verdict {
		return with(yes("edge/edge"), func(v *verdict) { v.accepted = no(reason, message) })
	}
	unresolved := func(reason string) verdict {
		return with(yes("edge/edge"), func(v *verdict) { v.resolved = no(reason, "") })
	}
	old := with(yes("edge/edge"), func(v *verdict) { v.behind = 1 })
	former := with(refusing("Pending", ""), func(v *verdict) { v.controller = "former.example.com/controller" })
	for what, test := range map[string]struct {
		policy  string
		answers []verdict
		late    time.Duration
		taken   bool
		refusal []string // parts of the sentence; none for no refusal
	}{
		"taken":                               {pathsOnly, []verdict{yes("edge/edge")}, 0, true, nil},
		"not answered yet":                    {pathsOnly, nil, 0, false, nil},
		"answered for the generation before":  {pathsOnly, []verdict{old}, 0, false, nil},
		"half answered":                       {pathsOnly, []verdict{with(yes("edge/edge"), func(v *verdict) { v.resolved = metav1.Condition{} })}, 0, false, nil},
		"undecided":                           {pathsOnly, []verdict{with(yes("edge/edge"), func(v *verdict) { v.accepted.Status = metav1.ConditionUnknown })}, 0, false, nil},
		"an answer for another Gateway":       {pathsOnly, []verdict{yes("edge/other")}, 0, false, nil},
		"one of two":                          {twoEdges, []verdict{yes("edge/edge")}, 0, false, nil},
		"both of two":                         {twoEdges, []verdict{yes("edge/edge"), yes("NAMESPACE/inner/web")}, 0, true, nil},
		"another listener":                    {twoEdges, []verdict{yes("edge/edge"), yes("NAMESPACE/inner/tls")}, 0, false, nil},
		"a controller that was there before":  {pathsOnly, []verdict{former, yes("edge/edge")}, 0, true, nil},
		"nobody answers":                      {pathsOnly, nil, time.Minute, false, []string{"Gateway edge/edge has not answered for HTTPRoute NAMESPACE/movie", "traffic.gateway.parentRefs"}},
		"answered long ago, not for this one": {pathsOnly, []verdict{old}, time.Minute, false, []string{"has not answered"}},
		"not allowed": {
			pathsOnly, []verdict{refusing("NotAllowedByListeners", "no listener")}, 0, false,
			[]string{"Gateway edge/edge does not take HTTPRoute NAMESPACE/movie (NotAllowedByListeners, no listener)", "from namespace NAMESPACE", "allowedRoutes"},
		},
		"no hostname":           {pathsOnly, []verdict{refusing("NoMatchingListenerHostname", "")}, 0, false, []string{"(NoMatchingListenerHostname)", "traffic.gateway.hostnames"}},
		"no listener":           {twoEdges, []verdict{yes("edge/edge"), with(yes("NAMESPACE/inner/web"), func(v *verdict) { v.accepted = no("NoMatchingParent", "") })}, 0, false, []string{"Gateway NAMESPACE/inner listener web", "traffic.gateway.parentRefs"}},
		"no backend":            {pathsOnly, []verdict{unresolved("BackendNotFound")}, 0, false, []string{"BackendNotFound", "by itself"}},
		"something of its own":  {pathsOnly, []verdict{refusing("Quota", "too many")}, 0, false, []string{"(Quota, too many): mend the Gateway"}},
		"refused as it was, no": {pathsOnly, []verdict{with(refusing("NoMatchingParent", ""), func(v *verdict) { v.behind = 1 })}, 0, false, nil},
	} {
		t.Run(what, func(t *testing.T) {
			s := newStage(t, test.policy)
			g, split := s.gateway(), splitOf("aaaa", "", 0)
			s.move(g, split)
			answers := append([]verdict{}, test.answers...)
			for i := range answers {
				if *answers[i].parent.Namespace == "NAMESPACE" {
					answers[i].parent.Namespace = ptr.To(gatewayv1.Namespace(s.fs.Namespace))
				}
			}
			s.answer(answers...)
			s.clock.SetTime(time.Now().Add(test.late))
			got, err := g.Follows(t.Context(), s.target(), split)
			var refusal *traffic.Refusal
			if got != test.taken || errors.As(err, &refusal) != (test.refusal != nil) || (err != nil && refusal == nil) {
				t.Fatalf("Follows = %t, %v, want %t and a refusal: %t", got, err, test.taken, test.refusal != nil)
			}
			for _, part := range test.refusal {
				if part = strings.ReplaceAll(part, "NAMESPACE", s.fs.Namespace); !strings.Contains(err.Error(), part) {
					t.Errorf("Follows = %q, want it to say %q", err, part)
				}
			}
		})
	}
}

func TestGatewayRefusesWhatTheAPIServerDoes(t *testing.T) {
	withGatewayAPI(t)
	s := newStage(t, strings.Replace(pathsOnly, "/v1/movies", "/v1//movies", 1))
	err := s.gateway().Move(t.Context(), s.target(), splitOf("aaaa", "", 0))
	var refusal *traffic.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "correct traffic.gateway") || !strings.Contains(err.Error(), "//") {
		t.Errorf("Move with path /v1//movies = %v, want a refusal that names traffic.gateway and the cause", err)
	}
}

func TestGatewayAPIMissing(t *testing.T) {
	withoutGatewayAPI(t)
	s := newStage(t, throughEdge)
	g, split := s.gateway(), splitOf("aaaa", "", 0)
	check := func(when string) {
		t.Helper()
		want := "the Gateway API is not installed in this cluster: install its CRDs"
		var refusal *traffic.Refusal
		if err := g.Move(t.Context(), s.target(), split); !errors.As(err, &refusal) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "set traffic.northSouth to None") {
			t.Errorf("%s: Move = %v, want %q and what to do", when, err, want)
		}
		for range 3 { // and without routes there is nothing to take away
			if err := s.gateway().Remove(t.Context(), s.target()); err != nil {
				t.Errorf("%s: Remove = %v", when, err)
			}
		}
		if owned, err := g.Owned(t.Context(), s.fs); err != nil || len(owned) != 0 {
			t.Errorf("%s: Owned = %v, %v, want none", when, owned, err)
		}
	}
	check("never installed")
	if _, err := g.Follows(t.Context(), s.target(), split); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("never installed: Follows = %v, want that said", err)
	}
	withGatewayAPI(t)
	s.move(g, split)
	s.answer(yes("edge/edge"))
	s.follows(g, split, true)
	withoutGatewayAPI(t)
	check("removed") // the client still knows the kind
}
