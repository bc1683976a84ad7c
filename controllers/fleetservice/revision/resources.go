package revision

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"

	"movieexample.com/fleet/api/v1alpha1"
)

// Resources are the spec's, or requests that fit a small cluster and a memory limit that stops a leak. A default
// gives way to what is written: whoever asks for more memory than the default limit gets that much.
func Resources(spec *v1alpha1.FleetServiceSpec) corev1.ResourceRequirements {
	r := corev1.ResourceRequirements{Requests: defaultRequests(), Limits: defaultLimits()}
	written := v1alpha1.Resources{}
	if spec.Resources != nil {
		written = *spec.Resources
	}
	if len(written.Requests) > 0 {
		r.Requests = written.Requests
		if asked, is := written.Requests[corev1.ResourceMemory]; is && asked.Cmp(r.Limits[corev1.ResourceMemory]) > 0 {
			r.Limits[corev1.ResourceMemory] = asked
		}
	}
	if len(written.Limits) > 0 {
		r.Limits = written.Limits
		if len(written.Requests) == 0 {
			lower(r.Requests, written.Limits)
		}
	}
	return r
}

// lower brings default requests under written limits.
func lower(requests, limits corev1.ResourceList) {
	for name, limit := range limits {
		if asked, is := requests[name]; is && asked.Cmp(limit) > 0 {
			requests[name] = limit
		}
	}
}

func defaultRequests() corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
}

func defaultLimits() corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")}
}

// writtenResources are what the spec says of resources where it is not the default.
func writtenResources(spec *v1alpha1.FleetServiceSpec) (requests, limits corev1.ResourceList) {
	if spec.Resources == nil {
		return nil, nil
	}
	if r := spec.Resources.Requests; !equality.Semantic.DeepEqual(r, defaultRequests()) {
		requests = quantities(r)
	}
	if l := spec.Resources.Limits; !equality.Semantic.DeepEqual(l, defaultLimits()) {
		limits = quantities(l)
	}
	return requests, limits
}

// quantities are written in their canonical form, so that 1000m and 1 are one revision.
func quantities(list corev1.ResourceList) corev1.ResourceList {
	if len(list) == 0 {
		return nil
	}
	out := corev1.ResourceList{}
	for name, q := range list {
		out[name] = resource.MustParse(q.String())
	}
	return out
}
