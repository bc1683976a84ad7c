// Command pause holds a pod's namespaces open: it sleeps until it is told to stop and reaps the
// orphans of pods that share a process namespace.
package main
