// Command front makes addresses inside a cluster's network namespace reachable on this host's
// loopback, without an interface, a route or a firewall rule on the host.
//
//	front PID 127.0.0.1:PORT=HOST:PORT...
//
// The listeners are opened here; the program then enters the namespaces of process PID by nsenter and
// takes them along, so that every dial happens inside. It ends with the process namespace of PID.
package main
