// Package telemetry sets up what a service tells about itself: structured logs, metrics and traces.
package telemetry
