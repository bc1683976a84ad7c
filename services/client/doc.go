// Package client lets a program outside the fleet call its services the way the fleet does: one connection for each target, through Consul, DNS or a fixed list.
package client
