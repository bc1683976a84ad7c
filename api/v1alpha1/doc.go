// Package v1alpha1 is the contract with users: the Go types of the resources MovieApp and FleetService.
//
// +kubebuilder:object:generate=true
// +groupName=fleet.movieexample.com
package v1alpha1
