// Command hyperkube is every Kubernetes component and etcd in one binary: argv[0], or the first
// argument, chooses the component. One link instead of seven saves four minutes of a first start.
package main
