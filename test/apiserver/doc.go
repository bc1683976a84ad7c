// Package apiserver starts a real kube-apiserver on loopback, with our definitions installed, for tests.
package apiserver
