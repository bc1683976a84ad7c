//go:build deployment

package deployment

import (
	"os"
	"testing"
)

// TestDeployment is `make integration TARGET=…`.
func TestDeployment(t *testing.T) {
	target, err := ParseTarget(os.Getenv("TARGET"))
	if err != nil {
		t.Fatal(err)
	}
	Run(t, target)
}
