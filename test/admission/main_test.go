//go:build envtest

package admission_test

import (
	"os"
	"testing"

	"movieexample.com/fleet/test/apiserver"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	os.Exit(apiserver.Main(m, func(s *apiserver.Server) { server = s }))
}
