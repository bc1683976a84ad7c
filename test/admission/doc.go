// Package admission tests what a user reads when a MovieApp or FleetService is wrong, against a real kube-apiserver.
package admission
