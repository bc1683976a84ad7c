package handler_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/auth/internal/handler"
	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/problem"
	authv1 "movieexample.com/fleet/services/proto/auth/v1"
)

var expire = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

// rules answer as they are told, and remember from where a call came.
type rules struct {
	err  error
	from netip.Prefix
}

func (r *rules) Get(_ context.Context, from netip.Prefix, name, password string) (string, time.Time, error) {
	r.from = from
	return name + "." + password, expire, r.err
}

func (r *rules) Validate(_ context.Context, token string) (auth.Token, error) {
	return auth.Token{Caller: auth.Caller{Subject: token, Roles: []string{"editor"}}, ExpireTime: expire}, r.err
}

func TestMessages(t *testing.T) {
	h := handler.New(&rules{}, nil)
	token, err := h.GetToken(t.Context(), &authv1.GetTokenRequest{Username: "ann", Password: "secret"})
	want := &authv1.GetTokenResponse{Token: "ann.secret", ExpireTime: timestamppb.New(expire)}
	if diff := cmp.Diff(want, token, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("GetToken = %v (-want +got):\n%s", err, diff)
	}
	valid, err := h.ValidateToken(t.Context(), &authv1.ValidateTokenRequest{Token: "ann"})
	wantValid := &authv1.ValidateTokenResponse{Username: "ann", Roles: []string{"editor"}, ExpireTime: timestamppb.New(expire)}
	if diff := cmp.Diff(wantValid, valid, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("ValidateToken = %v (-want +got):\n%s", err, diff)
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want codes.Code
	}{
		"refused":  {problem.NewUnauthenticated(nil, "no"), codes.Unauthenticated},
		"limited":  {problem.NewLimited(time.Minute, "later"), codes.ResourceExhausted},
		"away":     {problem.NewUnavailable(nil, "away"), codes.Unavailable},
		"a defect": {errors.New("broken"), codes.Internal},
	} {
		h := handler.New(&rules{err: c.err}, nil)
		if _, err := h.GetToken(t.Context(), &authv1.GetTokenRequest{}); status.Code(err) != c.want {
			t.Errorf("GetToken, %s = %v, want %s", name, err, c.want)
		}
		if _, err := h.ValidateToken(t.Context(), &authv1.ValidateTokenRequest{}); status.Code(err) != c.want {
			t.Errorf("ValidateToken, %s = %v, want %s", name, err, c.want)
		}
	}
}

func TestTrustedProxiesAreBelieved(t *testing.T) {
	ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: &net.TCPAddr{IP: net.ParseIP("10.0.0.9"), Port: 1}})
	ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("x-forwarded-for", "203.0.113.1"))
	for want, proxies := range map[string][]netip.Prefix{"10.0.0.9/32": nil, "203.0.113.1/32": {netip.MustParsePrefix("10.0.0.0/8")}} {
		r := &rules{}
		if _, err := handler.New(r, proxies).GetToken(ctx, &authv1.GetTokenRequest{}); err != nil || r.from.String() != want {
			t.Errorf("GetToken with the trusted proxies %v came from %s, %v, want %s", proxies, r.from, err, want)
		}
	}
}

func TestPublishKeys(t *testing.T) {
	var text []byte
	mux := runtime.NewServeMux()
	if err := handler.PublishKeys(func() []byte { return text })(t.Context(), mux, nil); err != nil {
		t.Fatal(err)
	}
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, handler.KeysPath, http.NoBody))
		return w
	}
	if got := get(); got.Code != http.StatusServiceUnavailable {
		t.Errorf("GET without keys = %d %s, want 503", got.Code, got.Body)
	}
	text = []byte(`{"keys":[]}`)
	if got := get(); got.Code != http.StatusOK || got.Body.String() != string(text) || got.Header().Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("GET = %d %s %v, want the keys", got.Code, got.Body, got.Header())
	}
}
