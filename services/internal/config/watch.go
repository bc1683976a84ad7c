package config

import (
	"bytes"
	"context"
	"os"
	"time"
)

// watchEvery is how soon a change is seen. Polling sees what a ConfigMap does (a link to a link is moved) as well as what
// editors do.
const watchEvery = time.Second

// Watch calls changed whenever the file's content is another, until the context ends: with the settings as they are now,
// or with what is wrong with them. The first call comes at once.
func (l *Loader[C]) Watch(ctx context.Context, lookupEnv func(string) (string, bool), changed func(C, error)) {
	file := l.File(lookupEnv)
	if file == "" {
		return
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var last []byte
	for first := true; ; first = false {
		text, err := os.ReadFile(file) //nolint:gosec // the user names the file
		if err != nil {
			text = nil // Load says what is wrong
		}
		if first || !bytes.Equal(text, last) {
			last = text
			changed(l.Load(lookupEnv))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
