package render

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// shadowArg makes a consumer read along and store nothing. A program that does not know it ends at once, instead of storing
// what it should not.
const shadowArg = "--ingest.shadow=true"

// AsShadow makes the pods of a consumer's Deployment read along. That is no part of the revision, nor of its snapshot.
func AsShadow(d *appsv1.Deployment) {
	template := d.Spec.Template.DeepCopy() // which the snapshot has too
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	template.Labels[v1alpha1.LabelShadow] = "true"
	for i := range template.Spec.Containers {
		if c := &template.Spec.Containers[i]; c.Name == ContainerName {
			c.Args = append(slices.Clone(c.Args), shadowArg)
		}
	}
	d.Spec.Template = *template
}
