package fleetservice

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"
)

// sweepLedgersEvery is how often ledgers are looked through that outlived their service.
const sweepLedgersEvery = time.Hour

// Start looks through ledgers now and then, until the manager ends; then it ends what runs in the background: askings that
// are under way, and idle connections. The manager ends its controllers at the same time, so reconciles that have begun
// are waited for; they end with their context.
func (r *Reconciler) Start(ctx context.Context) error {
	defer r.end()
	ticker := time.NewTicker(sweepLedgersEvery)
	defer ticker.Stop()
	for {
		if err := r.sweepLedgers(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Could not remove ledgers of services that are long gone; it is tried again", "in", sweepLedgersEvery)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (r *Reconciler) end() {
	r.working.Lock()
	defer r.working.Unlock()
	r.desk.Close()
	r.asker.Close()
	r.reader.Close()
	r.traffic.consul.Close()
}
