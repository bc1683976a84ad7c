package kafka

import "github.com/twmb/franz-go/pkg/kgo"

// NewClientsWith has clients with further options.
func NewClientsWith(options ...kgo.Opt) *Clients {
	c := NewClients()
	c.options = options
	return c
}
