package auth_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/auth"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

const (
	read   = "/movies.v1.Movies/Read"
	rate   = "/movies.v1.Movies/Rate"
	edit   = "/movies.v1.Movies/Edit"
	forgot = "/movies.v1.Movies/Forgot"
	health = "/grpc.health.v1.Health/Check"
)

func policy() auth.Policy {
	return auth.Policy{read: auth.Public(), rate: auth.Authenticated(), edit: auth.Role(auth.RoleEditor)}
}

// stream is a call's stream with a context, and nothing else.
type stream struct {
	grpc.ServerStream

	ctx context.Context
}

func (s stream) Context() context.Context { return s.ctx }

func TestGuard(t *testing.T) {
	k := newKeys(t, "a")
	editor := "Bearer " + k.token(t, nil)
	user := "Bearer " + k.token(t, func(c *auth.Claims) { c.Subject, c.Roles = "ben", nil })
	forged := "Bearer " + newKeys(t, "a").token(t, nil)
	for name, tc := range map[string]struct {
		method, header string
		code           codes.Code
		caller         string
	}{
		"reads need nothing":           {read, "", codes.OK, ""},
		"a bad token reads":            {read, forged, codes.OK, ""},
		"nonsense reads":               {read, "nonsense", codes.OK, ""},
		"a user rates":                 {rate, user, codes.OK, "ben"},
		"nobody does not rate":         {rate, "", codes.Unauthenticated, ""},
		"a forger does not rate":       {rate, forged, codes.Unauthenticated, ""},
		"an editor edits":              {edit, editor, codes.OK, "ann"},
		"a user does not edit":         {edit, user, codes.PermissionDenied, ""},
		"nobody does not edit":         {edit, "", codes.Unauthenticated, ""},
		"a method without a rule":      {forgot, editor, codes.PermissionDenied, ""},
		"health is outside":            {health, "", codes.OK, ""},
		"a service of a similar name":  {"/grpc.healthy.Movies/Read", "", codes.PermissionDenied, ""},
		"a method of no service at al": {"", editor, codes.PermissionDenied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := auth.NewGuard(policy(), auth.NewVerifier(k, expectation(), at(now)), prometheus.NewRegistry())
			ctx := context.Background()
			if tc.header != "" {
				ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("authorization", tc.header))
			}
			seen := map[string]string{}
			_, unary := g.Unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: tc.method}, func(ctx context.Context, _ any) (any, error) {
				c, _ := auth.FromContext(ctx)
				seen["unary"] = c.Subject
				return struct{}{}, nil
			})
			streamed := g.Stream(nil, stream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: tc.method}, func(_ any, s grpc.ServerStream) error {
				c, _ := auth.FromContext(s.Context())
				seen["stream"] = c.Subject
				return nil
			})
			for kind, err := range map[string]error{"unary": unary, "stream": streamed} {
				got, called := seen[kind]
				if status.Code(err) != tc.code || called != (tc.code == codes.OK) || got != tc.caller {
					t.Errorf("%s call = %v, handler called = %v with caller %q, want %s with %q", kind, err, called, got, tc.code, tc.caller)
				}
			}
		})
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	k := newKeys(t, "a")
	metrics := prometheus.NewRegistry()
	g := auth.NewGuard(policy(), auth.NewVerifier(k, expectation(), at(now)), metrics)
	call := func(header string) {
		ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs("authorization", header))
		_, _ = g.Unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: edit}, func(context.Context, any) (any, error) { return nil, nil })
	}
	call("Bearer " + k.token(t, nil))
	call("Bearer " + newKeys(t, "a").token(t, nil))
	call("Bearer " + k.token(t, func(c *auth.Claims) { c.Roles = nil }))
	call("nonsense")
	want := `
		# HELP auth_refused_total Calls that were refused for what their token is or lacks, by reason: missing, malformed, forged, key, expired, audience, revoked, role, user, keys_away.
		# TYPE auth_refused_total counter
		auth_refused_total{reason="forged"} 1
		auth_refused_total{reason="malformed"} 1
		auth_refused_total{reason="role"} 1
	`
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestPolicyCovers(t *testing.T) {
	services := map[string]grpc.ServiceInfo{
		"movies.v1.Movies":      {Methods: []grpc.MethodInfo{{Name: "Read"}, {Name: "Rate"}, {Name: "Edit"}}},
		"grpc.health.v1.Health": {Methods: []grpc.MethodInfo{{Name: "Check"}}},
	}
	if err := policy().Covers(services); err != nil {
		t.Errorf("Covers = %v, want nil", err)
	}
	if !policy().Guards() || (auth.Policy{read: auth.Public()}).Guards() {
		t.Error("Guards() is true for reads alone, or false with a method that needs a token")
	}
	services["movies.v1.Movies"] = grpc.ServiceInfo{Methods: []grpc.MethodInfo{{Name: "Read"}, {Name: "Rate"}, {Name: "Forgot"}}}
	want := "the policy is not whole: " + edit + " has a rule and is not served; " + forgot + " has no rule"
	if err := policy().Covers(services); err == nil || err.Error() != want {
		t.Errorf("Covers = %v, want %s", err, want)
	}
}

func TestOwnUser(t *testing.T) {
	k := newKeys(t, "a")
	const put = ratingv1.RatingService_PutRating_FullMethodName
	g := auth.NewGuard(auth.Policy{put: auth.OwnUser("user_id")}, auth.NewVerifier(k, expectation(), at(now)), prometheus.NewRegistry())
	ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs("authorization", "Bearer "+k.token(t, nil)))
	for name, tc := range map[string]struct {
		req  any
		code codes.Code
	}{
		"the token's":                  {&ratingv1.PutRatingRequest{UserId: "ann", Value: 3}, codes.OK},
		"nobody named":                 {&ratingv1.PutRatingRequest{Value: 3}, codes.OK},
		"another's, even by an editor": {&ratingv1.PutRatingRequest{UserId: "ben"}, codes.PermissionDenied},
		"upper case is another":        {&ratingv1.PutRatingRequest{UserId: "Ann"}, codes.PermissionDenied},
		"a request without the field":  {&ratingv1.GetAggregatedRatingRequest{}, codes.PermissionDenied},
		"no message at all":            {nil, codes.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := g.Unary(ctx, tc.req, &grpc.UnaryServerInfo{FullMethod: put}, func(_ context.Context, req any) (any, error) {
				if got := req.(*ratingv1.PutRatingRequest).GetUserId(); got != "ann" {
					t.Errorf("the handler sees user_id %q, want ann", got)
				}
				return nil, nil
			})
			if status.Code(err) != tc.code {
				t.Errorf("PutRating = %v, want %s", err, tc.code)
			}
		})
	}
}

func TestPolicyFitsItsMethods(t *testing.T) {
	const service = "rating.v1.RatingService"
	services := map[string]grpc.ServiceInfo{service: {Methods: []grpc.MethodInfo{{Name: "PutRating"}}}}
	for field, want := range map[string]string{"user_id": "", "value": "has no field value", "user": "has no field user"} {
		err := auth.Policy{"/" + service + "/PutRating": auth.OwnUser(field)}.Covers(services)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Covers of OwnUser(%s) = %v, want %q", field, err, want)
		}
	}
}
