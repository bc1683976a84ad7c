// Package fleetservice delivers one service: observe what is, plan what is next, act, and say so in status.
package fleetservice
