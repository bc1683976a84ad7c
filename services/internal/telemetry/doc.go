// Package telemetry sets up what a service tells about itself: structured logs and metrics.
package telemetry
