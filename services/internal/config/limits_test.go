package config

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRateLimit(t *testing.T) {
	for name, tc := range map[string]struct {
		limits      Limits
		rate, burst int
	}{
		"none by default":               {defaultLimits(), 0, 0},
		"the profile":                   {Limits{Profile: Public}, 100, 100},
		"another rate than the profile": {Limits{Profile: Public, Rate: 20}, 20, 20},
		"another burst":                 {Limits{Profile: Public, Burst: 10}, 100, 10},
		"a rate without a profile":      {Limits{Profile: None, Rate: 5, Burst: 50}, 5, 50},
	} {
		if rate, burst := tc.limits.PerCaller(); rate != tc.rate || burst != tc.burst {
			t.Errorf("%s: PerCaller() = %d, %d, want %d, %d", name, rate, burst, tc.rate, tc.burst)
		}
	}
}

func TestMistakesInCallsAndLimits(t *testing.T) {
	var got []string
	report := func(path string, _ any, _ string) { got = append(got, path) }
	defaultCalls().Check(report)
	defaultLimits().Check(report)
	Calls{Attempts: 3}.Check(report)
	if got != nil {
		t.Errorf("mistakes in what is right = %v, want none", got)
	}
	Calls{Attempts: 4}.Check(report)
	Calls{}.Check(report)
	Limits{Rate: -1, Burst: 5, TrustedProxies: []string{"10.0.0.0/8", "10.0.0.1"}}.Check(report)
	want := []string{"attempts", "attempts", "maxInFlight", "deadline", "streamIdle", "rate", "trustedProxies"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
	got = nil
	limits := defaultLimits()
	limits.Burst = 5
	limits.Check(report)
	if diff := cmp.Diff([]string{"burst"}, got); diff != "" {
		t.Errorf("mistakes of a burst without a rate (-want +got):\n%s", diff)
	}
}

func TestProxies(t *testing.T) {
	got := Limits{TrustedProxies: []string{"10.0.0.0/8", "2001:db8::/32"}}.Proxies()
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	if !slices.Equal(got, want) || len(defaultLimits().Proxies()) != 0 {
		t.Errorf("Proxies() = %v, and by default %v, want %v and none", got, defaultLimits().Proxies(), want)
	}
}
