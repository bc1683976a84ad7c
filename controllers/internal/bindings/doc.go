// Package bindings reads the Secrets that connect a service with its database and with Consul, and says which key of which Secret is wrong.
package bindings
