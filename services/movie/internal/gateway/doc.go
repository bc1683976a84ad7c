// Package gateway calls the services that movie depends on, each by one connection that lives as long as the process.
package gateway
