package check

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
)

// TestCause: the same trouble has the same words each time, and none tells what the URL holds.
func TestCause(t *testing.T) {
	of := func(err error) error {
		return &url.Error{Op: "Get", URL: "http://user:secret@prometheus:9090/api", Err: err}
	}
	dial := func(err error) error {
		return of(&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9090}, Err: err})
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"the request's time is up": {of(context.DeadlineExceeded), "no answer within 5s"},
		"the dial's time is up":    {dial(os.ErrDeadlineExceeded), "no answer within 5s"},
		"nobody listens":           {dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "dial: connect: connection refused"},
		"no such name":             {dial(&net.DNSError{Err: "no such host", Name: "prometheus", IsNotFound: true}), "dial: lookup prometheus: no such host"},
		"another":                  {of(errors.New("EOF")), "EOF"},
		"not the client's own":     {errors.New("unexpected\nEOF"), "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := cause(c.err).Error(); got != c.want {
				t.Errorf("cause = %q, want %q", got, c.want)
			}
		})
	}
}
