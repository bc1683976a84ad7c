package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice"
	"movieexample.com/fleet/controllers/movieapp"
	"movieexample.com/fleet/controllers/ratingingestor"
)

// version is set by the linker.
var version = "dev"

const (
	// leaseName is also written in the permissions of config/rbac and of the chart.
	leaseName     = "movie-fleet.fleet.movieexample.com"
	leaseDuration = 30 * time.Second
	renewDeadline = 20 * time.Second
	retryPeriod   = 4 * time.Second
)

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return
	case err == nil && o.version:
		fmt.Println(version)
		return
	case err == nil:
		err = run(ctrl.SetupSignalHandler(), &o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

// run works until the context ends or the lease is lost.
func run(ctx context.Context, o *options) error {
	logger, err := o.logger()
	if err != nil {
		return err
	}
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))
	klog.SetSlogLogger(logger)
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	how, err := settings(o)
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, how)
	if err != nil {
		return fmt.Errorf("set the manager up: %w", err)
	}
	if err := wire(mgr, o); err != nil {
		return err
	}
	logger.Info("Starting", slog.String("version", version), slog.Any("namespaces", o.watchNamespaces))
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// wire adds the controllers and the probes.
func wire(mgr ctrl.Manager, o *options) error {
	if err := movieapp.SetupWithManager(mgr, movieapp.Options{}); err != nil {
		return fmt.Errorf("set the MovieApp controller up: %w", err)
	}
	if err := ratingingestor.SetupWithManager(mgr, ratingingestor.Options{}); err != nil {
		return fmt.Errorf("set the RatingIngestor controller up: %w", err)
	}
	if err := fleetservice.SetupWithManager(mgr, fleetservice.Options{WebhookHosts: o.webhookHosts}); err != nil {
		return fmt.Errorf("set the FleetService controller up: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the liveness probe: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the readiness probe: %w", err)
	}
	return nil
}

func settings(o *options) (ctrl.Options, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), gatewayv1.Install(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return ctrl.Options{}, fmt.Errorf("build the scheme: %w", err)
	}
	lease, renew, retry := leaseDuration, renewDeadline, retryPeriod
	return ctrl.Options{
		Scheme: scheme,
		Cache:  cached(o.watchNamespaces),
		Client: client.Options{Cache: &client.CacheOptions{
			// Read by name from the API server: a cache would list and watch every Secret, and the Gateway API may not be
			// installed.
			DisableFor: []client.Object{&corev1.Secret{}, &gatewayv1.HTTPRoute{}, &gatewayv1.GRPCRoute{}},
		}},
		Metrics: metricsserver.Options{
			BindAddress: o.metricsAddress, SecureServing: o.metricsSecure, CertDir: o.metricsCertDir,
		},
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       o.leaseNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &lease,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
	}, nil
}

// cached is what the operator keeps in memory: our resources, and of Kubernetes' kinds only what bears our label.
func cached(namespaces []string) cache.Options {
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue})}
	pods := ours
	// Only pods are stripped of who wrote which field: of the other kinds it tells who edited them by hand.
	pods.Transform = cache.TransformStripManagedFields()
	o := cache.Options{
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                            pods,
			&appsv1.Deployment{}:                     ours,
			&appsv1.ControllerRevision{}:             ours,
			&batchv1.Job{}:                           ours,
			&corev1.Service{}:                        ours,
			&corev1.ConfigMap{}:                      ours,
			&corev1.ServiceAccount{}:                 ours,
			&policyv1.PodDisruptionBudget{}:          ours,
			&autoscalingv2.HorizontalPodAutoscaler{}: ours,
		},
	}
	if len(namespaces) > 0 {
		o.DefaultNamespaces = map[string]cache.Config{}
		for _, ns := range namespaces {
			o.DefaultNamespaces[ns] = cache.Config{}
		}
	}
	return o
}
