package flags

import (
	"context"
	"fmt"
	"strings"

	"movieexample.com/fleet/services/internal/config"
)

// Source is where flags come from.
type Source struct {
	Name string // in metrics and logs
	// Follow calls update with what there is, at once and whenever it may have changed, one call at a time. It returns when
	// the context ends.
	Follow func(ctx context.Context, update func(Reading))
}

// Reading is what a source said.
type Reading struct {
	Text string // YAML
	None bool   // there is nothing, not even a text without flags
	Err  error  // it cannot be read now
}

// Fixed is a source that does not change: entries of the form name=true.
func Fixed(entries []string) Source {
	var text strings.Builder
	for _, e := range entries {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&text, "%q: %s\n", name, value)
	}
	return Source{Name: "settings", Follow: func(ctx context.Context, update func(Reading)) {
		update(Reading{Text: text.String()})
		<-ctx.Done()
	}}
}

// File is a source that is a file, which must be there.
func File(path string) Source {
	return Source{Name: "file", Follow: func(ctx context.Context, update func(Reading)) {
		config.Follow(ctx, path, func(text []byte, err error) { update(Reading{Text: string(text), Err: err}) })
	}}
}

// Watch calls update with the value of a key and whether there is one, or with an error, as [Source.Follow] does.
type Watch func(ctx context.Context, key string, update func(value []byte, found bool, err error))

// Key is a source that is a key in Consul. There need not be one; but one that was there should stay.
func Key(key string, watch Watch) Source {
	return Source{Name: "key", Follow: func(ctx context.Context, update func(Reading)) {
		watch(ctx, key, func(value []byte, found bool, err error) {
			update(Reading{Text: string(value), None: err == nil && !found, Err: err})
		})
	}}
}
