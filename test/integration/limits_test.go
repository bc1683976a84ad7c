//go:build integration

package integration_test

import (
	"fmt"
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
			for n := 2; ; n++ { // one call comes back each second: where the machine is slow it may be the one that is asked about
				exhaust(t, func() int { return ask("192.0.2.1") })
				got := ask(fmt.Sprint("192.0.2.", n))
				if got == tc.other {
					break
				}
				if n == 10 {
					t.Fatalf("the first call of another client = %d each time, want %d", got, tc.other)
				}
			}
		})
	}
}

// exhaust calls until a call is refused.
func exhaust(t *testing.T, ask func() int) {
	t.Helper()
	for range 30 { // far more than may be taken at once and come back meanwhile
		if ask() == http.StatusTooManyRequests {
			return
		}
	}
	t.Fatal("30 calls of a client were taken, want 429 after 2 and what comes back")
}
