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
	Follow(ctx, file, func([]byte, error) { changed(l.Load(lookupEnv)) }) // Load says what is wrong with the file
}

// Follow calls changed with the file's content whenever it is another, or with the error once it cannot be read, until the
// context ends. The first call comes at once.
func Follow(ctx context.Context, file string, changed func([]byte, error)) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var last []byte
	var lastErr error
	for first := true; ; first = false {
		text, err := os.ReadFile(file) //nolint:gosec // the user names the file
		if first || (err == nil) != (lastErr == nil) || !bytes.Equal(text, last) {
			last, lastErr = text, err
			changed(text, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
