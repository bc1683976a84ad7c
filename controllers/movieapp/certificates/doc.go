// Package certificates decides which authority an application trusts and which certificates its services show; pure.
package certificates
