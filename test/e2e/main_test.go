//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// root is the checkout; every command runs there.
const root = "../.."

// databases are the services' own, and a second pair for tests that run two applications.
const databases = "metadata rating auth metadata2 rating2"

// TestMain brings the cluster up if none is up, installs the operator, and takes down what it brought up.
func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := withCluster(ctx, m)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func withCluster(ctx context.Context, m *testing.M) (code int, err error) {
	if err := os.Setenv("FLEET_DATABASES", databases); err != nil {
		return 1, err
	}
	if _, err := run("hack/cluster/cluster", "status"); err != nil {
		defer func() {
			if _, downErr := run("hack/cluster/cluster", "down"); downErr != nil {
				err = errors.Join(err, downErr)
			}
		}()
	}
	for _, step := range []func() error{clusterUp, loadImages, installOperator} {
		if err := step(); err != nil {
			return 1, err
		}
	}
	done := make(chan int, 1)
	go func() { done <- m.Run() }()
	select {
	case code := <-done:
		return code, nil
	case <-ctx.Done():
		return 1, errors.New("interrupted")
	}
}

func clusterUp() error {
	begin := time.Now()
	_, err := run("hack/cluster/cluster", "up")
	fmt.Printf("cluster up in %s\n", time.Since(begin).Round(time.Second))
	return err
}

func loadImages() error {
	archives, err := filepath.Glob(filepath.Join(root, "dist/test-images/*.tar"))
	if err != nil || len(archives) == 0 {
		return fmt.Errorf("no images in dist/test-images: run 'make test-images' first (%w)", err)
	}
	args := []string{"load"}
	for _, a := range archives {
		args = append(args, strings.TrimPrefix(a, root+"/"))
	}
	_, err = run("hack/cluster/cluster", args...)
	return err
}

func installOperator() error {
	helm, err := run("make", "--no-print-directory", "-s", "tool-helm")
	if err != nil {
		return err
	}
	kubeconfig, err := run("hack/cluster/cluster", "kubeconfig")
	if err != nil {
		return err
	}
	_, err = run(strings.TrimSpace(helm), "--kubeconfig", strings.TrimSpace(kubeconfig), "upgrade", "--install", "movie-fleet", "charts/movie-fleet",
		"--namespace", operatorNamespace, "--create-namespace", "--set", "image.registry=localhost/fleet,image.tag=dev", "--wait", "--timeout", "3m")
	return err
}

// run runs a command in the checkout and returns what it printed; an error has its words.
func run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s%s", name, strings.Join(args, " "), err, stderr.String(), stdout.String())
	}
	return stdout.String(), nil
}
