// Package memory keeps ratings in the process: for laptops and tests.
package memory
