//go:build integration

package integration_test

import (
	"testing"

	"movieexample.com/fleet/test/deployment"
)

// What `make integration` does with any deployment, twice: what one run leaves disturbs no other.
func TestSequenceOfADeployment(t *testing.T) {
	f := startFleet(t)
	target := deployment.Target{}
	for _, p := range []*program{f.metadata, f.rating, f.movie} {
		target[p.name] = deployment.Addresses{GRPC: p.api, REST: p.rest}
	}
	deployment.Run(t, target)
	deployment.Run(t, target)
}
