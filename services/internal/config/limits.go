package config

import (
	"net/netip"
	"time"
)

// Calls says what a call to another service goes through.
type Calls struct {
	Attempts int  `config:"attempts" help:"attempts of a call to another service, the first included, if the service is away and the method may be repeated; more than 1 only for the service nearest the user"`
	Breaker  bool `config:"breaker" help:"make no calls to a service that answers nothing but failures, and try one a second"`
}

// Limits says what the server takes on.
type Limits struct {
	MaxInFlight int           `config:"maxInFlight" help:"calls answered at once; more are refused with RESOURCE_EXHAUSTED"`
	Deadline    time.Duration `config:"deadline" help:"longest time of a call whose caller gave none"`
	StreamIdle  time.Duration `config:"streamIdle" help:"longest silence of a caller on a stream"`
	Profile     string        `config:"profile" enum:"none,public" help:"rate limit of one caller (by certificate, else token, else address) to one method: none, or public for 100 calls a second with a burst of 100"`
	Rate        int           `config:"rate" help:"calls a second of one caller to one method, in place of the profile's; 0 leaves it"`
	Burst       int           `config:"burst" help:"calls at once within the rate; 0 is as many as the rate"`
	// TrustedProxies are empty by default: anybody can write the header.
	TrustedProxies []string `config:"trustedProxies" help:"networks whose X-Forwarded-For is believed, such as 10.0.0.0/8: who is limited by address is the client behind them"`
}

// Public is a value of Limits.Profile: for a service that anybody may call.
const Public = "public"

const publicRate = 100

const mostAttempts = 3

func defaultCalls() Calls { return Calls{Attempts: 1, Breaker: true} }

func defaultLimits() Limits {
	return Limits{MaxInFlight: 256, Deadline: 5 * time.Second, StreamIdle: time.Minute, Profile: None}
}

// PerCaller is the rate limit of one caller to one method; 0 is none.
func (l Limits) PerCaller() (rate, burst int) {
	rate, burst = l.Rate, l.Burst
	if rate == 0 && l.Profile == Public {
		rate = publicRate
	}
	if burst == 0 {
		burst = rate
	}
	return rate, burst
}

// Proxies have been found good by Check.
func (l Limits) Proxies() []netip.Prefix {
	list := make([]netip.Prefix, 0, len(l.TrustedProxies))
	for _, text := range l.TrustedProxies {
		if p, err := netip.ParsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// Check refuses attempts that would multiply the load on a service that is away.
func (c Calls) Check(report Report) {
	if c.Attempts < 1 || c.Attempts > mostAttempts {
		report("attempts", c.Attempts, "is not from 1 to 3")
	}
}

// Check refuses limits that would refuse everything, or nothing.
func (l Limits) Check(report Report) {
	if l.MaxInFlight < 1 {
		report("maxInFlight", l.MaxInFlight, "is below 1: no call would be answered")
	}
	if l.Deadline <= 0 {
		report("deadline", l.Deadline, "is not above 0: every call has a deadline")
	}
	if l.StreamIdle <= 0 {
		report("streamIdle", l.StreamIdle, "is not above 0: a silent stream would stay for ever")
	}
	if l.Rate < 0 {
		report("rate", l.Rate, "is below 0")
	}
	for _, text := range l.TrustedProxies {
		if _, err := netip.ParsePrefix(text); err != nil {
			report("trustedProxies", text, "is not a network such as 10.0.0.0/8")
		}
	}
	if rate, burst := l.PerCaller(); burst < 0 || burst > 0 && rate == 0 {
		report("burst", l.Burst, "is below 0, or has no rate: set limits.rate or limits.profile too")
	}
}
