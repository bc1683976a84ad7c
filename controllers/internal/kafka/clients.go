package kafka

import (
	"context"
	"errors"
	"reflect"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/controllers/internal/bindings"
)

// Clients keeps a client for each owner between looks: to connect and log in costs many times what a look does. For
// concurrent use, but one owner has one look at a time.
type Clients struct {
	// options are those of tests.
	options []kgo.Opt

	mu     sync.Mutex
	kept   map[string]kept
	looks  sync.WaitGroup
	closed bool
}

type kept struct {
	binding bindings.Kafka
	client  *kgo.Client
}

// NewClients has no client yet. Close it.
func NewClients() *Clients { return &Clients{kept: map[string]kept{}} }

// Look looks at the topics and the group. An error means that the broker did not answer: nothing is known then. Other
// contents of a binding are another client, and so is the next one after a look that failed.
func (c *Clients) Look(ctx context.Context, owner string, b bindings.Kafka, s Source) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	client, err := c.take(owner, b)
	if err != nil {
		return Report{}, err
	}
	defer c.looks.Done()
	report, refused, err := look(ctx, client, b, s)
	if refused || err != nil {
		c.Forget(owner)
	}
	return report, err
}

// take is the owner's client. Each is to be followed by looks.Done.
func (c *Clients) take(owner string, b bindings.Kafka) (*kgo.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.New("the operator ends: Kafka is not looked at any more")
	}
	k, known := c.kept[owner]
	if known && !reflect.DeepEqual(k.binding, b) {
		k.client.Close()
		known = false
	}
	if !known {
		client, err := connect(b, c.options...)
		if err != nil {
			delete(c.kept, owner)
			return nil, err
		}
		k = kept{b, client}
		c.kept[owner] = k
	}
	c.looks.Add(1)
	return k.client, nil
}

// Forget closes the owner's client, if there is one.
func (c *Clients) Forget(owner string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, known := c.kept[owner]; known {
		k.client.Close()
		delete(c.kept, owner)
	}
}

// Start waits for the context's end and closes all clients, as a part of a manager.
func (c *Clients) Start(ctx context.Context) error {
	<-ctx.Done()
	c.Close()
	return nil
}

// Close waits for looks that are under way, which end with their contexts, and closes all clients. There is no look after it.
func (c *Clients) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.looks.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for owner, k := range c.kept {
		k.client.Close()
		delete(c.kept, owner)
	}
}
