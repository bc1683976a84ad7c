// Package e2e runs the whole system as a user would: a real cluster, the chart, kubectl, real pods, MariaDB and Consul.
package e2e
