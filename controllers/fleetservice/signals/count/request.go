package count

import "time"

// PodTarget is a pod of the service.
type PodTarget struct {
	UID, Name, Revision string
	// Began is when its container started. It may be too early, not too late.
	Began time.Time
	// Address is IP:port of its metrics.
	Address string
}

// CallerTarget is a pod that calls the service.
type CallerTarget struct{ UID, Name, Address string }

// Request says what is to be read.
type Request struct {
	// Pods are those of both revisions; others are not read.
	Pods           []PodTarget
	Canary, Stable string
	Callers        []CallerTarget
	// Upstreams are the names by which callers know the service.
	Upstreams []string
	Meaning   Meaning
}

// Findings are what is wrong with the objectives. The zero value is nothing.
type Findings struct {
	// Reason is the condition reason of api/v1alpha1: NotABucket, NotAHistogram or NotCounted.
	Reason string
	// Unmeasurable says which objective cannot be measured, and what to do; empty when all can.
	Unmeasurable string
}
