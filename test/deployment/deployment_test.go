//go:build deployment

package deployment

import (
	"os"
	"testing"
)

// TestDeployment is `make integration TARGET=…`.
func TestDeployment(t *testing.T) {
	settings, err := ReadSettings(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	Run(t, settings)
}
