package fleetservice

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// owners shows who answers for each service, so that an alert can name whom it wakes. It is a collector of its own so that
// no scrape finds a service between two owners.
type owners struct {
	desc *prometheus.Desc

	mu sync.Mutex
	of map[types.NamespacedName]v1alpha1.Ownership
}

func newOwners() *owners {
	return &owners{
		desc: prometheus.NewDesc("fleet_service_owner_info", "Who answers for the service, by spec.ownership; always 1.",
			[]string{"namespace", "service", "accountable", "support", "oncall"}, nil),
		of: map[types.NamespacedName]v1alpha1.Ownership{},
	}
}

// set takes what the spec says now; a service without an owner shows none.
func (o *owners) set(fs *v1alpha1.FleetService) {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := client.ObjectKeyFromObject(fs)
	if fs.Spec.Ownership == nil {
		delete(o.of, name)
		return
	}
	o.of[name] = *fs.Spec.Ownership
}

func (o *owners) forget(name types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.of, name)
}

// Describe implements [prometheus.Collector].
func (o *owners) Describe(to chan<- *prometheus.Desc) { to <- o.desc }

// Collect implements [prometheus.Collector].
func (o *owners) Collect(to chan<- prometheus.Metric) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, who := range o.of {
		to <- prometheus.MustNewConstMetric(o.desc, prometheus.GaugeValue, 1, name.Namespace, name.Name, who.Accountable, who.Support, who.Oncall)
	}
}
