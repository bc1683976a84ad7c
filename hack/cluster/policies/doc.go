// Package policies holds what each may do in the local cluster's Consul, for the tests that hold the fleet to it.
package policies
