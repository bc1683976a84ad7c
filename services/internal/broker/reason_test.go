package broker_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"movieexample.com/fleet/services/internal/broker"
)

func TestReason(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no topic":      {fmt.Errorf("produce: %w", kerr.UnknownTopicOrPartition), broker.ReasonUnknownTopic},
		"no ACL":        {kerr.TopicAuthorizationFailed, broker.ReasonDenied},
		"wrong login":   {fmt.Errorf("dial: %w", kerr.SaslAuthenticationFailed), broker.ReasonLoginFailed},
		"large":         {kerr.MessageTooLarge, broker.ReasonTooLarge},
		"anything else": {errors.New("refused"), broker.ReasonUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			if got := broker.Reason(c.err); got != c.want {
				t.Errorf("Reason(%v) = %s, want %s", c.err, got, c.want)
			}
		})
	}
}
