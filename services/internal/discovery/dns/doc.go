// Package dns finds instances by a name's addresses, as those of a headless Service object in Kubernetes.
package dns
