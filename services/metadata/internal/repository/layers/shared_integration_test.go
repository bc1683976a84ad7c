//go:build integration

package layers_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/cache"
	"movieexample.com/fleet/services/internal/cache/shared"
	"movieexample.com/fleet/services/metadata/internal/model"
	"movieexample.com/fleet/services/metadata/internal/repository/layers"
	"movieexample.com/fleet/services/metadata/internal/repository/memory"
	"movieexample.com/fleet/services/metadata/internal/repository/repositorytest"
	"movieexample.com/fleet/test/parts"
)

func TestContractOfShared(t *testing.T) {
	server := parts.StartRedis(t)
	log := slog.New(slog.DiscardHandler)
	repositorytest.Run(t, func(t *testing.T) repositorytest.Repository {
		registry := prometheus.NewRegistry()
		return layers.Share(memory.New(), shared.New[model.Metadata](server.Admin(t), shared.Options{
			Name: "metadata_shared", Prefix: t.Name() + ":", TTL: time.Minute, Log: log,
			Breaker: breaker.New("redis", breaker.NewMetrics(registry), log), Metrics: cache.NewMetrics(registry),
		}))
	})
}
