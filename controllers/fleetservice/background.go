package fleetservice

import "context"

// Start ends what runs in the background when the manager ends: askings that are under way, and idle connections. The
// manager ends its controllers at the same time, so reconciles that have begun are waited for; they end with their context.
func (r *Reconciler) Start(ctx context.Context) error {
	<-ctx.Done()
	r.working.Lock()
	defer r.working.Unlock()
	r.desk.Close()
	r.asker.Close()
	r.reader.Close()
	r.traffic.consul.Close()
	return nil
}
