package rpc

import (
	"bytes"
	"log/slog"

	"golang.org/x/time/rate"

	"movieexample.com/fleet/services/internal/telemetry"
)

// seldomLog takes what net/http says about connections (a failed handshake, a client without TLS): a line a second at
// most, since anybody can cause them.
type seldomLog struct {
	log    *slog.Logger
	seldom *rate.Sometimes
}

// Write is for [io.Writer]. A caller that hung up is no news.
func (l *seldomLog) Write(line []byte) (int, error) {
	text := bytes.TrimSpace(line)
	if !bytes.HasSuffix(text, []byte(": EOF")) {
		l.seldom.Do(func() { l.log.Warn("A REST connection failed", telemetry.KeyError, string(text)) })
	}
	return len(line), nil
}
