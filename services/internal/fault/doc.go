// Package fault makes a service misbehave on purpose, so that rollouts and callers can be tested. Only a build with -tags faults can do it.
package fault
