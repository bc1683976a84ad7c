// Package chart tests what a user installs: the Helm chart in charts/ and the kustomization in config/.
package chart
