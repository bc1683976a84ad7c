// Package serialization compares the size and the speed of one record as JSON, XML and Protobuf.
package serialization
