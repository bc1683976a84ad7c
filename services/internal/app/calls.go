package app

import (
	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/limits"
	"movieexample.com/fleet/services/internal/rpc"
)

// dialOptions are what calls to other services go through.
func (s *server[C]) dialOptions() []rpc.DialOption {
	c := s.config.Base().Calls
	options := []rpc.DialOption{rpc.WithLog(s.log), rpc.WithAttempts(c.Attempts)}
	if c.Breaker {
		options = append(options, rpc.WithBreaker())
	}
	return options
}

// limits are what the server takes on.
func (s *server[C]) limits() (*limits.Limits, error) {
	l := s.config.Base().Limits
	rate, burst := l.PerCaller()
	return limits.New(limits.Options{
		Subject: auth.Subject, TrustedProxies: l.Proxies(),
		MaxInFlight: l.MaxInFlight, Deadline: l.Deadline, StreamIdle: l.StreamIdle, Rate: rate, Burst: burst,
	}, s.metrics)
}
