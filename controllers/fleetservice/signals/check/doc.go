// Package check asks others about a rollout: Prometheus by queries, and the user's own services by signed webhooks.
package check
