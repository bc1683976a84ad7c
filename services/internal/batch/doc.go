// Package batch puts the answers to many ids in order.
package batch
