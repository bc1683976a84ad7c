//go:build integration

package integration_test

import (
	"net/http"
	"testing"
)

// TestLimitsBehindAProxy is the rate limit of a service that stands behind an ingress: it is the clients' own, if the
// settings say whom to believe.
func TestLimitsBehindAProxy(t *testing.T) {
	for name, tc := range map[string]struct {
		settings string
		other    int // the answer to a second client's first call
	}{
		"one that is trusted": {"limits: {rate: 1, burst: 2, trustedProxies: ['127.0.0.0/8', '::1/128']}\n", http.StatusNotFound},
		"by default":          {"limits: {rate: 1, burst: 2}\n", http.StatusTooManyRequests},
	} {
		t.Run(name, func(t *testing.T) {
			metadata := serve(t, "metadata", tc.settings, "")
			metadata.wantReady(t)
			ask := func(client string) int {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+metadata.rest+"/v1/metadata/tt1", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("X-Forwarded-For", client)
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				return response.StatusCode
			}
			for range 30 { // far more than what comes back in the meantime
				ask("192.0.2.1")
			}
			if got := ask("192.0.2.1"); got != http.StatusTooManyRequests {
				t.Errorf("the 31st call of a client = %d, want 429", got)
			}
			if got := ask("192.0.2.2"); got != tc.other {
				t.Errorf("the first call of another client = %d, want %d", got, tc.other)
			}
		})
	}
}
