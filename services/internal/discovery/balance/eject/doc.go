// Package eject leaves out single instances that fail or are slow while their siblings of the same revision do well.
package eject
