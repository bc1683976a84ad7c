// Package lifecycle starts and ends a service in order: workers with an owner, readiness, and an orderly stop on a signal.
package lifecycle
