// The program crds writes generated definitions compactly: no meaning is lost, and half of the bytes were indentation.
package main
