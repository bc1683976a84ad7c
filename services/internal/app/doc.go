// Package app assembles a service: configuration, servers, discovery, readiness and an orderly stop, the same way for all.
package app
