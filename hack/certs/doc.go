// The program certs makes an authority and a certificate for each service, for development and tests on one machine.
package main
