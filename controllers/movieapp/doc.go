// Package movieapp turns a MovieApp into one FleetService a service, moves changes through them in dependency order,
// and takes them down in reverse.
package movieapp
