// Package memory keeps metadata in the process: for laptops and tests.
package memory
