// Command mkimage makes a container image of static binaries without a container engine or a registry.
//
//	mkimage -tag NAME:TAG -o OUT.tar [flags] BINARY[:/path/in/image]...
//
// The archive is an OCI image layout that also carries docker's manifest: docker, podman, kind, k3d,
// minikube and containerd load it. The same input gives the same bytes.
package main
