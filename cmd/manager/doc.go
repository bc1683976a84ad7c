// Command manager is the operator: it delivers the MovieApps and FleetServices of a cluster, or of some namespaces.
package main
