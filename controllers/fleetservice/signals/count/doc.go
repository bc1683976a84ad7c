// Package count says what the metrics of pods mean: how many requests ended, and how many of them were bad.
package count
