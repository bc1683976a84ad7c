// Package consul gives locks by sessions in Consul, to processes anywhere.
package consul
