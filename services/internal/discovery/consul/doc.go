// Package consul keeps the registry of instances in HashiCorp Consul.
package consul
