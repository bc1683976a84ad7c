package shared

import (
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// OpenPatient is [Open] with limits that a busy machine does not reach: for tests of what a Redis that is well does.
func OpenPatient(dir string, log *slog.Logger) *redis.Client {
	return open(dir, log, time.Minute, time.Minute)
}
