// Command coredns is CoreDNS with only the plugins that the local cluster's Corefile uses: a fifth of
// the usual build time, and nothing in it that could talk to a cloud provider.
package main
