package rpc

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestRESTConnectionsEndWithTheirAge(t *testing.T) {
	for name, tc := range map[string]struct {
		age  time.Duration
		want string
	}{
		"young": {maxConnectionAge - time.Second, ""},
		"old":   {maxConnectionAge + time.Second, "close"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := noteStart(context.Background(), nil)
			h := limitAge(http.NotFoundHandler(), func() time.Time { return time.Now().Add(tc.age) })
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
			if got := answer.Header().Get("Connection"); got != tc.want {
				t.Errorf("Connection after %s = %q, want %q", tc.age, got, tc.want)
			}
		})
	}
}
